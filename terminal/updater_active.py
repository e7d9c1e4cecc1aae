"""The active publication: read from disk, proven again, and turned into values.

At start the stored set is proven without the verifier, whose rules end with the timestamp: a
terminal must come up after months without network. So: the first root by its pinned hash, each
further root by the one before it and by itself, the targets' signatures by the last root, each
document by its hash. Expiry refuses nothing; ``expired_in`` tells it.

The same conversion serves a set that was just fetched: what the terminal cannot read whole, it
never activates.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from terminal.cards.profile import CardProfile, ProfileRefused, parse_profiles
from terminal.core.rules import Rules
from terminal.updater_reasons import Refusal, Refused, refusal_of
from terminal.updater_store import DOCUMENTS, METADATA
from terminal.wire import documents as wire
from terminal.wire.strict_json import Malformed, parse
from terminal.wire.x509 import Trust

log = logging.getLogger(__name__)

_PIN_PARTS = 2
_Signed = TypeVar("_Signed", Root, Targets)


@dataclass(frozen=True, slots=True)
class RootPin:
    """The first root that a terminal accepts: its version and the SHA-256 of its file (hex)."""

    version: int
    sha256: str

    @property
    def path(self) -> str:
        """The root's path on the road."""
        return f"metadata/{self.version}.root.json"

    def fits(self, data: bytes) -> bool:
        """Whether ``data`` is that very root."""
        return sha256(data).hexdigest() == self.sha256


def read_pin(path: Path) -> RootPin:
    """Read ``root.sha256``: one line as sha256sum writes it, "<hash>  <version>.root.json".

    Raises:
        ValueError: it is something else; the text says what is accepted.
        OSError: it cannot be read.
    """
    parts = path.read_text(encoding="ascii", errors="replace").split()
    if len(parts) == _PIN_PARTS and parts[1].endswith(".root.json"):
        digest, version = parts[0].lower(), parts[1].removesuffix(".root.json")
        if len(digest) == sha256().digest_size * 2 and version.isdecimal():
            return RootPin(int(version), bytes.fromhex(digest).hex())
    raise ValueError(f'{path}: one line "<64 hex digits>  1.root.json" is expected')


@dataclass(frozen=True, slots=True)
class UpdaterSettings:
    """What the updater must know before the first publication.

    ``folder`` is where sets are kept, on a file system with links. ``least`` is the lowest
    publication number that may come into force, fetched or stored: the newest that the journal
    says was in force, so that no folder that was lost or put back brings an older one.
    """

    site: str
    terminal: str
    folder: Path
    pin: RootPin
    seal_key: X25519PrivateKey
    least: int = 0


@dataclass(frozen=True, slots=True)
class Active:
    """A publication, read whole."""

    number: int
    rules: Rules
    trust: Trust
    profiles: tuple[CardProfile, ...]


def read_active(folder: Path, settings_from: Path | None, pin: RootPin, terminal: str) -> Active:
    """Prove the set in ``folder`` and read it; settings come from another set where given.

    Raises:
        Refused: it is not what the town signed, or cannot be read.
    """
    active = _read_set(folder, pin, terminal)
    if settings_from is None:
        return active
    try:
        return with_settings(active, _read_set(settings_from, pin, terminal))
    except Refused as refused:
        # A damaged former set must not cost the one in force.
        log.warning("the former settings cannot be read (%s); the published ones hold", refused)
        return active


def with_settings(active: Active, former: Active) -> Active:
    """``active`` with the terminal's settings of ``former``; everything else stays.

    A portal that is no longer published stays closed: its settings do not come back.
    """
    settings = former.rules.settings
    if settings.portal is not None and settings.portal not in active.rules.portals:
        return active
    return replace(active, rules=replace(active.rules, settings=settings))


def prove(folder: Path, pin: RootPin) -> tuple[Targets, dict[str, bytes]]:
    """Verify a stored set's signatures and hashes; returns its targets and plain documents.

    Raises:
        Refused: a file is missing or is not what was signed.
    """
    root = _proven_root(folder, pin)
    with _told("targets"):
        data = (folder / METADATA / "targets.json").read_bytes()
        metadata, targets = _metadata(data, Targets)
        root.verify_delegate(Targets.type, metadata.signed_bytes, metadata.signatures)
    documents = {}
    for name in wire.DOCUMENTS:
        with _told(name):
            data = (folder / DOCUMENTS / name).read_bytes()
            targets.targets[name].verify_length_and_hashes(data)
            documents[name] = data
    return targets, documents


