"""What the ledger holds. All SQL about records stands here and in ``tables``.

SQLite in WAL mode with synchronous=FULL: a transaction that has committed is on the disk. The SQL
keeps to what PostgreSQL knows as well (standard types, ON CONFLICT, no SQLite functions), so that
a large town can follow; ``database`` and ``arrival`` (there an identity column) are what would
change.

Rules: records are only ever added. ``Store`` is for the one process that writes (a lock file says
so); everybody else opens a ``Reading``. Bytes are stored as received; the other columns repeat
what the bytes say, for lists and totals, and prove nothing.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar, get_type_hints

from provisioning.authority_files import make_folder
from provisioning.ledger.admission import Counted, Quarantined
from provisioning.ledger.alarms import LedgerAlarm, Raised
from provisioning.ledger.database import StoreError, lock, open_to_read, open_to_write
from provisioning.ledger.tables import (
    Link,
    StoredAlarm,
    StoredHead,
    StoredQuarantined,
    StoredReceipt,
    StoredRecord,
)
from terminal.wire.chain import hash_of
from terminal.wire.messages import Head, Receipt

MOST_QUARANTINED = 10_000
"""No more is put aside for one terminal: whoever sends rubbish must not fill the disk."""
MOST_QUARANTINED_IN_ALL = 50_000
"""Nor for all terminals together; of at most 4096 bytes each."""
MOST_ALARMS = 20_000
"""No more alarms are listed; a new one beyond them is only counted."""

_LAST = 2**63 - 1
_Row = TypeVar("_Row")

_RECORDS = "SELECT terminal, epoch, seq, hash, payload, received_ms FROM records"
_ADD = (
    "INSERT INTO records (terminal, epoch, seq, hash, prev, payload, key_id, received_ms,"
    " kind, result, reason, holder, boot, mono_ms, at_ms)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (terminal, epoch, seq, hash) DO NOTHING"
)


class Reading:
    """The database as it is committed; for anybody. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_to_read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; idempotent."""
        self._db.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever is committed meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def records(self, newest: int | None = None) -> Iterator[StoredRecord]:
        """Every record in order of arrival; or only the ``newest``, the last one first."""
        order = "arrival" if newest is None else "arrival DESC LIMIT ?"
        return self._rows(StoredRecord, f"{_RECORDS} ORDER BY {order}", newest)

    def links(self, terminal: str, epoch: str, first: int = 1, last: int = _LAST) -> Iterator[Link]:
        """Places of the records from number ``first`` to ``last``; of clones, the earlier first."""
        sql = (
            "SELECT seq, hash, prev, boot, mono_ms FROM records"
            " WHERE terminal = ? AND epoch = ? AND seq BETWEEN ? AND ? ORDER BY seq, arrival"
        )
        return self._rows(Link, sql, terminal, epoch, first, min(last, _LAST))

    def newest(self, terminal: str, epoch: str) -> Link | None:
        """The place of the record with the highest number, or None."""
        sql = (
            "SELECT seq, hash, prev, boot, mono_ms FROM records"
            " WHERE terminal = ? AND epoch = ? ORDER BY seq DESC, arrival LIMIT 1"
        )
        return next(self._rows(Link, sql, terminal, epoch), None)

    def in_boot(self, terminal: str, epoch: str, boot: str, last: int) -> bool:
        """Whether a record up to number ``last`` was made in ``boot``."""
        sql = (
            "SELECT 1 FROM records WHERE terminal = ? AND epoch = ? AND boot = ? AND seq <= ?"
            " LIMIT 1"
        )
        return self._db.execute(sql, (terminal, epoch, boot, last)).fetchone() is not None

    def epoch_of(self, terminal: str, digest: str) -> str | None:
        """In which epoch the terminal's record with that hash is held, or None."""
        row = self._db.execute(
            "SELECT epoch FROM records WHERE hash = ? AND terminal = ?", (digest, terminal)
        ).fetchone()
        return None if row is None else str(row[0])

    def declared(self, terminal: str, epoch: str) -> dict[int, str]:
        """Numbers and hashes of the records that were declared lost."""
        sql = "SELECT seq, hash FROM declared WHERE terminal = ? AND epoch = ?"
        return dict(self._db.execute(sql, (terminal, epoch)))

    def receipts(self) -> Iterator[StoredReceipt]:
        """The last receipt of every epoch, in the order in which they were given."""
        return self._rows(
            StoredReceipt,
            "SELECT terminal, epoch, upto, hash, commit_ms, payload FROM receipts"
            " ORDER BY commit_ms, terminal, epoch",
        )

    def receipt(self, terminal: str, epoch: str) -> StoredReceipt | None:
        """The last receipt of one epoch, or None."""
        sql = (
            "SELECT terminal, epoch, upto, hash, commit_ms, payload FROM receipts"
            " WHERE terminal = ? AND epoch = ?"
        )
        return next(self._rows(StoredReceipt, sql, terminal, epoch), None)

    def heads(self) -> Iterator[StoredHead]:
        """The farthest head of every epoch."""
        return self._rows(
            StoredHead,
            "SELECT terminal, epoch, seq, hash, received_ms, payload FROM heads"
            " ORDER BY terminal, epoch",
        )

    def quarantined(self) -> Iterator[StoredQuarantined]:
        """What was put aside, in order of arrival."""
        return self._rows(
            StoredQuarantined,
            "SELECT terminal, reason, detail, payload, received_ms FROM quarantined"
            " ORDER BY arrival",
        )

    def alarms(self) -> Iterator[StoredAlarm]:
        """Every alarm there ever was, the latest first."""
        return self._rows(
            StoredAlarm,
            "SELECT alarm, terminal, epoch, seq, detail, first_ms, last_ms, count, ended_ms"
            " FROM alarms ORDER BY last_ms DESC, terminal, epoch, seq",
        )

    def _rows(self, kind: Callable[..., _Row], sql: str, *values: object) -> Iterator[_Row]:
        given = [value for value in values if value is not None]
        types = tuple(get_type_hints(kind).values())
        for row in self._db.execute(sql, given):
            # SQLite itself would take any value in any column.
            if not all(map(isinstance, row, types)):
                raise StoreError(f"{self.path}: a row holds values of a wrong type: {sql}")
            yield kind(*row)


