"""Who this terminal is: its device key, its certificate, the town's CA, its sealing key.

The files are made by the town's authority until terminals enrol themselves. They are read once,
and held against each other and against the settings, because a mixed-up SD card must be found at
the desk and not at the door.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID


class IdentityError(Exception):
    """The identity files cannot be used; the text names the file and the remedy."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Keys and certificates of one terminal; the paths are for libraries that read files."""

    terminal: str
    device_key: ec.EllipticCurvePrivateKey
    seal_key: X25519PrivateKey
    not_after: datetime
    device_key_path: Path
    certificate_path: Path
    town_ca_path: Path
    root_hash_path: Path


def load(folder: Path, terminal: str) -> Identity:
    """Read the identity of ``terminal`` from ``folder``.

    Raises:
        IdentityError: a file is missing or unreadable, key and certificate do not belong
            together, or they are another terminal's.
    """
    remedy = f"copy the files of terminal {terminal} there again"
    device_key = _key(folder / "device.key", remedy)
    if not isinstance(device_key, ec.EllipticCurvePrivateKey):
        raise IdentityError(f"{folder / 'device.key'} is not a P-256 key; {remedy}")
    seal_key = _key(folder / "seal.key", remedy)
    if not isinstance(seal_key, X25519PrivateKey):
        raise IdentityError(f"{folder / 'seal.key'} is not an X25519 key; {remedy}")
    certificate_path = folder / "device.crt"
    try:
        certificate = x509.load_pem_x509_certificate(_bytes(certificate_path, remedy))
    except ValueError:
        raise IdentityError(f"{certificate_path} is not a certificate; {remedy}") from None
    if certificate.public_key() != device_key.public_key():
        raise IdentityError(f"device.key and device.crt in {folder} do not match; {remedy}")
    names = [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [terminal]:
        raise IdentityError(f"{certificate_path} is for {names}, not for {terminal}; {remedy}")
    for name in ("town-ca.crt", "root.sha256"):
        _bytes(folder / name, remedy)
    return Identity(
        terminal=terminal,
        device_key=device_key,
        seal_key=seal_key,
        not_after=certificate.not_valid_after_utc,
        device_key_path=folder / "device.key",
        certificate_path=certificate_path,
        town_ca_path=folder / "town-ca.crt",
        root_hash_path=folder / "root.sha256",
    )


def _bytes(path: Path, remedy: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise IdentityError(f"{path} cannot be read: {error.strerror}; {remedy}") from None


def _key(path: Path, remedy: str) -> object:
    try:
        return load_pem_private_key(_bytes(path, remedy), password=None)
    except (ValueError, TypeError):
        raise IdentityError(f"{path} is not an unencrypted PEM key; {remedy}") from None
