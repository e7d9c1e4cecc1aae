"""A card office for these tests: one authority, and cards issued by it."""

import datetime as dt
import functools
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from drivers.virtual_cards.card_key import CardKey, PrivateKey
from drivers.virtual_cards.piv import PivCard

SELECT = bytes.fromhex("00A4040009A0000003080000100000")
READ_CERTIFICATE = bytes.fromhex("00CB3FFF055C035FC10100")
OK = b"\x90\x00"

SAMPLE = """\
kind = "{kind}"
order = {order}
persona = "{name}"
label.ja = "{name}さんのカード"
label.en = "{name}'s card"
"""
KEY_FILES = 'certificate = "{name}.crt"\nkey = "{name}.key"\n'


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def p384() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


@functools.cache
def rsa2048() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@functools.cache
def authority() -> ec.EllipticCurvePrivateKey:
    return p256()


def issue(key: PrivateKey | None = None, common_name: str | None = None) -> CardKey:
    """A key with a certificate by the office, for a random card number if none is given."""
    private = key or p256()
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name or secrets.token_hex(16)))
        .issuer_name(_name("test card office"))
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .sign(authority(), hashes.SHA256())
    )
    return CardKey(certificate, private)


def good_card(key: PrivateKey | None = None) -> PivCard:
    return PivCard(issue(key))


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def challenge_p256(challenge: bytes, key: int = 0x9E) -> bytes:
    """GENERAL AUTHENTICATE by hand: template of an empty answer and a 32-byte challenge."""
    assert len(challenge) == 32
    return bytes([0, 0x87, 0x11, key, 0x26]) + b"\x7c\x24\x82\x00\x81\x20" + challenge + b"\x00"


def collect(card: PivCard, first: bytes) -> bytes:
    """Send a command and GET RESPONSE until the whole answer is there."""
    whole = b""
    answer = card.exchange(first)
    while answer[-2] == 0x61:
        whole += answer[:-2]
        answer = card.exchange(bytes.fromhex("00C00000") + answer[-1:])
    assert answer[-2:] == OK, answer[-2:].hex()
    return whole + answer[:-2]


def write_sample(
    folder: Path, name: str, kind: str, *, order: int = 1, more: str | None = None
) -> Path:
    """Write one sample card as the authority does; `more` replaces its certificate and key."""
    path = folder / f"{name}.toml"
    text = SAMPLE.format(kind=kind, order=order, name=name)
    path.write_text(
        text + (KEY_FILES.format(name=name) if more is None else more), encoding="utf-8"
    )
    card_key = issue()
    key = p256() if kind == "copied" else card_key.private
    (folder / f"{name}.crt").write_bytes(card_key.certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path
