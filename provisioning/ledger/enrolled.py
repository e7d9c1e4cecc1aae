"""Which keys may sign for which terminal, from when to when.

Read from the town directory: every ``terminals/<id>/*.crt`` is a certificate that the terminal
has or had (device.crt is the present one; a former one stays when the key is renewed, because
records signed with it are still on their way or in the database). ``terminals/<id>/revoked.toml``
names keys that must not count any more and since when::

    "6a09e667f3bcc908" = 2026-11-22T09:00:00+09:00

Rules: a file that cannot be read takes that terminal's keys away, is told, and touches no other
terminal; nothing is lost by it, because a terminal keeps what has no receipt. The directory is
read again when a file in it has changed.

A key past its certificate's end still counts, with an alarm: a terminal that lay in a drawer, or
was offline while its certificate was renewed, must be able to deliver what it recorded. A key that
got into wrong hands is revoked, and then counts for nothing that arrives afterwards.
"""

import logging
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from terminal.core.moment import EPOCH
from terminal.wire.signed import PublicKey, key_id

_LOG = logging.getLogger(__name__)

REVOKED = "revoked.toml"
_LONGEST_FILE = 64 * 1024


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """A terminal's public key and its span, in UTC milliseconds since 1970 (all inclusive).

    ``revoked_ms`` is when it ceased to count, None while it does.
    """

    terminal: str
    id: str
    public: PublicKey
    valid_from_ms: int
    valid_to_ms: int
    revoked_ms: int | None = None

    def counts_at(self, received_ms: int) -> bool:
        """Whether what arrives at ``received_ms`` may count."""
        return self.revoked_ms is None or received_ms < self.revoked_ms

    def in_span(self, received_ms: int) -> bool:
        """Whether ``received_ms`` lies within the certificate's validity."""
        return self.valid_from_ms <= received_ms <= self.valid_to_ms


@dataclass(frozen=True, slots=True)
class Enrolled:
    """All keys by terminal, and what could not be read: (terminal, which file and why).

    ``terminals`` are all that have a folder, also those without a key that can be read.
    """

    keys: Mapping[str, tuple[EnrolledKey, ...]] = field(default_factory=dict)
    faults: tuple[tuple[str, str], ...] = ()
    terminals: frozenset[str] = frozenset()

    def of(self, terminal: str) -> tuple[EnrolledKey, ...]:
        """The keys of one terminal, revoked ones too; none for a terminal that is not known."""
        return self.keys.get(terminal, ())


class EnrolmentDirectory:
    """``terminals`` of a town directory, read again when it has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._state: tuple[object, ...] = ()
        self._enrolled = Enrolled()

    def look(self) -> Enrolled:
        """What is enrolled now; cheap while nothing has changed."""
        state = tuple(_state(self.folder))
        if state != self._state:
            self._enrolled = read_enrolled(self.folder)
            self._state = state
        return self._enrolled


def read_enrolled(folder: Path) -> Enrolled:
    """Read ``terminals`` of a town directory (shape: module docstring)."""
    keys: dict[str, tuple[EnrolledKey, ...]] = {}
    faults: list[tuple[str, str]] = []
    folders = sorted(path for path in folder.glob("*") if path.is_dir())
    for terminal in folders:
        try:
            found = tuple(_keys_of(terminal))
        except (OSError, ValueError) as error:
            _LOG.error("terminal %s has no keys until this is mended: %s", terminal.name, error)
            faults.append((terminal.name, str(error)))
            continue
        if found:
            keys[terminal.name] = found
    return Enrolled(keys, tuple(faults), frozenset(path.name for path in folders))


def _keys_of(folder: Path) -> Iterator[EnrolledKey]:
    revoked = _revoked(folder / REVOKED)
    paths = sorted(folder.glob("*.crt"))
    seen: set[str] = set()
    for path in paths:
        key = _key(path, folder.name, revoked)
        seen.add(key.id)
        yield key
    unknown = sorted(set(revoked) - seen)
    if unknown:
        # A misspelt key id would leave the key that was meant in force.
        raise ValueError(
            f"{folder / REVOKED}: {unknown[0]} is the id of none of this terminal's keys; "
            f"they are {', '.join(sorted(seen)) or 'none'}"
        )


def _key(path: Path, terminal: str, revoked: Mapping[str, int]) -> EnrolledKey:
    try:
        certificate = x509.load_pem_x509_certificate(_bounded(path))
        public = certificate.public_key()
    except ValueError as error:
        raise ValueError(f"{path}: no readable certificate ({error})") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise ValueError(f"{path}: a device key is P-256")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [terminal]:
        raise ValueError(f"{path}: the certificate is not for the terminal {terminal}")
    own_id = key_id(public)
    return EnrolledKey(
        terminal,
        own_id,
        public,
        _ms(certificate.not_valid_before_utc),
        _ms(certificate.not_valid_after_utc),
        revoked.get(own_id),
    )


def _revoked(path: Path) -> dict[str, int]:
    if not path.exists():
        return {}
    try:
        entries = tomllib.loads(_bounded(path).decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from error
    revoked: dict[str, int] = {}
    for name, since in entries.items():
        if not isinstance(since, datetime) or since.tzinfo is None:
            example = '"6a09e667f3bcc908" = 2026-11-22T09:00:00+09:00'
            raise ValueError(f"{path}: {name} needs a date, time and offset, as {example}")
        revoked[name] = _ms(since)
    return revoked


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_LONGEST_FILE + 1)
    if len(data) > _LONGEST_FILE:
        raise ValueError(f"{path}: longer than {_LONGEST_FILE} bytes")
    return data


def _ms(at: datetime) -> int:
    return (at - EPOCH) // timedelta(milliseconds=1)


def _state(folder: Path) -> Iterator[tuple[str, int, int, int]]:
    """Name, inode, size and time of whatever matters; changes when one of them does."""
    for path in sorted([*folder.glob("*"), *folder.glob("*/*.crt"), *folder.glob(f"*/{REVOKED}")]):
        try:
            told = path.stat()
        except FileNotFoundError:
            continue
        yield str(path), told.st_ino, told.st_size, told.st_mtime_ns
