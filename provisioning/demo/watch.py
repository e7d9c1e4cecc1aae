"""Each record's way, seen where it happens: on the terminal's disk, at the town hall, proven.

*Journalled* is read from the terminal's own journal, *sent* from the ledger's database. *Received*
is a record under a receipt of the ledger whose signature is checked here against the key that the
publication names, and whose hash against the journal's record: the same test as the terminal's.
That the terminal has made it too is in its journal only once it has ended in order (``cursor``).

Rules: both databases are only read, over connections of their own; a file that is not there yet
holds nothing. Used by one thread, or under its owner's lock.
"""

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from provisioning.demo.shown import Counts, Row, Way
from provisioning.town import TownError
from terminal.core.records import RecordKind
from terminal.wire.chain import hash_of
from terminal.wire.messages import receipt_of
from terminal.wire.signed import RECEIPT, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed

_JOURNALLED = (
    "SELECT seq, payload FROM record, journal WHERE seq > ? AND journal.epoch = ? ORDER BY seq"
)
_EPOCH = "SELECT epoch FROM journal"
_CURSOR = "SELECT received FROM journal"
_LOOKS = 5
_SENT = "SELECT arrival, epoch, seq, hash FROM records WHERE arrival > ? AND terminal = ?"
_RECEIPT = "SELECT payload FROM receipts WHERE terminal = ? AND epoch = ?"


class Watch:
    """The records of one terminal."""

    def __init__(self, journal: Path, ledger: Path, ledger_key: Path, terminal: str) -> None:
        self._journal, self._ledger, self._terminal = journal, ledger, terminal
        key = load_pem_public_key(ledger_key.read_bytes())
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TownError(f"{ledger_key} is no key of a ledger (P-256); have the town made anew")
        self._key = key
        self._rows: list[Row] = []
        self._payloads: list[bytes] = []
        self._hashes: list[str] = []
        self._epoch = ""
        self._sent: set[tuple[str, int, str]] = set()
        self._arrival = 0
        self._received = 0

    @property
    def counts(self) -> Counts:
        """How many records are on the terminal's disk, and how many of them proven."""
        return Counts(len(self._rows), self._received)

    def cursor(self) -> int:
        """How far the terminal itself says that it has receipts; written down when it ends."""
        return max((int(received) for (received,) in _rows(self._journal, _CURSOR)), default=0)

    def on_disk(self, begun_ms: int, at_ns: int) -> bool:
        """Whether a record of a tap begun at ``begun_ms`` was written by ``at_ns``.

        Both are moments of the monotonic clock. A record's write is known to a tick of the
        kernel's clock, and only while nothing else was written after it; an older one is on disk.
        """
        written_ns = _written_ns(self._journal)
        for _ in range(_LOOKS):
            self.look()
            before_ns, written_ns = written_ns, _written_ns(self._journal)
            if written_ns == before_ns:
                break
        own = [row for row in self.since(begun_ms) if row.kind != RecordKind.TERMINAL]
        if not own:
            return False
        newest = own[0].seq == len(self._rows)
        return not newest or _monotonic_ns(written_ns) <= at_ns

    def look(self) -> None:
        """Read what is new in both databases."""
        for (epoch,) in _rows(self._journal, _EPOCH):
            if epoch != self._epoch:
                self._begin(str(epoch))
        for seq, payload in _rows(self._journal, _JOURNALLED, len(self._rows), self._epoch):
            if seq == len(self._rows) + 1:
                self._rows.append(_row(self._epoch, seq, payload))
                self._payloads.append(payload)
                self._hashes.append(hash_of(payload))
        self._look_at_ledger()

    def rows(self, newest: int) -> tuple[Row, ...]:
        """The ``newest`` records, the last one first."""
        first = max(0, len(self._rows) - newest)
        return tuple(self._with_way(place) for place in range(len(self._rows) - 1, first - 1, -1))

    def payload(self, seq: int) -> bytes:
        """The wire bytes of one record of the present journal, b"" where there is none."""
        return self._payloads[seq - 1] if 0 < seq <= len(self._payloads) else b""

    def since(self, mono_ms: int) -> tuple[Row, ...]:
        """Records whose moment is at or after ``mono_ms`` of the terminal's clock, in order."""
        late = [place for place, row in enumerate(self._rows) if row.mono_ms >= mono_ms]
        return tuple(self._with_way(place) for place in late)

    def _begin(self, epoch: str) -> None:
        """Another journal lies there now; what was shown of the former one is over."""
        self._epoch, self._received = epoch, 0
        self._rows.clear()
        self._payloads.clear()
        self._hashes.clear()

    def _look_at_ledger(self) -> None:
        for arrival, epoch, seq, digest in _rows(
            self._ledger, _SENT, self._arrival, self._terminal
        ):
            self._sent.add((str(epoch), seq, str(digest)))
            self._arrival = max(self._arrival, arrival)
        for (payload,) in _rows(self._ledger, _RECEIPT, self._terminal, self._epoch):
            self._take_receipt(payload)

    def _take_receipt(self, payload: bytes) -> None:
        with contextlib.suppress(SignatureInvalid, Malformed):
            receipt = receipt_of(verify(RECEIPT, payload, [self._key]))
            known = 0 < receipt.upto <= len(self._hashes)
            if known and self._hashes[receipt.upto - 1] == receipt.hash:
                self._received = max(self._received, receipt.upto)

    def _with_way(self, place: int) -> Row:
        row = self._rows[place]
        way = row.way
        if (row.epoch, row.seq, self._hashes[place]) in self._sent:
            way = Way.RECEIVED if row.seq <= self._received else Way.SENT
        if way is row.way:
            return row
        self._rows[place] = moved = Row(
            row.epoch,
            row.seq,
            row.at_ms,
            row.mono_ms,
            row.kind,
            row.result,
            row.reason,
            row.holder,
            row.detail,
            way,
        )
        return moved


def _rows(path: Path, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
    """The rows of one query; none while the database is not there or is just being made."""
    if not path.exists():
        return
    with contextlib.suppress(sqlite3.OperationalError):
        uri = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as database:
            yield from database.execute(sql, values).fetchall()


def _written_ns(journal: Path) -> int:
    """When the journal was last written to, on the wall clock; 0 while there is none."""
    try:
        return journal.with_name(f"{journal.name}-wal").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _monotonic_ns(wall_ns: int) -> int:
    return wall_ns - time.time_ns() + time.monotonic_ns()


def _row(epoch: str, seq: int, payload: bytes) -> Row:
    """A record's members as they stand in its bytes; who doubts them asks the ledger's proof."""
    members = json.loads(payload)
    return Row(
        epoch=epoch,
        seq=seq,
        at_ms=int(members["at_ms"]),
        mono_ms=int(members["mono_ms"]),
        kind=str(members["kind"]),
        result=str(members["result"]),
        reason=str(members["reason"]),
        holder=str(members.get("holder", "")),
        detail=str(members.get("detail", "")),
        way=Way.JOURNALLED,
    )
