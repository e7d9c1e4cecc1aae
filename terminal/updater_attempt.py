"""One attempt to fetch a publication: from an index to a draft that may be activated.

The verifier (python-tuf's client) works in the draft; its rules cover signatures, thresholds,
versions, expiry and hashes. Ours come on top: the first root by its pinned hash, no version so
high that it would lock the town out, one content for one number, nothing older than what is in
force, all documents of that number, and nothing that this terminal cannot read.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tuf.api.exceptions import ExpiredMetadataError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater as Verifier
from tuf.ngclient import UpdaterConfig

from terminal.updater_active import Active, UpdaterSettings, expired_in, read
from terminal.updater_reasons import Interrupted, Refusal, Refused, refusal_of
from terminal.updater_road import LONGEST_FILE, Road, RoadFetcher
from terminal.updater_store import DOCUMENTS, METADATA, Store
from terminal.wire import documents as wire
from terminal.wire.index import index_of
from terminal.wire.strict_json import Malformed

HIGHEST_VERSION = 1_000_000
"""More than a town publishes in centuries; a higher one is a fast-forward attack."""

CONFIG = UpdaterConfig(
    max_root_rotations=64,
    root_max_length=64 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=64 * 1024,
    targets_max_length=256 * 1024,
)
DOCUMENT = "document"

Report = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A publication that may be activated: its values, and the draft that holds it."""

    active: Active
    draft: Path


class Attempt:
    """One attempt under one index; ``number`` is that of the publication in force, 0 for none."""

    def __init__(self, settings: UpdaterSettings, store: Store, road: Road, number: int) -> None:
        self._settings = settings
        self._store = store
        self._road = road
        self._number = number

    def run(self, index: bytes, report: Report) -> Outcome | None:
        """Fetch what ``index`` lists; None where it is what is stored. ``report`` gets the number.

        Raises:
            Refused: the publication is not taken.
            Interrupted: the terminal stops.
            OSError: the disk refused.
        """
        try:
            listed = index_of(index)
        except Malformed as error:
            raise Refused(Refusal.MALFORMED, "index", str(error)) from error
        draft = self._store.draft()
        fetcher = RoadFetcher(self._road, listed)
        with self._explained(fetcher, draft):
            verifier = Verifier(
                str(draft / METADATA),
                "metadata",
                str(draft / DOCUMENTS),
                "targets",
                fetcher,
                CONFIG,
                bootstrap=self._first_root(draft, fetcher),
            )
            verifier.refresh()
        targets = _stored(draft, Targets.type)
        self._check(draft, fetcher, targets.version)
        if self._nothing_new(draft, targets.version):
            return None
        if targets.version != self._number:
            report(targets.version)
        for name in wire.DOCUMENTS:
            with self._explained(fetcher, draft):
                self._fetch(verifier, draft, name)
        documents = {name: (draft / DOCUMENTS / name).read_bytes() for name in wire.DOCUMENTS}
        return Outcome(read(targets.version, documents, self._settings.terminal), draft)

    def _first_root(self, draft: Path, fetcher: RoadFetcher) -> bytes:
        """The pinned root, from the disk or the road."""
        pin = self._settings.pin
        try:
            stored = (draft / METADATA / "root_history" / f"{pin.version}.root.json").read_bytes()
        except FileNotFoundError:
            stored = b""
        if pin.fits(stored):
            return stored
        data = fetcher.download_bytes(pin.path, CONFIG.root_max_length)
        if not pin.fits(data):
            raise Refused(Refusal.ARBITRARY, Root.type, "not the root that the boot files name")
        return data

    def _fetch(self, verifier: Verifier, draft: Path, name: str) -> None:
        """Bring one document into the draft: linked if it is unchanged, else downloaded."""
        target = verifier.get_targetinfo(name)
        if target is None:
            raise Refused(Refusal.MISSING, name, "the signed targets do not name it")
        if target.length > LONGEST_FILE:
            raise Refused(Refusal.ENDLESS, name, f"{target.length} bytes are signed")
        active = self._store.active()
        if active is not None and _holds(active / DOCUMENTS / name, target):
            self._store.keep(draft, name)
        else:
            verifier.download_target(target, str(draft / DOCUMENTS / name))

    def _check(self, draft: Path, fetcher: RoadFetcher, number: int) -> None:
        """Our own rules over the metadata, which the verifier has found properly signed."""
        for role in (Timestamp.type, Snapshot.type, Targets.type):
            version = _stored(draft, role).version
            if version > HIGHEST_VERSION:
                raise Refused(Refusal.FAST_FORWARD, role, f"version {version}")
        least = max(self._number, self._settings.least)
        if number < least:
            raise Refused(Refusal.ROLLBACK, Targets.type, f"number {number} after {least}")
        # The verifier passes over a timestamp of the same version without a look at its content.
        served = Metadata[Timestamp].from_bytes(fetcher.timestamp).signed
        kept = _stored(draft, Timestamp.type)
        if served.version == kept.version and served != kept:
            raise Refused(Refusal.EQUIVOCATION, Timestamp.type, f"two of version {kept.version}")

    def _nothing_new(self, draft: Path, number: int) -> bool:
        """Whether the draft holds what is in force already, up to its timestamp and root.

        What is on disk need not be in force: the disk may have failed just after the switch.
        """
        active = self._store.active()
        if active is None or number != self._number:
            return False
        return all(
            _content(active / METADATA / name) == _content(draft / METADATA / name)
            for name in ("root.json", "timestamp.json")
        )

    @contextmanager
    def _explained(self, fetcher: RoadFetcher, draft: Path) -> Iterator[None]:
        """Turn the verifier's exceptions into refusals."""
        try:
            yield
        except (OSError, Interrupted, Refused):
            raise
        except Exception as error:
            kind, file = _kind_of(fetcher.last)
            if isinstance(error, ExpiredMetadataError):
                # The verifier finds an expired root or timestamp only when it uses the next file.
                file = expired_in(draft, datetime.now(UTC)).removesuffix(".json") or file
            reason = refusal_of(error, kind, mixed=self._mixed(fetcher, kind))
            raise Refused(reason, file, f"{type(error).__name__}: {error}") from error

    def _mixed(self, fetcher: RoadFetcher, kind: str) -> bool:
        """Whether what was served last is a whole file of another publication."""
        if kind == DOCUMENT:
            active = self._store.active()
            if active is None:
                return False
            digest = sha256(fetcher.served).hexdigest()
            known = _stored(active, Targets.type).targets.values()
            return any(target.hashes.get("sha256") == digest for target in known)
        wanted = fetcher.last.rpartition("/")[2].partition(".")[0]
        try:
            return str(Metadata[Targets].from_bytes(fetcher.served).signed.version) != wanted
        except RepositoryError:
            return False


def _kind_of(path: str) -> tuple[str, str]:
    """The kind of a file on the road for the table of refusals, and its name for people."""
    folder, _, name = path.partition("/")
    if folder == "targets":
        return DOCUMENT, name.partition(".")[2]
    role = name.removesuffix(".json").rpartition(".")[2]
    return role, role


def _stored(folder: Path, role: str) -> Targets:
    """A role's metadata as the verifier stored it; Targets only names one of the types."""
    data = (folder / METADATA / f"{role}.json").read_bytes()
    return Metadata[Targets].from_bytes(data).signed


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _holds(path: Path, target: TargetFile) -> bool:
    try:
        target.verify_length_and_hashes(path.read_bytes())
    except (OSError, RepositoryError):
        return False
    return True
