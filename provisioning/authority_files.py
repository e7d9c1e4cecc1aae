"""Files of keys and certificates: written whole, synced, and never over one that is there.

A lost key cannot be made again, so nothing here replaces a key: a second run finds the first
one's file and uses it. Private keys are PKCS#8 PEM, readable by their owner only, and may be
encrypted: then the function given as ``ask`` is asked for the passphrase of that file
(``no_passphrase`` where files lie open).
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from provisioning.town import TownError

PRIVATE, PUBLIC, FOLDER = 0o600, 0o644, 0o700
Passphrase = Callable[[Path], bytes | None]


def no_passphrase(_path: Path) -> bytes | None:
    """Answer for key files that lie open."""
    return None


def write_once(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write a file that must not be there yet; after this call it is on disk, whole.

    Raises:
        TownError: it is there already; it was not touched.
        OSError: the disk refused.
    """
    draft = _draft(path, data, mode)
    try:
        # Unlike a rename, a link never takes the place of a file that is there.
        os.link(draft, path)
    except FileExistsError:
        raise TownError(f"{path} is there already and is never overwritten") from None
    finally:
        draft.unlink()
    sync_folder(path.parent)


def replace(path: Path, data: bytes, mode: int = PUBLIC) -> None:
    """Write a file in one step: a reader, or a crash, sees the old or the new one, whole."""
    draft = _draft(path, data, mode)
    draft.replace(path)
    sync_folder(path.parent)


def _draft(path: Path, data: bytes, mode: int) -> Path:
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    return draft


def make_folder(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, for their owner alone; others stay.

    Raises:
        TownError: a file is in the way, or the folder cannot be made here.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise TownError(f"{folder} is a file, not a folder; choose another place")
    make_folder(folder.parent)
    try:
        folder.mkdir(mode=FOLDER, exist_ok=True)
    except OSError as error:
        raise TownError(
            f"{folder} cannot be made here ({error.strerror}); choose another place"
        ) from None


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def ensure_ec_key(path: Path, ask: Passphrase = no_passphrase) -> ec.EllipticCurvePrivateKey:
    """Read the P-256 key in ``path``, or make it there first; TownError as ``read_ec_key``."""
    _ensure_key(path, lambda: ec.generate_private_key(ec.SECP256R1()), ask)
    return read_ec_key(path, ask)


def ensure_rsa_key(path: Path, ask: Passphrase = no_passphrase) -> rsa.RSAPrivateKey:
    """Read the RSA-2048 key in ``path``, or make it there first; TownError as ``read_rsa_key``."""
    _ensure_key(path, lambda: rsa.generate_private_key(65537, 2048), ask)
    return read_rsa_key(path, ask)


def ensure_signing_key(path: Path, ask: Passphrase = no_passphrase) -> Ed25519PrivateKey:
    """Read the Ed25519 key in ``path``, or make it there first."""
    _ensure_key(path, Ed25519PrivateKey.generate, ask)
    return read_signing_key(path, ask)


def ensure_seal_key(path: Path, ask: Passphrase = no_passphrase) -> X25519PrivateKey:
    """Read the X25519 key in ``path``, or make it there first."""
    _ensure_key(path, X25519PrivateKey.generate, ask)
    key = _read_key(path, ask)
    if not isinstance(key, X25519PrivateKey):
        raise _unexpected(path, "an X25519", key)
    return key


def read_ec_key(path: Path, ask: Passphrase = no_passphrase) -> ec.EllipticCurvePrivateKey:
    """Read an elliptic curve key.

    Raises:
        TownError: the file is not there, no such key, or its passphrase is wrong.
    """
    key = _read_key(path, ask)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unexpected(path, "an elliptic curve", key)
    return key


def read_rsa_key(path: Path, ask: Passphrase = no_passphrase) -> rsa.RSAPrivateKey:
    """Read an RSA key; TownError as ``read_ec_key``."""
    key = _read_key(path, ask)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unexpected(path, "an RSA", key)
    return key


def read_signing_key(path: Path, ask: Passphrase = no_passphrase) -> Ed25519PrivateKey:
    """Read an Ed25519 key; TownError as ``read_ec_key``."""
    key = _read_key(path, ask)
    if not isinstance(key, Ed25519PrivateKey):
        raise _unexpected(path, "an Ed25519", key)
    return key


def _ensure_key(path: Path, make: Callable[[], PrivateKeyTypes], ask: Passphrase) -> None:
    if not path.exists():
        write_once(path, private_pem(make(), ask(path)), PRIVATE)


def _read_key(path: Path, ask: Passphrase) -> PrivateKeyTypes:
    data = read(path)
    try:
        try:
            return load_pem_private_key(data, None)
        except TypeError:
            # It is encrypted; cryptography says so only by this exception.
            return load_pem_private_key(data, ask(path))
    except (TypeError, ValueError) as error:
        raise TownError(f"{path}: no readable private key ({error})") from None


def _unexpected(path: Path, expected: str, key: PrivateKeyTypes) -> TownError:
    return TownError(f"{path}: {expected} key is expected, not {type(key).__name__}")


def private_pem(key: PrivateKeyTypes, passphrase: bytes | None = None) -> bytes:
    """``key`` as PKCS#8 PEM, encrypted if there is a passphrase."""
    lock: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        lock = BestAvailableEncryption(passphrase)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)


def public_pem(key: PublicKeyTypes) -> bytes:
    """``key`` as SubjectPublicKeyInfo PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def read_certificate(path: Path) -> x509.Certificate:
    """Read one certificate (PEM).

    Raises:
        TownError: the file is not there or no certificate.
    """
    try:
        return x509.load_pem_x509_certificate(read(path))
    except ValueError as error:
        raise TownError(f"{path}: no readable certificate ({error})") from None


def read(path: Path) -> bytes:
    """Read a file of the town directory.

    Raises:
        TownError: it is not there or may not be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TownError(f"{path}: {error.strerror or error}") from None
