"""The certificates a town issues, as values: no files here.

Profiles after RFC 5280: CAs carry critical basicConstraints and keyUsage, everything else names
its issuer's key; so Python 3.13's strict verification accepts them too. Everything is back-dated
by a day, because a terminal without a battery clock starts with an old idea of the time.

A staff card's certificate (key 9E) is free to read for anybody who comes near the card. It
therefore names nobody: its subject is a random number and nothing else. Its extended key usage is
id-PIV-cardAuth, critical (FIPS 201-3, 4.2.2.2; NIST SP 800-73-4 part 1, 3.2.1).
"""

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PIV_CARD_AUTHENTICATION = x509.ObjectIdentifier("2.16.840.1.101.3.6.8")
BACK_DATED = timedelta(days=1)
YEAR = timedelta(days=365)

CertificateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
CertificatePublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Span:
    """When a certificate is valid: from ``not_before`` to ``not_after``, aware UTC, inclusive."""

    not_before: datetime
    not_after: datetime


def span(length: timedelta, now: datetime | None = None) -> Span:
    """From a day ago for ``length`` from now on, to the whole second."""
    now = (now or datetime.now(UTC)).replace(microsecond=0)
    return Span(now - BACK_DATED, now + length)


@dataclass(frozen=True, slots=True)
class Issuer:
    """A CA that can sign: its certificate and its private key."""

    certificate: x509.Certificate
    key: CertificateKey


def make_ca(name: str, key: CertificateKey, valid: Span) -> x509.Certificate:
    """A self-signed CA that may issue end certificates only."""
    builder = (
        _builder(name, name, key.public_key(), valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    return builder.sign(key, hashes.SHA256())


def issue_server(
    issuer: Issuer, key: CertificatePublicKey, names: tuple[str, ...], valid: Span
) -> x509.Certificate:
    """A TLS server's certificate for DNS names and addresses; the first is its common name."""
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    return _issue(issuer, names[0], key, valid, [ExtendedKeyUsageOID.SERVER_AUTH], alternatives)


def issue_client(
    issuer: Issuer, key: CertificatePublicKey, name: str, valid: Span
) -> x509.Certificate:
    """A TLS client's certificate; the broker takes its common name as the user's name."""
    return _issue(issuer, name, key, valid, [ExtendedKeyUsageOID.CLIENT_AUTH])


def issue_card(
    issuer: Issuer, key: CertificatePublicKey, card_id: str, valid: Span
) -> x509.Certificate:
    """The card authentication certificate of a staff card; ``card_id`` is 32 random hex digits."""
    return _issue(issuer, card_id, key, valid, [PIV_CARD_AUTHENTICATION], critical_use=True)


def new_card_id() -> str:
    """Draw a card's number: 128 random bits, never derived from a person."""
    return secrets.token_hex(16)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name, "" if it has none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _issue(
    issuer: Issuer,
    name: str,
    key: CertificatePublicKey,
    valid: Span,
    uses: list[x509.ObjectIdentifier],
    alternatives: x509.SubjectAlternativeName | None = None,
    *,
    critical_use: bool = False,
) -> x509.Certificate:
    builder = (
        _builder(name, common_name(issuer.certificate), key, valid)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=critical_use)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
            critical=False,
        )
    )
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def _builder(
    subject: str, issuer: str, key: CertificatePublicKey, valid: Span
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid.not_before)
        .not_valid_after(valid.not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )
