"""Puts a signed publication on the broker: retained messages that terminals fetch by themselves.

MQTT has no "not found" and no files, so there is an untrusted index of what exists, and files go
in chunks. Documents with persons go out once for each terminal, sealed to it; what the roles
signed are the plain bytes.

The order keeps every moment whole for whoever is fetching: new files first (their names hold a
version or a hash, so they disturb nobody), then the timestamp, then the index, and only then are
the files removed that no index names any more. Roots are never removed: a terminal comes with the
first one and walks the whole chain. Sealed copies are kept and sent again as they are, because
sealing anew would change them under a terminal that is reading.

What lies on the broker is written down before it is changed, so a run that was cut short leaves
nothing behind that a later one does not know of.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from provisioning import authority_files as files
from provisioning.publication import TIMESTAMP_FILE, Publication, current
from provisioning.town import Town, TownError
from terminal.wire.documents import SEALED, TERMINALS
from terminal.wire.index import chunks_of, index_bytes
from terminal.wire.seal import purpose, seal
from terminal.wire.strict_json import parse
from terminal.wire.topics import Name, topic

WINDOW = 16
"""Messages on their way at once; brokers announce 20 and more."""

RECORD = "on_broker.json"
TIMESTAMP_PATH = f"metadata/{TIMESTAMP_FILE}"
LONGEST_RECORD = 4 * 1024 * 1024

Progress = Callable[[int, int], None]


class Pending(Protocol):
    """A message on its way."""

    def wait(self, patience_s: float = 10) -> None:
        """Return once the broker has taken it; raises where it has not."""
        ...


class Sender(Protocol):
    """What publishing needs of a connection (``provisioning.mqtt.Connection`` is one)."""

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> Pending:
        """Send with QoS 1."""
        ...


def publish(town: Town, sender: Sender, progress: Progress | None = None) -> int:
    """Put the town's publication on the broker; returns its number.

    May be run again at any time, also onto an empty broker. ``progress`` is called with messages
    sent and messages in all.

    Raises:
        TownError: nothing has been published yet, or a terminal's sealing key is missing.
        DeliveryRefused, BrokerUnreachable: the broker did not take everything; run it again.
    """
    publication = current(town)
    on_road = road_files(town, publication)
    steps = list(_messages(town.site, on_road))
    before = _record(town)
    now = {where for where, _ in steps}
    # A broker that was set up anew does not mind the removal of what it never had.
    removals = [(where, b"") for where in sorted(before - now)]
    _write_record(town, before | now)
    _send(sender, [*steps, *removals], progress)
    _write_record(town, now)
    _forget_sealed(town, on_road)
    return publication.number


def road_files(town: Town, publication: Publication) -> dict[str, bytes]:
    """All files by the path that the index gives them, sealed copies among them.

    Raises:
        TownError: a terminal of the publication has no sealing key here.
    """
    found = {}
    for path, data in publication.files.items():
        if _document(path) in SEALED:
            for terminal in _terminals(publication):
                found[f"sealed/{terminal}/{path}"] = _sealed(town, terminal, path, data)
        else:
            found[path] = data
    return found


def _messages(site: str, on_road: Mapping[str, bytes]) -> Iterable[tuple[str, bytes]]:
    """All messages in the order in which they must reach the broker."""
    paths = sorted(on_road.keys() - {TIMESTAMP_PATH})
    for path in [*paths, TIMESTAMP_PATH]:
        for chunk, data in enumerate(chunks_of(on_road[path])):
            yield _topic(site, path, chunk), data
    yield topic(Name.INDEX, site), index_bytes({path: len(on_road[path]) for path in on_road})


def _topic(site: str, path: str, chunk: int) -> str:
    if path.startswith("sealed/"):
        _, terminal, inner = path.split("/", 2)
        return topic(Name.SEALED, site, terminal, inner, chunk)
    return topic(Name.FILE, site, path=path, chunk=chunk)


def _send(sender: Sender, messages: list[tuple[str, bytes]], progress: Progress | None) -> None:
    """Send in order with a small window; the index and what follows wait for all before them."""
    waiting: deque[Pending] = deque()
    for done, (where, payload) in enumerate(messages):
        ordered = where.endswith("/index") or not payload or _is_timestamp(where)
        while len(waiting) >= (1 if ordered else WINDOW):
            waiting.popleft().wait()
        waiting.append(sender.publish(where, payload, retained=True))
        if progress is not None:
            progress(done, len(messages))
    while waiting:
        waiting.popleft().wait()
    if progress is not None:
        progress(len(messages), len(messages))


def _is_timestamp(where: str) -> bool:
    return TIMESTAMP_PATH.replace("/", "~") in where


def _document(path: str) -> str:
    """The document's name of ``targets/<hash>.<name>``, "" for metadata."""
    folder, _, name = path.partition("/")
    return name.partition(".")[2] if folder == "targets" else ""


def _terminals(publication: Publication) -> list[str]:
    data = next(data for path, data in publication.files.items() if _document(path) == TERMINALS)
    content = parse(data, longest=len(data))
    terminals = content.get("terminals") if isinstance(content, dict) else None
    return sorted(terminals) if isinstance(terminals, dict) else []


def _sealed(town: Town, terminal: str, path: str, data: bytes) -> bytes:
    """The copy that was made for this terminal's present key, or a new one."""
    public = _seal_key(town, terminal)
    raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    folder = _sealed_folder(town) / f"{terminal}-{hashlib.sha256(raw).hexdigest()[:16]}"
    kept = folder / path.partition("/")[2]
    if not kept.exists():
        files.write_once(kept, seal(data, public, purpose(town.site, terminal, path)))
    return files.read(kept)


def _seal_key(town: Town, terminal: str) -> X25519PublicKey:
    path = town.terminal(terminal) / "seal.pub"
    try:
        key = load_pem_public_key(files.read(path))
    except ValueError as error:
        raise TownError(f"{path}: no readable public key ({error})") from None
    if not isinstance(key, X25519PublicKey):
        raise TownError(f"{path}: an X25519 key is expected, not {type(key).__name__}")
    return key


def _sealed_folder(town: Town) -> Path:
    return town.repository / "sealed"


def _forget_sealed(town: Town, on_road: Mapping[str, bytes]) -> None:
    """Remove sealed copies that are no longer on the broker."""
    kept = {path.rpartition("/")[2] for path in on_road if path.startswith("sealed/")}
    for copy in _sealed_folder(town).glob("*/*"):
        if copy.name not in kept:
            copy.unlink()


def _record(town: Town) -> set[str]:
    path = town.repository / RECORD
    if not path.exists():
        return set()
    content = parse(files.read(path), longest=LONGEST_RECORD)
    return {str(where) for where in content} if isinstance(content, list) else set()


def _write_record(town: Town, topics: set[str]) -> None:
    files.replace(town.repository / RECORD, json.dumps(sorted(topics), indent=0).encode("utf-8"))
