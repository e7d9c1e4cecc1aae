"""Which card certificates count: the rules that terminal and town hall share.

A card shows its certificate to anybody, so whatever stands in it is an outsider's claim until
the chain is checked. The order of the checks is fixed and is the order of the reasons given:
parse, chain to a pinned card CA (a signature too weak to mean anything is not looked at),
validity, fitness for card authentication, revocation. The caller checks the signature over its
own challenge last.

Rules: an issuer is found by key identifier and proven by signature; a name alone never decides
(three generations of one national CA share a name). Algorithms are an allow-list. The chain has
one step: the town pins the CA that signs cards. A verdict is a value; certificate bytes never
raise. Times are aware UTC. Standards: RFC 5280; NIST SP 800-73-4 and 800-78-4 for card keys.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID

from terminal.core.credential import Unreadable

LONGEST_CERTIFICATE = 4096
"""Bytes of DER; a PIV certificate has at most about 2,160."""

CARD_AUTHENTICATION = x509.ObjectIdentifier("2.16.840.1.101.3.6.8")
"""id-PIV-cardAuth: the extended key usage of a card's key 9E (FIPS 201-3, RFC 5280 4.2.1.12)."""

CARD_ID = re.compile(r"[0-9a-f]{32}")
"""A card's id: 16 random bytes, drawn anew for each card issued; neither a number nor a name."""

_STRONG_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_LEAST_EXPONENT = 65537
_LONGEST_EXPONENT_BITS = 32
_RSA_BITS = 2048
_CA_RSA_BITS = range(2048, 4097)
_PROCESSED_EXTENSIONS = frozenset(
    {
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.BASIC_CONSTRAINTS,
    }
)
# What cryptography raises over bytes that are no certificate, or not one it can read.
_UNPARSABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    CryptographyDeprecationWarning,  # sloppy encodings, where warnings are errors
)

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


class KeyAlgorithm(StrEnum):
    """The keys a card may sign with."""

    P256 = "p256"
    P384 = "p384"
    RSA2048 = "rsa2048"


PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Revocation:
    """The town's own revocation list: number, time of issue, and (card profile, serial) pairs."""

    number: int
    issued: datetime
    serials: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Trust:
    """What a publication names as trusted.

    ``card_cas`` pairs a card profile's name with a CA that signs its cards; several CAs of one
    profile overlap while one replaces the other. ``ledger_keys`` sign receipts.
    """

    card_cas: tuple[tuple[str, x509.Certificate], ...]
    revocation: Revocation
    ledger_keys: tuple[ec.EllipticCurvePublicKey, ...]


@dataclass(frozen=True, slots=True)
class Instant:
    """The time to hold certificates against.

    ``known`` says whether the clock may be believed. ``floor`` is a time that has certainly
    passed. While the clock is unknown a not-before is not enforced (a card issued since the last
    synchronisation must work) and a not-after is held against the floor.
    """

    at: datetime
    known: bool
    floor: datetime


@dataclass(frozen=True, slots=True)
class CardCertificate:
    """A card certificate that passed every check; only the signature is still to be proven.

    ``id`` is 32 hex digits, ``issuer`` the first 16 hex digits of the SHA-256 of the CA's
    SubjectPublicKeyInfo, ``revocation_age_s`` None while the clock is unknown.
    """

    id: str
    issuer: str
    algorithm: KeyAlgorithm
    key: PublicKey
    not_before: datetime
    not_after: datetime
    revocation_number: int
    revocation_age_s: int | None


def verify_card_certificate(
    der: bytes, profile: str, trust: Trust, instant: Instant
) -> CardCertificate | Unreadable:
    """Check a card's certificate for the card profile named ``profile``.

    Returns the verified value, or the first reason against it: GARBLED, FOREIGN_ISSUER,
    CERTIFICATE_EXPIRED, CERTIFICATE_NOT_YET_VALID, CERTIFICATE_UNFIT, CERTIFICATE_REVOKED.
    """
    parsed = _parse(der)
    if parsed is None:
        return Unreadable.GARBLED
    leaf, extensions = parsed
    named = [ca for name, ca in trust.card_cas if name == profile and _names(extensions, ca)]
    if named and not _strongly_signed(leaf):
        return Unreadable.CERTIFICATE_UNFIT
    ca = next((each for each in named if _signed_by(leaf, each)), None)
    if ca is None:
        return Unreadable.FOREIGN_ISSUER
    for each in (leaf, ca):
        outside = _outside_validity(each, instant)
        if outside is not None:
            return outside
    card_key = card_key_of(leaf)
    card_id = _card_id(leaf)
    fit = not why_unfit_as_card_ca(ca) and _fit_for_card(extensions)
    if card_key is None or card_id is None or not fit:
        return Unreadable.CERTIFICATE_UNFIT
    if (profile, leaf.serial_number) in trust.revocation.serials:
        return Unreadable.CERTIFICATE_REVOKED
    return CardCertificate(
        id=card_id,
        issuer=_issuer_of(ca),
        algorithm=card_key[0],
        key=card_key[1],
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        revocation_number=trust.revocation.number,
        revocation_age_s=_age_s(trust.revocation, instant),
    )


