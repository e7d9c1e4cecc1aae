"""A zoo of card certificates: good ones, and each kind of bad one.

`issue` makes a good certificate with chosen deviations. What the library refuses to make (weak
keys, old hashes) is put together from pieces and signed by hand.
"""

import functools
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from terminal.wire.x509 import Instant, Revocation, Trust

PROFILE = "piv-town"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CARD_AUTHENTICATION = x509.ObjectIdentifier("2.16.840.1.101.3.6.8")
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)

CaKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extensions = list[tuple[x509.ExtensionType, bool]]


@dataclass(frozen=True)
class Ca:
    certificate: x509.Certificate
    key: CaKey


def now_known() -> Instant:
    return Instant(NOW, known=True, floor=NOW - DAY)


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def rsa_key(bits: int = 2048, exponent: int = 65537) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=exponent, key_size=bits)


def usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{each: each in names for each in USAGES})


def name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def make_ca(
    common: str = "card CA",
    key: CaKey | None = None,
    *,
    not_before: datetime = NOW - 30 * DAY,
    not_after: datetime = NOW + 3650 * DAY,
    extensions: Extensions | None = None,
) -> Ca:
    private = key or p256()
    builder = _builder(name(common), name(common), private.public_key(), not_before, not_after)
    standard: Extensions = [
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage("key_cert_sign", "crl_sign"), True),
        (x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False),
    ]
    for extension, critical in standard if extensions is None else extensions:
        builder = builder.add_extension(extension, critical)
    return Ca(builder.sign(private, hashes.SHA256()), private)


@functools.cache
def town_ca() -> Ca:
    return make_ca()


def trust(*cas: Ca, revoked: tuple[int, ...] = ()) -> Trust:
    pinned = tuple((PROFILE, ca.certificate) for ca in cas or (town_ca(),))
    serials = frozenset((PROFILE, serial) for serial in revoked)
    return Trust(pinned, Revocation(7, NOW - DAY, serials), ())


def card_extensions(
    ca: Ca,
    *,
    basic: x509.BasicConstraints | None = None,
    key_usage: x509.KeyUsage | None = None,
    extended: x509.ExtendedKeyUsage | None = None,
) -> Extensions:
    public = ca.key.public_key()
    return [
        (basic or x509.BasicConstraints(ca=False, path_length=None), True),
        (key_usage or usage("digital_signature"), True),
        (extended or x509.ExtendedKeyUsage([CARD_AUTHENTICATION]), True),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    ]


def issue(  # noqa: PLR0913  (each keyword is one deviation)
    key: CertificatePublicKeyTypes | None = None,
    ca: Ca | None = None,
    *,
    common: str | None = None,
    subject: x509.Name | None = None,
    issuer: x509.Name | None = None,
    not_before: datetime = NOW - DAY,
    not_after: datetime = NOW + 365 * DAY,
    extensions: Extensions | None = None,
    more: Extensions | None = None,
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
) -> x509.Certificate:
    """Issue a card certificate, good but for what is said otherwise."""
    by = ca or town_ca()
    builder = _builder(
        name(common or secrets.token_hex(16)) if subject is None else subject,
        issuer or by.certificate.subject,
        key or p256().public_key(),
        not_before,
        not_after,
    )
    for extension, critical in (extensions or card_extensions(by)) + (more or []):
        builder = builder.add_extension(extension, critical)
    return builder.sign(by.key, algorithm or hashes.SHA256())


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


# What the library will not make, from pieces of DER.

ECDSA_SHA256 = bytes.fromhex("300A06082A8648CE3D040302")
ECDSA_SHA1 = bytes.fromhex("300906072A8648CE3D0401")
RSA_ENCRYPTION = bytes.fromhex("300D06092A864886F70D0101010500")
PRIME192 = bytes.fromhex("301306072A8648CE3D020106082A8648CE3D030101")
SPKI_PLACE = 6


def with_public_key_info(info: bytes, ca: Ca | None = None) -> bytes:
    """A good card certificate by `ca` around any SubjectPublicKeyInfo."""
    return _signed_by_hand(ca or town_ca(), ECDSA_SHA256, hashes.SHA256(), info)


def signed_with_sha1() -> bytes:
    return _signed_by_hand(town_ca(), ECDSA_SHA1, hashes.SHA1(), None)  # noqa: S303  (to be refused)


def rsa_info(modulus: int, exponent: int) -> bytes:
    numbers = element(0x30, _integer(modulus) + _integer(exponent))
    return element(0x30, RSA_ENCRYPTION + element(0x03, b"\x00" + numbers))


def prime192_info() -> bytes:
    # The curve's base point (SP 800-186, 3.2.1.1 of its first draft; FIPS 186-4, D.1.2.1).
    x = "188DA80EB03090F67CBF20EB43A18800F4FF0AFD82FF1012"
    y = "07192B95FFC8DA78631011ED6B24CDD573F977A11E794811"
    return element(0x30, PRIME192 + element(0x03, b"\x00\x04" + bytes.fromhex(x + y)))


def element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def _signed_by_hand(
    ca: Ca, algorithm: bytes, digest: hashes.HashAlgorithm, info: bytes | None
) -> bytes:
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    parts = _elements(_elements(issue(ca=ca).tbs_certificate_bytes)[0][1])
    pieces = [whole for whole, _ in parts]
    pieces[2] = algorithm
    if info is not None:
        pieces[SPKI_PLACE] = info
    tbs = element(0x30, b"".join(pieces))
    signature = ca.key.sign(tbs, ec.ECDSA(digest))
    return element(0x30, tbs + algorithm + element(0x03, b"\x00" + signature))


def _elements(data: bytes) -> list[tuple[bytes, bytes]]:
    """Split a row of DER elements into (whole, content)."""
    found = []
    while data:
        size, start = data[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(data[2:start], "big")
        found.append((data[: start + size], data[start : start + size]))
        data = data[start + size :]
    return found


def _integer(value: int) -> bytes:
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))
