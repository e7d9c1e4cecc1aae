"""The demo's tray: sample cards from a folder that the town's authority has written.

For each card a file `NAME.toml` beside its certificate and key (PEM, the key unencrypted):

    kind = "good"                 # see Kind
    order = 1                     # place in the tray, 1 to 9 are also keys on the demo page
    certificate = "suzuki.crt"    # in this folder
    key = "suzuki.key"            # in this folder
    persona = "suzuki"            # whose card it is, a holder of the demo's roster; or ""
    label.ja = "鈴木さんのカード"
    label.en = "Suzuki's card"

`felica` takes `number` (16 hex digits) instead of certificate and key; `unknown` takes neither
or both; `mute` may say at which command it falls silent (`mute_at`, 2 unless told, 0 from
power-on).

Rules: every error names the file and the remedy. A copied card must not hold the certificate's
key, every other must: a tray made wrongly would show the town the wrong result. Whether a card
has expired or is stopped is the town's knowledge; the card itself does not change for it.
"""

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from drivers.virtual_cards import others
from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.card_key import CardKey, PrivateKey
from drivers.virtual_cards.faults import MuteCard
from drivers.virtual_cards.piv import PivCard

LANGUAGES = frozenset({"ja", "en"})
MUTE_AT = 2

_T = TypeVar("_T")


class Kind(StrEnum):
    """What a sample card shows."""

    GOOD = "good"
    EXPIRED = "expired"
    STOPPED = "stopped"
    COPIED = "copied"
    UNKNOWN = "unknown"
    FELICA = "felica"
    MUTE = "mute"


class TrayError(Exception):
    """A tray that cannot be read; the text names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class SampleCard:
    """One card in the tray; `label` has the keys ja and en, `persona` may be empty."""

    name: str
    kind: Kind
    order: int
    persona: str
    label: dict[str, str]
    card: VirtualCard


def read_tray(folder: Path) -> list[SampleCard]:
    """Read all sample cards of a folder, in their order.

    Raises:
        TrayError: a file is missing or wrong, or the folder holds no card.
    """
    samples = [_read_sample(path) for path in sorted(folder.glob("*.toml"))]
    if not samples:
        raise TrayError(f"{folder}: no sample card (NAME.toml) here; have the authority write them")
    return sorted(samples, key=lambda sample: (sample.order, sample.name))


def _read_sample(path: Path) -> SampleCard:
    """Read one sample card's file and what it names."""
    try:
        told: dict[str, object] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrayError(f"{path}: cannot be read as TOML: {error}") from error
    kind = _kind(path, told.pop("kind", None))
    order = _take(path, told, "order", int)
    persona = _take(path, told, "persona", str)
    label = _take(path, told, "label", dict)
    if set(label) != LANGUAGES or not all(isinstance(text, str) for text in label.values()):
        raise TrayError(f"{path}: label needs the texts label.ja and label.en, and no others")
    card = _card(path, kind, told)
    if told:
        raise TrayError(f"{path}: a {kind} card has no {', '.join(sorted(told))}; remove it")
    return SampleCard(path.stem, kind, order, persona, label, card)


def _kind(path: Path, told: object) -> Kind:
    if told not in set(Kind):
        raise TrayError(f"{path}: kind is {told!r}; it can be {', '.join(Kind)}")
    return Kind(str(told))


def _card(path: Path, kind: Kind, told: dict[str, object]) -> VirtualCard:
    """Make the card of a kind, taking from `told` what that kind needs."""
    if kind is Kind.FELICA:
        return _felica(path, _take(path, told, "number", str))
    if kind is Kind.UNKNOWN and not {"certificate", "key"} & set(told):
        return others.individual_number_card()
    card = PivCard(_card_key(path, kind, told))
    if kind is Kind.MUTE:
        at = _take(path, told, "mute_at", int) if "mute_at" in told else MUTE_AT
        return MuteCard(card, at)
    return card


def _felica(path: Path, number: str) -> VirtualCard:
    try:
        return others.felica(bytes.fromhex(number))
    except ValueError as error:
        raise TrayError(f"{path}: number must be 16 hex digits: {error}") from error


def _card_key(path: Path, kind: Kind, told: dict[str, object]) -> CardKey:
    """Load certificate and key, and see that they fit, or for a copy do not."""
    certificate_path = path.parent / _take(path, told, "certificate", str)
    key_path = path.parent / _take(path, told, "key", str)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        key = _private_key(key_path)
        card_key = CardKey(certificate, key)
    except (OSError, ValueError) as error:
        raise TrayError(f"{path}: certificate or key cannot be used: {error}") from error
    own = certificate.public_key() == key.public_key()
    if own == (kind is Kind.COPIED):
        verb = "holds" if own else "does not hold"
        raise TrayError(f"{path}: a {kind} card {verb} its certificate's key; write the tray anew")
    return card_key


def _private_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except TypeError as error:  # how the library tells that a password is wanted
        raise ValueError(f"{path} is encrypted") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise ValueError(f"{path} is neither an EC nor an RSA key")  # noqa: TRY004  (a bad file)
    return key


def _take(path: Path, told: dict[str, object], name: str, kind: type[_T]) -> _T:
    """Take a value of the asked kind out of the file's table."""
    if name not in told:
        raise TrayError(f"{path}: {name} is missing")
    value = told.pop(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TrayError(f"{path}: {name} must be of type {kind.__name__}, not {value!r}")
    return value