def why_unfit_as_card_ca(ca: x509.Certificate) -> str:
    """Say what keeps ``ca`` from being pinned as a card CA, with the remedy; empty if nothing."""
    try:
        extensions = ca.extensions
        key = ca.public_key()
        basic = _extension(extensions, x509.BasicConstraints)
        usage = _extension(extensions, x509.KeyUsage)
    except _UNPARSABLE:
        return "cannot be read whole: make it anew"
    if basic is None or not basic.ca:
        return "is not marked as a CA: name the certificate that signs the cards"
    if usage is None or not usage.key_cert_sign:
        return "may not sign certificates: its key usage lacks keyCertSign"
    if isinstance(key, ec.EllipticCurvePublicKey):
        strong = isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
    elif isinstance(key, rsa.RSAPublicKey):
        strong = key.key_size in _CA_RSA_BITS and _sound_exponent(key)
    else:
        strong = False
    return "" if strong else "has a key that is none of P-256, P-384, RSA 2048 to 4096"


def card_key_of(certificate: x509.Certificate) -> tuple[KeyAlgorithm, PublicKey] | None:
    """Give a card's key and its algorithm (NIST SP 800-78-4, table 3-1); None if not allowed."""
    try:
        key = certificate.public_key()
    except _UNPARSABLE:
        return None
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return KeyAlgorithm.P256, key
        if isinstance(key.curve, ec.SECP384R1):
            return KeyAlgorithm.P384, key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size == _RSA_BITS and _sound_exponent(key):
        return KeyAlgorithm.RSA2048, key
    return None


def _parse(der: bytes) -> tuple[x509.Certificate, x509.Extensions] | None:
    """Read one certificate and all its extensions; None unless it is exactly that."""
    if len(der) > LONGEST_CERTIFICATE:
        return None
    try:
        certificate = x509.load_der_x509_certificate(der)
        extensions = certificate.extensions
        if certificate.version is not x509.Version.v3 or certificate.serial_number <= 0:
            return None
    except _UNPARSABLE:
        return None
    return certificate, extensions


def _names(extensions: x509.Extensions, ca: x509.Certificate) -> bool:
    """Tell whether a certificate's extensions name ``ca``'s key as the one that signed it."""
    named = _extension(extensions, x509.AuthorityKeyIdentifier)
    try:
        own = _extension(ca.extensions, x509.SubjectKeyIdentifier)
    except _UNPARSABLE:
        return False
    return named is not None and own is not None and named.key_identifier == own.digest


def _strongly_signed(leaf: x509.Certificate) -> bool:
    try:
        return isinstance(leaf.signature_hash_algorithm, _STRONG_HASHES)
    except _UNPARSABLE:
        return False


def _signed_by(leaf: x509.Certificate, ca: x509.Certificate) -> bool:
    """Tell whether ``ca``'s key signed ``leaf``, and ``ca``'s name stands in it as the issuer."""
    try:
        leaf.verify_directly_issued_by(ca)
    except (*_UNPARSABLE, InvalidSignature):
        return False
    return True


def _issuer_of(ca: x509.Certificate) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(ca.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()[:16]


def _outside_validity(certificate: x509.Certificate, instant: Instant) -> Unreadable | None:
    """Hold both ends of the validity, which belong to it (RFC 5280 4.1.2.5), against the time."""
    when = max(instant.at, instant.floor) if instant.known else instant.floor
    if when > certificate.not_valid_after_utc:
        return Unreadable.CERTIFICATE_EXPIRED
    if instant.known and when < certificate.not_valid_before_utc:
        return Unreadable.CERTIFICATE_NOT_YET_VALID
    return None


def _fit_for_card(extensions: x509.Extensions) -> bool:
    """Tell whether a certificate was made for a card's key 9E."""
    basic = _extension(extensions, x509.BasicConstraints)
    usage = _extension(extensions, x509.KeyUsage)
    extended = _extension(extensions, x509.ExtendedKeyUsage)
    if basic is not None and basic.ca:
        return False
    if usage is None or not usage.digital_signature or usage.key_cert_sign:
        return False
    if extended is None or CARD_AUTHENTICATION not in extended:
        return False
    # A critical extension that nobody here understands forbids use (RFC 5280 4.2).
    return all(each.oid in _PROCESSED_EXTENSIONS for each in extensions if each.critical)


def _card_id(leaf: x509.Certificate) -> str | None:
    """Take the card id from the subject, which holds exactly one common name."""
    try:
        names = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except _UNPARSABLE:
        return None
    if len(names) != 1 or not isinstance(names[0].value, str):
        return None
    return names[0].value if CARD_ID.fullmatch(names[0].value) else None


def _sound_exponent(key: rsa.RSAPublicKey) -> bool:
    """Tell whether the public exponent is odd and from 65537 to 32 bits (FIPS 186-5, 5.1)."""
    exponent = key.public_numbers().e
    return (
        exponent % 2 == 1
        and exponent >= _LEAST_EXPONENT
        and exponent.bit_length() <= _LONGEST_EXPONENT_BITS
    )


def _age_s(revocation: Revocation, instant: Instant) -> int | None:
    if not instant.known:
        return None
    return max(0, int((max(instant.at, instant.floor) - revocation.issued).total_seconds()))


def _extension(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
