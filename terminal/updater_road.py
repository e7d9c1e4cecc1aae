"""Files over retained messages: how published files come to the verifier.

What exists is told by the retained index, which nobody signs; its worst lie is a refusal. A file
comes in chunks on topics of its own, to which the terminal subscribes only as long as it fetches
it, so that a reconnect does not bring megabytes. Everything is bounded before it is kept: chunks
by their number and size, files by LONGEST_FILE, fetching by LONGEST_FETCH_S. Sealed copies are
opened here, so the verifier sees the plain bytes that were signed.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from tuf.api import exceptions as tuf
from tuf.ngclient import FetcherInterface

from terminal.updater_reasons import Interrupted, SealedForOthers
from terminal.wire.index import Listed
from terminal.wire.seal import OVERHEAD, SealBroken, purpose, unseal
from terminal.wire.topics import CHUNK, Name, topic

LONGEST_FILE = 4 * 1024 * 1024
LONGEST_FETCH_S = 60.0
NOT_FOUND = 404
TIMESTAMP = "metadata/timestamp.json"
_LOOK_EVERY_S = 0.25

OnMessage = Callable[[str, bytes], None]
Subscribe = Callable[[str, OnMessage], Callable[[], None]]
"""Subscribes and returns what ends the subscription; both from any thread, at any time."""


class Road:
    """The broker's retained files, as this terminal may read them. Used by one thread."""

    def __init__(
        self,
        site: str,
        terminal: str,
        seal_key: X25519PrivateKey,
        subscribe: Subscribe,
        beat: Callable[[], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._terminal = terminal
        self._seal_key = seal_key
        self._subscribe = subscribe
        self._beat = beat
        self._now = now
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let a running fetch end with Interrupted. Any thread."""
        self._stopping.set()

    def fetch(self, path: str, listed: Mapping[str, Listed]) -> bytes:
        """The plain bytes of ``path`` ("metadata/..." or "targets/...").

        Raises:
            tuf.DownloadHTTPError: the index does not list it (404).
            SealedForOthers: it is sealed, but not to this terminal.
            tuf.DownloadLengthMismatchError: it is longer than LONGEST_FILE or than listed.
            tuf.SlowRetrievalError: it was not complete in LONGEST_FETCH_S.
            tuf.DownloadError: what came is not as listed, or the terminal stops.
        """
        own = listed.get(f"sealed/{self._terminal}/{path}")
        if own is not None:
            first = topic(Name.SEALED, self._site, self._terminal, path)
            return self._open(path, self._collect(first, own, LONGEST_FILE + OVERHEAD))
        plain = listed.get(path)
        if plain is not None:
            first = topic(Name.FILE, self._site, path=path)
            return self._collect(first, plain, LONGEST_FILE)
        if any(name.startswith("sealed/") and name.endswith(f"/{path}") for name in listed):
            raise SealedForOthers(f"{path} is not sealed to {self._terminal}")
        raise tuf.DownloadHTTPError(f"{path} is not in the index", NOT_FOUND)

    def _open(self, path: str, sealed: bytes) -> bytes:
        try:
            return unseal(sealed, self._seal_key, purpose(self._site, self._terminal, path))
        except SealBroken as error:
            raise SealedForOthers(f"{path}: {error}") from error

    def _collect(self, first: str, listed: Listed, longest: int) -> bytes:
        if listed.length > longest:
            raise tuf.DownloadLengthMismatchError(f"{first}: {listed.length} bytes are listed")
        transfer = _Transfer(first.removesuffix("0"), listed.chunks)
        end = self._subscribe(f"{first.removesuffix('0')}+", transfer.take)
        try:
            deadline = self._now() + LONGEST_FETCH_S
            while not transfer.complete(_LOOK_EVERY_S):
                self._beat()
                if self._stopping.is_set():
                    raise Interrupted(f"{first}: stopping")
                if self._now() > deadline:
                    raise tuf.SlowRetrievalError(f"{first}: not complete in {LONGEST_FETCH_S} s")
        finally:
            end()
        data = transfer.data()
        if len(data) != listed.length:
            raise tuf.DownloadError(f"{first}: {len(data)} bytes came, {listed.length} are listed")
        return data


class _Transfer:
    """The chunks of one file as they come in, in any order, each kept once."""

    def __init__(self, prefix: str, chunks: int) -> None:
        self._prefix = prefix
        self._wanted = {f"{prefix}{number}": number for number in range(chunks)}
        self._chunks: dict[int, bytes] = {}
        self._endless = False
        self._changed = threading.Condition()

    def take(self, where: str, payload: bytes) -> None:
        """Keep a wanted chunk; called on the link's thread."""
        number = self._wanted.get(where)
        if number is None or not payload:
            return
        with self._changed:
            if len(payload) > CHUNK:
                self._endless = True
            else:
                self._chunks.setdefault(number, payload)
            self._changed.notify()

    def complete(self, patience_s: float) -> bool:
        """Whether all chunks are there, after waiting for a change."""
        with self._changed:
            if self._endless:
                raise tuf.DownloadLengthMismatchError(f"{self._prefix}: a chunk is too long")
            if len(self._chunks) < len(self._wanted):
                self._changed.wait(patience_s)
            return len(self._chunks) == len(self._wanted)

    def data(self) -> bytes:
        """All chunks in order."""
        return b"".join(self._chunks[number] for number in sorted(self._chunks))


class RoadFetcher(FetcherInterface):
    """The verifier's way to the road, for one attempt under one index.

    ``last`` is the path that was asked for last and ``served`` what came for it: the verifier's
    exceptions do not say which file they speak of. ``timestamp`` is the timestamp that came.
    """

    def __init__(self, road: Road, listed: Mapping[str, Listed]) -> None:
        self._road = road
        self._listed = listed
        self.last = ""
        self.served = b""
        self.timestamp = b""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last, self.served = url, b""
        self.served = self._road.fetch(url, self._listed)
        if url == TIMESTAMP:
            self.timestamp = self.served
        return iter((self.served,))