def read(number: int, documents: Mapping[str, bytes], terminal: str) -> Active:
    """Turn proven documents into values; ``number`` is the one their metadata was signed with.

    Raises:
        Refused: they cannot be read, are not for this terminal or not of one publication.
    """
    try:
        rules = wire.rules_of(documents, terminal)
        trust = wire.trust_of(documents)
        profiles = parse_profiles(documents[wire.PROFILES])
    except ProfileRefused as error:
        raise Refused(Refusal.MALFORMED, wire.PROFILES, str(error)) from error
    except Malformed as error:
        raise _why(error, number, documents, terminal) from error
    if rules.publication != number:
        detail = f"documents of {rules.publication} under the metadata of {number}"
        raise Refused(Refusal.MIX_AND_MATCH, wire.ROSTER, detail)
    return Active(number, rules, trust, profiles)


def expired_in(folder: Path, now: datetime) -> str:
    """The first of a stored set's metadata files whose time is over, "" if none is."""
    for role in (Root.type, Timestamp.type, Snapshot.type, Targets.type):
        name = f"{role}.json"
        try:
            # Any role's metadata has an end; Root only names one of the types.
            ends = Metadata[Root].from_bytes((folder / METADATA / name).read_bytes()).signed.expires
        except (OSError, RepositoryError):
            return name
        if ends <= now:
            return name
    return ""


def _read_set(folder: Path, pin: RootPin, terminal: str) -> Active:
    targets, documents = prove(folder, pin)
    return read(targets.version, documents, terminal)


def _proven_root(folder: Path, pin: RootPin) -> Root:
    """The last of the stored roots, each vouched for by the one before it and by itself."""
    version = pin.version
    with _told("root"):
        data = _stored_root(folder, version).read_bytes()
        if not pin.fits(data):
            raise Refused(Refusal.ARBITRARY, "root", "the first root is not the pinned one")
        metadata, root = _metadata(data, Root)
        root.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
        while _stored_root(folder, version + 1).exists():
            version += 1
            metadata, following = _metadata(_stored_root(folder, version).read_bytes(), Root)
            for voucher in (root, following):
                voucher.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
            if following.version != version:
                raise Refused(Refusal.ROLLBACK, "root", f"version {following.version}")
            root = following
    return root


def _metadata(data: bytes, kind: type[_Signed]) -> tuple[Metadata[_Signed], _Signed]:
    """Metadata and what it signs; the type that the parser is told is not the one it checks."""
    metadata = Metadata[_Signed].from_bytes(data)
    if not isinstance(metadata.signed, kind):
        raise RepositoryError(f"{kind.type} is expected, not {metadata.signed.type}")
    return metadata, metadata.signed


def _stored_root(folder: Path, version: int) -> Path:
    return folder / METADATA / "root_history" / f"{version}.root.json"


@contextmanager
def _told(file: str) -> Iterator[None]:
    """Turn what goes wrong over ``file`` into a refusal."""
    try:
        yield
    except (OSError, KeyError) as error:
        raise Refused(Refusal.MISSING, file, str(error)) from error
    except RepositoryError as error:
        raise Refused(refusal_of(error, file, mixed=False), file, str(error)) from error


def _why(error: Malformed, number: int, documents: Mapping[str, bytes], terminal: str) -> Refused:
    """The reason behind a document that cannot be read; looked for only then."""
    file, _, _ = error.place.partition(" ")
    contents = {
        name: _members(documents[name]) for name in wire.DOCUMENTS if name.endswith(".json")
    }
    terminals = contents[wire.TERMINALS].get("terminals")
    if any(isinstance(one.get("v"), int) and one["v"] != 1 for one in contents.values()):
        return Refused(Refusal.WRONG_SOFTWARE, file, str(error))
    if any(one.get("number", number) != number for one in contents.values()):
        return Refused(Refusal.MIX_AND_MATCH, file, str(error))
    if isinstance(terminals, dict) and terminal not in terminals:
        return Refused(Refusal.WRONG_DEVICE, wire.TERMINALS, str(error))
    return Refused(Refusal.MALFORMED, file, str(error))


def _members(data: bytes) -> dict[str, object]:
    try:
        content = parse(data, longest=wire.LONGEST)
    except Malformed:
        return {}
    return content if isinstance(content, dict) else {}
