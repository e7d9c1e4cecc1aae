"""Which keys may sign for which terminal: read from certificates, never guessed."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.authority_certificates import YEAR, issue_client, span
from provisioning.ledger.enrolled import EnrolmentDirectory, read_enrolled
from terminal.wire.signed import key_id
from tests.provisioning.ledger.wall import DEVICE_CA, Wall, long_ago


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    wall = Wall()
    wall.enrol(tmp_path)
    return wall


def test_a_key_has_its_certificates_span(tmp_path: Path, wall: Wall) -> None:
    (key,) = read_enrolled(tmp_path).of("gate-1")
    assert key.id == key_id(wall.key.public_key())
    assert key.valid_to_ms - key.valid_from_ms > YEAR.total_seconds() * 1000
    assert key.in_span(key.valid_from_ms)
    assert key.in_span(key.valid_to_ms)
    assert not key.in_span(key.valid_from_ms - 1)
    assert not key.in_span(key.valid_to_ms + 1)


def test_a_revoked_key_counts_until_the_moment_that_is_named(tmp_path: Path, wall: Wall) -> None:
    own = key_id(wall.key.public_key())
    revoked = tmp_path / "gate-1" / "revoked.toml"
    revoked.write_text(f'"{own}" = 1970-01-01T09:00:10+09:00\n')
    (key,) = read_enrolled(tmp_path).of("gate-1")
    assert key.counts_at(9_999)
    assert not key.counts_at(10_000)


def test_a_former_key_is_read_beside_the_present_one(tmp_path: Path, wall: Wall) -> None:
    former = Wall()
    former.enrol(tmp_path, long_ago(), file="former-1.crt")
    ids = {key.id for key in read_enrolled(tmp_path).of("gate-1")}
    assert ids == {key_id(wall.key.public_key()), key_id(former.key.public_key())}


def test_an_unknown_terminal_has_no_keys(tmp_path: Path) -> None:
    assert read_enrolled(tmp_path).of("ghost-1") == ()
    assert read_enrolled(tmp_path / "nowhere").of("ghost-1") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("not toml", "revoked.toml"),
        ('"6a09e667f3bcc908" = 2026-01-01\n', "needs a date, time and offset"),
        ('"6a09e667f3bcc908" = 2026-01-01T09:00:00\n', "needs a date, time and offset"),
        ('"6a09e667f3bcc908" = true\n', "needs a date, time and offset"),
        ('"6a09e667f3bcc908" = 2026-01-01T09:00:00+09:00\n', "is the id of none"),
        ("#" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_a_revocation_that_cannot_be_read_takes_the_terminals_keys_away(
    tmp_path: Path, wall: Wall, text: str, said: str
) -> None:
    (tmp_path / "gate-1" / "revoked.toml").write_text(text)
    enrolled = read_enrolled(tmp_path)
    assert enrolled.of("gate-1") == ()
    ((terminal, fault),) = enrolled.faults
    assert terminal == "gate-1"
    assert said in fault


def test_a_certificate_of_another_terminal_is_refused(tmp_path: Path, wall: Wall) -> None:
    (tmp_path / "gate-1").rename(tmp_path / "gate-2")
    ((_, fault),) = read_enrolled(tmp_path).faults
    assert "the certificate is not for the terminal gate-2" in fault


def test_a_key_on_another_curve_is_refused(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = issue_client(DEVICE_CA, key.public_key(), "gate-1", span(YEAR))
    (tmp_path / "gate-1").mkdir()
    path = tmp_path / "gate-1" / "device.crt"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    ((_, fault),) = read_enrolled(tmp_path).faults
    assert "a device key is P-256" in fault


def test_the_directory_is_read_again_only_when_a_file_has_changed(
    tmp_path: Path, wall: Wall
) -> None:
    directory = EnrolmentDirectory(tmp_path)
    first = directory.look()
    assert directory.look() is first
    Wall("gate-2").enrol(tmp_path)
    second = directory.look()
    assert set(second.keys) == {"gate-1", "gate-2"}
    (tmp_path / "gate-1" / "device.crt").unlink()
    assert set(directory.look().keys) == {"gate-2"}