class Store(Reading):
    """The writer's side; one for each database. Used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        make_folder(path.parent)
        self._lock = lock(path)
        try:
            self._db = open_to_write(path)
        except StoreError:
            self._lock.close()
            raise

    def close(self) -> None:
        """Close the database and give up the lock; idempotent."""
        super().close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is committed and synced together, or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def part(self) -> Iterator[None]:
        """One message within a transaction: if our own code fails on it, only it is undone."""
        self._db.execute("SAVEPOINT part")
        try:
            yield
        except sqlite3.DatabaseError:
            # The disk's fault, not the message's: the whole transaction is undone.
            raise
        except Exception:
            self._db.execute("ROLLBACK TO part")
            self._db.execute("RELEASE part")
            raise
        self._db.execute("RELEASE part")

    def add(self, record: Counted, received_ms: int) -> None:
        """Add a record; nothing happens if these very bytes are held."""
        values = (
            *(record.terminal, record.epoch, record.seq, record.hash, record.prev),
            *(record.payload, record.key, received_ms, record.kind, record.result),
            *(record.reason, record.holder, record.boot, record.mono_ms, record.at_ms),
        )
        self._db.execute(_ADD, values)

    def declare(self, record: Counted, seq: int, digest: str) -> None:
        """Note that ``record`` declares number ``seq`` with hash ``digest`` lost."""
        self._db.execute(
            "INSERT INTO declared (terminal, epoch, seq, hash, by_seq) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (terminal, epoch, seq) DO NOTHING",
            (record.terminal, record.epoch, seq, digest, record.seq),
        )

    def keep_receipt(self, receipt: Receipt, payload: bytes) -> None:
        """Keep the last receipt of an epoch."""
        self._db.execute(
            "INSERT INTO receipts (terminal, epoch, upto, hash, commit_ms, payload)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (terminal, epoch) DO UPDATE SET"
            " upto = excluded.upto, hash = excluded.hash, commit_ms = excluded.commit_ms,"
            " payload = excluded.payload",
            (
                *(receipt.terminal, receipt.epoch, receipt.upto, receipt.hash),
                *(receipt.commit_ms, payload),
            ),
        )

    def keep_head(self, head: Head, received_ms: int, payload: bytes) -> None:
        """Keep the head of an epoch that reaches farthest, as it first came."""
        self._db.execute(
            "INSERT INTO heads (terminal, epoch, seq, hash, received_ms, payload)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (terminal, epoch) DO UPDATE SET"
            " seq = excluded.seq, hash = excluded.hash, received_ms = excluded.received_ms,"
            " payload = excluded.payload WHERE excluded.seq > heads.seq",
            (head.terminal, head.epoch, head.seq, head.hash, received_ms, payload),
        )

    def quarantine(self, aside: Quarantined, received_ms: int) -> bool:
        """Put a message aside; False if the quarantine is full and it was not kept."""
        terminal = aside.raised.terminal
        (own,) = self._db.execute(
            "SELECT COUNT(*) FROM quarantined WHERE terminal = ?", (terminal,)
        ).fetchone()
        (held,) = self._db.execute("SELECT COUNT(*) FROM quarantined").fetchone()
        if own >= MOST_QUARANTINED or held >= MOST_QUARANTINED_IN_ALL:
            return False
        self._db.execute(
            "INSERT INTO quarantined (terminal, hash, reason, detail, payload, received_ms)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (terminal, hash) DO NOTHING",
            (
                *(terminal, hash_of(aside.payload), aside.raised.alarm.value),
                *(aside.raised.detail, aside.payload, received_ms),
            ),
        )
        return True

    def raise_alarm(self, raised: Raised, now_ms: int) -> int:
        """Raise an alarm, or count it once more; returns how often it was raised so far.

        One that had ended begins again, and its count with it. Where the list is full and this
        one is not on it, ALARMS_FULL is raised in its stead.
        """
        if not self._has_room_for(raised):
            raised = Raised(LedgerAlarm.ALARMS_FULL, "", detail=f"the last of them: {raised.alarm}")
        (count,) = self._db.execute(
            "INSERT INTO alarms (alarm, terminal, epoch, seq, detail, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (terminal, epoch, alarm, seq)"
            " DO UPDATE SET detail = excluded.detail, last_ms = excluded.last_ms,"
            " first_ms = CASE WHEN alarms.ended_ms IS NULL THEN alarms.first_ms"
            " ELSE excluded.first_ms END,"
            " count = CASE WHEN alarms.ended_ms IS NULL THEN alarms.count + 1 ELSE 1 END,"
            " ended_ms = NULL RETURNING count",
            (
                *(raised.alarm.value, raised.terminal, raised.epoch, raised.seq),
                *(raised.detail, now_ms, now_ms),
            ),
        ).fetchone()
        return int(count)

    def _has_room_for(self, raised: Raised) -> bool:
        (held,) = self._db.execute("SELECT COUNT(*) FROM alarms").fetchone()
        if held < MOST_ALARMS:
            return True
        known = self._db.execute(
            "SELECT 1 FROM alarms WHERE terminal = ? AND epoch = ? AND alarm = ? AND seq = ?",
            (raised.terminal, raised.epoch, raised.alarm.value, raised.seq),
        )
        return known.fetchone() is not None

    def end_alarm(self, alarm: LedgerAlarm, terminal: str, epoch: str, now_ms: int) -> None:
        """Note that a condition is over; nothing happens if it never was."""
        self._db.execute(
            "UPDATE alarms SET ended_ms = ?"
            " WHERE alarm = ? AND terminal = ? AND epoch = ? AND ended_ms IS NULL",
            (now_ms, alarm.value, terminal, epoch),
        )
