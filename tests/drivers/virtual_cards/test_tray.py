"""Trays on disk: what is read, and what is refused with which words."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from drivers.virtual_cards.card import MuteError
from drivers.virtual_cards.faults import MuteCard
from drivers.virtual_cards.piv import PivCard
from drivers.virtual_cards.tray import Kind, TrayError, read_tray
from tests.drivers.virtual_cards.card_office import KEY_FILES, SELECT, p256, write_sample


def test_a_whole_tray_is_read_in_its_order(tmp_path: Path) -> None:
    for order, kind in enumerate(["good", "expired", "stopped", "copied", "mute"]):
        write_sample(tmp_path, f"card{order}", kind, order=9 - order)
    write_sample(tmp_path, "felica", "felica", order=10, more='number = "0123456789ABCDEF"\n')
    write_sample(tmp_path, "stranger", "unknown", order=11, more="")
    write_sample(tmp_path, "unregistered", "unknown", order=12)
    tray = read_tray(tmp_path)
    kinds = [sample.kind.value for sample in tray]
    assert kinds == ["mute", "copied", "stopped", "expired", "good", "felica", "unknown", "unknown"]
    assert [type(sample.card) for sample in tray[:5]] == [MuteCard, *[PivCard] * 4]
    assert tray[4].label == {"ja": "card0さんのカード", "en": "card0's card"}
    assert tray[4].persona == "card0"
    assert [tray[6].card.exchange(SELECT)[-2:].hex(), tray[7].card.exchange(SELECT)[-2:].hex()] == [
        "6a82",
        "9000",
    ]


@pytest.mark.parametrize(("more", "answers"), [("", 1), ("mute_at = 1\n", 0), ("mute_at = 3\n", 2)])
def test_a_mute_card_falls_silent_where_its_file_says(
    tmp_path: Path, more: str, answers: int
) -> None:
    write_sample(tmp_path, "mute", "mute", more=KEY_FILES.format(name="mute") + more)
    card = read_tray(tmp_path)[0].card
    for _ in range(answers):
        card.exchange(SELECT)
    with pytest.raises(MuteError):
        card.exchange(SELECT)


def test_every_kind_has_a_name_in_the_tray() -> None:
    assert set(Kind) == {"good", "expired", "stopped", "copied", "unknown", "felica", "mute"}


@pytest.mark.parametrize(
    ("change", "into", "told"),
    [
        ('kind = "good"', 'kind = "best"', "kind is 'best'; it can be good, expired"),
        ('kind = "good"', "", "kind is None"),
        ('kind = "good"', 'kind = "copied"', "a copied card holds its certificate's key"),
        ('kind = "good"', 'kind = "felica"', "number is missing"),
        ("order = 1", "", "order is missing"),
        ("order = 1", 'order = "1"', "order must be of type int, not '1'"),
        ("order = 1", "order = true", "order must be of type int"),
        ("label.en", "label.fr", "label.ja and label.en"),
        ('label.en = "suzuki', 'label.en = 1 # "', "label.ja and label.en"),
        ('"suzuki.key"', '"other.key"', "cannot be used.*other.key"),
        ('"suzuki.crt"', '"suzuki.key"', "certificate or key cannot be used"),
        ("order = 1", "order = 1\ncolour = 2", "a good card has no colour; remove it"),
        ("order = 1", "order = ", "cannot be read as TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_remedy(
    tmp_path: Path, change: str, into: str, told: str
) -> None:
    path = write_sample(tmp_path, "suzuki", "good")
    text = path.read_text(encoding="utf-8")
    assert change in text
    path.write_text(text.replace(change, into), encoding="utf-8")
    with pytest.raises(TrayError, match=rf"suzuki\.toml: .*{told}"):
        read_tray(tmp_path)


def test_a_good_card_with_another_cards_key_is_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, "suzuki", "good")
    write_sample(tmp_path, "tanaka", "good")
    (tmp_path / "suzuki.key").write_bytes((tmp_path / "tanaka.key").read_bytes())
    with pytest.raises(TrayError, match="a good card does not hold its certificate's key"):
        read_tray(tmp_path)


def test_an_encrypted_or_unfit_key_is_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, "suzuki", "good")
    hidden = p256().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    (tmp_path / "suzuki.key").write_bytes(hidden)
    with pytest.raises(TrayError, match="is encrypted"):
        read_tray(tmp_path)
    unfit = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "suzuki.key").write_bytes(
        unfit.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    with pytest.raises(TrayError, match="neither an EC nor an RSA key"):
        read_tray(tmp_path)


@pytest.mark.parametrize("number", ["0123", "0123456789ABCDEX"])
def test_a_felica_number_that_is_none_is_refused(tmp_path: Path, number: str) -> None:
    write_sample(tmp_path, "felica", "felica", more=f'number = "{number}"\n')
    with pytest.raises(TrayError, match="16 hex digits"):
        read_tray(tmp_path)


def test_an_empty_folder_is_no_tray(tmp_path: Path) -> None:
    with pytest.raises(TrayError, match="no sample card"):
        read_tray(tmp_path)
