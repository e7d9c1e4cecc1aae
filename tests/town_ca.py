"""A certificate authority for tests: as many CAs and certificates, good and bad, as a test needs.

Independent of the product's own authority, so that a fault there does not hide itself here.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class TownCa:
    """One CA; ``issue`` writes certificate and key as PEM files."""

    def __init__(self, folder: Path, name: str = "Test town device CA") -> None:
        self.folder = folder
        self.key = new_key()
        self.name = _name(name)
        self.certificate = (
            _builder(self.name, self.name, self.key.public_key(), 0)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "ca.crt"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))

    def server(
        self, stem: str, names: tuple[str, ...] = ("localhost", "127.0.0.1"), age_days: int = 0
    ) -> tuple[Path, Path]:
        """A broker's certificate; ``age_days`` 400 is an expired one."""
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._issue(stem, "broker", usage, names, new_key(), age_days)

    def client(
        self, stem: str, name: str, key: ec.EllipticCurvePrivateKey | None = None
    ) -> tuple[Path, Path]:
        """A terminal's, or a user's, certificate with that CN."""
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(stem, name, usage, (), key or new_key(), 0)

    def _issue(
        self,
        stem: str,
        name: str,
        usage: x509.ObjectIdentifier,
        names: tuple[str, ...],
        key: ec.EllipticCurvePrivateKey,
        age_days: int,
    ) -> tuple[Path, Path]:
        builder = (
            _builder(_name(name), self.name, key.public_key(), age_days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if names:
            alternatives = x509.SubjectAlternativeName([_alternative(one) for one in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate, private = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        signed = builder.sign(self.key, hashes.SHA256())
        certificate.write_bytes(signed.public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, age_days: int
) -> x509.CertificateBuilder:
    begin = datetime.now(UTC) - DAY - age_days * DAY
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 365 * DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
