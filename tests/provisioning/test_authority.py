"""The authority makes each key once, and certificates that their readers accept."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from provisioning import authority, authority_files
from provisioning.authority_certificates import common_name
from provisioning.town import Town, TownError, open_town
from terminal.identity import load
from terminal.updater_active import read_pin

NAMES = ("broker.minami.example", "10.0.0.7")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return authority.ensure_town(tmp_path / "town", "minami", NAMES)


def test_a_second_run_changes_no_file(town: Town) -> None:
    authority.ensure_terminal(town, "ent-1")
    authority.ensure_card(town, "sato")
    before = contents(town)
    authority.ensure_town(town.folder, "minami", NAMES)
    authority.ensure_terminal(town, "ent-1")
    authority.ensure_card(town, "sato")
    assert contents(town) == before


def test_a_run_that_was_cut_short_is_completed(town: Town) -> None:
    (town.broker / "server.crt").unlink()
    (town.client("ledger") / "ledger.pub").unlink()
    key = (town.broker / "server.key").read_bytes()
    authority.ensure_town(town.folder, "minami", NAMES)
    assert (town.broker / "server.crt").exists()
    assert (town.client("ledger") / "ledger.pub").exists()
    assert (town.broker / "server.key").read_bytes() == key


def test_private_keys_are_their_owners_alone(town: Town) -> None:
    authority.ensure_terminal(town, "ent-1")
    authority.ensure_card(town, "sato")
    keys = list(town.folder.rglob("*.key"))
    assert len(keys) > 15
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


def test_nothing_is_left_half_written(town: Town) -> None:
    assert list(town.folder.rglob(".*")) == []


def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    authority_files.write_once(path, b"first")
    with pytest.raises(TownError, match="never overwritten"):
        authority_files.write_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_the_town_of_another_site_is_not_taken_over(town: Town) -> None:
    with pytest.raises(TownError, match="site 'minami', not 'kita'"):
        authority.ensure_town(town.folder, "kita")


BAD_NAMES = ["", "役場", "broker minami", "-a.example", "a..b", 'a"b', "a\nb", "x" * 65, "a_b"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_brokers_name_that_no_certificate_can_carry_spoils_nothing(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(TownError, match="broker"):
        authority.ensure_town(tmp_path / "town", "minami", (name,))
    assert list(tmp_path.iterdir()) == []
    authority.ensure_town(tmp_path / "town", "minami", NAMES)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_spoils_nothing(tmp_path: Path, port: int) -> None:
    with pytest.raises(TownError, match="1 to 65535"):
        authority.ensure_town(tmp_path / "town", "minami", NAMES, port)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_bad_name_in_the_settings_is_told_with_the_file(town: Town, name: str) -> None:
    path = town.folder / "town.toml"
    path.write_text(f'site = "minami"\nbroker_names = [{json.dumps(name)}]\n')
    with pytest.raises(TownError, match=r"town\.toml: broker_names"):
        open_town(town.folder)


@pytest.mark.parametrize(("names", "port"), [(("other.example",), None), (None, 1883)])
def test_a_second_run_with_other_values_says_where_they_are_changed(
    town: Town, names: tuple[str, ...] | None, port: int | None
) -> None:
    before = contents(town)
    with pytest.raises(TownError, match=r"town\.toml: .* stays as it is"):
        authority.ensure_town(town.folder, "minami", names, port)
    assert contents(town) == before


def test_a_second_run_need_not_repeat_the_values(town: Town) -> None:
    assert authority.ensure_town(town.folder, "minami").broker_names == NAMES


def test_the_town_is_its_keepers_alone(tmp_path: Path) -> None:
    folder = tmp_path / "town"
    folder.mkdir(mode=0o755)
    town = authority.ensure_town(folder, "minami")
    authority.ensure_terminal(town, "ent-1")
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    assert len(folders) > 8
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}


def test_a_certificate_beside_a_foreign_key_is_told(town: Town) -> None:
    authority.ensure_card(town, "sato")
    authority.ensure_card(town, "suzuki")
    (town.cards / "sato.crt").write_bytes((town.cards / "suzuki.crt").read_bytes())
    with pytest.raises(TownError, match="not the certificate of the key beside it"):
        authority.ensure_card(town, "sato")


def test_the_brokers_certificate_names_loopback_and_the_given_names(town: Town) -> None:
    certificate = authority_files.read_certificate(town.broker / "server.crt")
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker.minami.example", "localhost"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert addresses == ["10.0.0.7", "127.0.0.1"]
    strictly(town).build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])


@pytest.mark.parametrize("name", ["ledger", "publisher", "operations"])
def test_a_clients_certificate_carries_its_name(town: Town, name: str) -> None:
    certificate = authority_files.read_certificate(town.client(name) / "client.crt")
    assert common_name(certificate) == name
    issuer = authority_files.read_certificate(town.authority / "device-ca.crt")
    certificate.verify_directly_issued_by(issuer)
    with pytest.raises(VerificationError):
        strictly(town).build_server_verifier(x509.DNSName("localhost")).verify(certificate, [])


def test_a_terminals_identity_is_what_a_terminal_reads(town: Town) -> None:
    identity = authority.ensure_terminal(town, "ent-1")
    read = load(identity, "ent-1")
    assert read.terminal == "ent-1"
    pin = read_pin(read.root_hash_path)
    assert pin.fits((town.repository / "metadata/1.root.json").read_bytes())
    public = authority_files.public_pem(read.seal_key.public_key())
    assert (town.terminal("ent-1") / "seal.pub").read_bytes() == public
    assert town.terminal_ids() == ["ent-1"]


def test_certificates_begin_a_day_ago_for_terminals_without_a_clock(town: Town) -> None:
    identity = authority.ensure_terminal(town, "ent-1")
    certificate = authority_files.read_certificate(identity / "device.crt")
    age = datetime.now(UTC) - certificate.not_valid_before_utc
    assert 23 * 3600 < age.total_seconds() < 25 * 3600


@pytest.mark.parametrize("name", ["", "Ent 1", "a/b", "..", "x" * 33, "ledger", "publisher"])
def test_a_terminals_name_must_fit_into_topics_and_be_nobody_elses(town: Town, name: str) -> None:
    with pytest.raises(TownError, match="terminal"):
        authority.ensure_terminal(town, name)


def test_a_card_names_nobody(town: Town) -> None:
    card = authority.ensure_card(town, "sato")
    assert len(card.id) == 32
    assert int(card.id, 16) > 0
    text = card.certificate.public_bytes(Encoding.DER)
    assert b"sato" not in text
    assert [one.oid.dotted_string for one in card.certificate.extensions if one.critical] == [
        "2.5.29.19",
        "2.5.29.15",
        "2.5.29.37",
    ]


def test_cards_come_with_rsa_keys_too(town: Town) -> None:
    card = authority.ensure_card(town, "sato", "rsa2048")
    assert isinstance(card.key, rsa.RSAPrivateKey)
    assert card.key.key_size == 2048
    assert authority.load_card(town, "sato").certificate == card.certificate


def test_the_trays_bad_cards_are_bad_in_one_way_each(town: Town) -> None:
    now = datetime.now(UTC)
    good = authority.ensure_card(town, "sato")
    expired = authority.ensure_expired_card(town, "expired")
    future = authority.ensure_future_card(town, "future")
    copied = authority.ensure_copied_card(town, "copied", "sato")
    foreign = authority.ensure_foreign_card(town, "foreign")
    ours = authority.ensure_card_ca(town, "p256").certificate
    assert expired.certificate.not_valid_after_utc < now
    assert future.certificate.not_valid_before_utc > now
    assert copied.certificate == good.certificate
    assert copied.key.public_key() != good.key.public_key()
    for card in (good, expired, future, copied):
        card.certificate.verify_directly_issued_by(ours)
    assert foreign.certificate.issuer == ours.subject
    with pytest.raises(InvalidSignature):
        foreign.certificate.verify_directly_issued_by(ours)


def test_an_unknown_algorithm_is_told_with_the_known_ones(town: Town) -> None:
    with pytest.raises(TownError, match="accepted are p256, rsa2048"):
        authority.ensure_card(town, "sato", "dsa")


def test_keys_may_be_kept_under_a_passphrase(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(path: Path) -> bytes:
        asked.append(path.name)
        return b"open sesame"

    town = authority.ensure_town(tmp_path / "town", "minami", ask=ask)
    assert b"ENCRYPTED" in (town.roles / "root-1.key").read_bytes()
    assert "root-1.key" in asked
    with pytest.raises(TownError, match=r"root-1\.key: no readable private key"):
        authority_files.read_signing_key(town.roles / "root-1.key")
    authority_files.read_signing_key(town.roles / "root-1.key", ask)


def test_a_key_of_another_kind_is_told(town: Town) -> None:
    with pytest.raises(TownError, match="an RSA key is expected"):
        authority_files.read_rsa_key(town.broker / "server.key")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "site is missing"),
        ('site = "Kita"', "1 to 32 of a-z"),
        ('site = "kita"\nport = 1', "unknown key 'port'"),
        ('site = "kita"\nbroker_port = "1"', "1 to 65535"),
        ('site = "kita"\nbroker_names = []', "list of names"),
        ("site =", "town.toml"),
    ],
)
def test_a_bad_town_file_is_refused_with_place_and_remedy(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "town.toml").write_text(text)
    with pytest.raises(TownError, match=told):
        open_town(tmp_path)


def test_a_folder_that_is_no_town_is_told(tmp_path: Path) -> None:
    with pytest.raises(TownError, match=r"\./kazasu town init"):
        open_town(tmp_path)


def contents(town: Town) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in town.folder.rglob("*") if path.is_file()}


def strictly(town: Town) -> PolicyBuilder:
    ca = authority_files.read_certificate(town.authority / "device-ca.crt")
    return PolicyBuilder().store(Store([ca]))
