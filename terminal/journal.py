"""The terminal's journal: numbered, chained, signed records that outlive a power cut.

What the core wants written down becomes a record here: it gets the next number, the hash of the
record before it and the device key's signature, and is committed and synced before ``append``
returns. The journal is also the outbox: the link drains it, and a receipt from the ledger moves
the cursor. Nothing else ever takes a record out of what is pending, and nothing edits one.

Rules:
- SQLite in WAL mode with synchronous=FULL; one writer, the loop's thread. A second process is
  refused by a lock.
- All entries of one ``append`` are committed or none is. After a failed commit the connection is
  given up: SQLite may have left a whole commit in its log although the sync failed, so whatever
  lies behind the last acknowledged record is removed before the next one is written. (If the
  power goes in between, that record stays: recorded but not acted upon, as if it had gone a
  moment later.)
- A new journal is made aside and moved into place whole, so an empty or missing half is damage
  and never "no records yet". Damage at the root is an error; ``set_aside`` keeps the files for
  people to look at, and a new journal begins a new epoch, which the town hall sees.
- The receipts' cursor is written with the next commit and on closing. Losing it costs a few
  records sent twice; the broker keeps the last receipt anyway.
- Nothing is pruned: that has to carry over state first, which no use of the card here needs yet.
"""

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

from terminal.core.records import Entry
from terminal.journal_disk import BALLAST, Ballast
from terminal.journal_file import (
    Found,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    connect,
    open_journal,
    set_aside,
)
from terminal.journal_rows import (
    JournalReader,
    Marks,
    Spoilt,
    Stored,
    last_number,
    lost_by,
    rows,
)
from terminal.journal_state import CAPACITY, WARN_PERCENT, JournalState, room
from terminal.wire.chain import hash_of
from terminal.wire.messages import entry_of, record_members
from terminal.wire.signed import RECORD, PrivateKey, PublicKey, SignatureInvalid, sign, verify
from terminal.wire.strict_json import Malformed

__all__ = [
    "CAPACITY",
    "WARN_PERCENT",
    "Journal",
    "JournalDamagedError",
    "JournalError",
    "JournalInUseError",
    "JournalReader",
    "JournalState",
    "Marks",
    "Spoilt",
    "Stored",
    "set_aside",
]

log = logging.getLogger(__name__)


class Journal:
    """The pen. Made by ``Journal.open``; used by one thread, the reader by another."""

    def __init__(
        self,
        found: Found,
        key: PrivateKey,
        keys: tuple[PublicKey, ...],
        capacity: int,
        ballast: Ballast,
    ) -> None:
        self.terminal = found.terminal
        self.epoch = found.epoch
        self._path = found.path
        self._lock = found.lock
        self._connection: sqlite3.Connection | None = found.connection
        self._key = key
        self._keys = keys
        self._capacity = capacity
        self._ballast = ballast
        self._seq, self._hash = found.seq, found.hash
        self._stored_cursor = found.received
        self._marks = Marks(found.seq, found.received)
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def open(
        cls,
        path: Path,
        terminal: str,
        key: PrivateKey,
        *,
        former: Iterable[PublicKey] = (),
        capacity: int = CAPACITY,
        ballast: int = BALLAST,
    ) -> Self:
        """Open the journal at ``path``; where there is none, begin one with a new epoch.

        Args:
            path: the database file; its lock and reserve lie beside it.
            terminal: whose journal it is.
            key: signs new records.
            former: public keys that this terminal signed older records with.
            capacity: how many records without receipt count as 100 %.
            ballast: bytes held in reserve for a full disk, 0 for none.

        Raises:
            JournalInUseError: another process has it.
            JournalDamagedError: it cannot be gone on with.
            JournalError: the disk does not let us, or it is another terminal's or a newer one.
        """
        keys = (key.public_key(), *former)
        found = open_journal(path, terminal, keys)
        reserve = Ballast(path.with_name(path.name + ".ballast"), ballast)
        reserve.lay()
        return cls(found, key, keys, capacity, reserve)

    def append(self, entries: Sequence[Entry]) -> tuple[Stored, ...]:
        """Write ``entries`` as the next records, in one commit, synced to disk.

        Raises:
            JournalError: they are not recorded, none of them; the journal can be tried again.
        """
        try:
            batch = tuple(self._records(entries))
        except ValueError as error:
            raise JournalError(f"the entry makes no record: {error}") from error
        try:
            self._commit(batch, entries)
        except sqlite3.Error as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._ballast.give():
                raise JournalError(f"not recorded: {error}") from error
            log.warning("the disk is full; the journal goes on in its reserve")
            try:
                self._commit(batch, entries)
            except sqlite3.Error as second:
                raise JournalError(f"not recorded: {second}") from second
        self._tell()
        return batch

    def receive(self, upto: int, digest: str) -> bool:
        """Take a receipt for all records up to ``upto``, whose hash is said to be ``digest``.

        Returns whether it counts: its hash is this journal's own. An older one changes nothing.
        """
        if not 0 < upto <= self._seq:
            return False
        try:
            (found,) = rows(self._live(), upto - 1, upto, self._keys)
        except sqlite3.Error as error:
            log.warning("a receipt for %d could not be held against the disk: %s", upto, error)
            return False
        if found.hash != digest:
            return False
        if upto > self._marks.received:
            self._marks = Marks(self._seq, upto)
            self._tell()
        return True

    def resend_from(self, seq: int) -> None:
        """Have the records from number ``seq`` on sent again, whatever receipts there were.

        Raises:
            JournalError: that could not be written down.
        """
        self._marks = Marks(self._seq, max(0, min(self._marks.received, seq - 1)))
        try:
            self._commit((), ())
        except sqlite3.Error as error:
            raise JournalError(f"the cursor could not be moved: {error}") from error
        self._tell()

    def head(self) -> tuple[int, str]:
        """Number and hash of the newest record; 0 and 64 zeros when there is none."""
        return self._seq, self._hash

    def marks(self) -> Marks:
        """How far records and receipts reach. Any thread."""
        return self._marks

    def reader(self) -> JournalReader:
        """A view of what is pending, for one other thread."""
        whose = (self.terminal, self.epoch)
        return JournalReader(self._path, whose, self.marks, self._key, self._keys)

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each commit and receipt; it must only hand on."""
        self._listeners.append(listener)

    def records(self, after: int = 0) -> Iterator[Stored | Spoilt]:
        """All records behind number ``after``, in order, with what is spoilt among them.

        Raises:
            JournalError: the disk does not answer.
        """
        try:
            yield from rows(self._live(), after, self._seq, self._keys)
        except sqlite3.Error as error:
            raise JournalError(f"{self._path} cannot be read: {error}") from error

    def entries(self, after: int = 0) -> Iterator[tuple[int, Entry]]:
        """Number and entry of each record behind ``after`` that can be read, to fold state from.

        A record that is spoilt or that this software does not understand is left out with a
        warning; the link reports the spoilt ones.

        Raises:
            JournalError: the disk does not answer.
        """
        for one in self.records(after):
            if isinstance(one, Spoilt):
                log.warning("record %d is unreadable on disk", one.seq)
                continue
            try:
                yield one.seq, entry_of(verify(RECORD, one.payload, self._keys))
            except (SignatureInvalid, Malformed) as error:
                log.warning("record %d is not understood: %s", one.seq, error)

    def state(self) -> JournalState:
        """Counts and room; also lays the reserve in again where there is room for it.

        Raises:
            OSError: the disk is gone.
        """
        self._ballast.lay()
        pending = self._marks.committed - self._marks.received
        percent, free_mb = room(self._path, pending, self._capacity)
        oldest_ms = self._oldest_pending_ms()
        return JournalState(
            self.epoch, self._seq, self._hash, pending, self._seq, oldest_ms, percent, free_mb
        )

    def close(self) -> None:
        """Write the cursor, tidy the log, let the next process in; idempotent."""
        if self._connection is not None and self._marks.received != self._stored_cursor:
            with contextlib.suppress(sqlite3.Error):
                self._commit((), ())
        self._give_up()
        self._lock.release()

    def _records(self, entries: Sequence[Entry]) -> Iterator[Stored]:
        seq, digest = self._seq, self._hash
        for entry in entries:
            seq += 1
            members = record_members(entry, self.terminal, self.epoch, seq, digest)
            payload = sign(RECORD, members, self._key)
            digest = hash_of(payload)
            yield Stored(seq, payload, digest)

    def _commit(self, batch: Sequence[Stored], entries: Sequence[Entry]) -> None:
        received = self._marks.received
        try:
            connection = self._live()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO record VALUES (?, ?, ?)",
                [(one.seq, bytes.fromhex(one.hash), one.payload) for one in batch],
            )
            for one, entry in zip(batch, entries, strict=True):
                lost = lost_by(entry)
                if lost is not None:
                    connection.execute(
                        "INSERT OR REPLACE INTO declared VALUES (?, ?)", (lost[0], one.seq)
                    )
            if received != self._stored_cursor:
                connection.execute("UPDATE journal SET received = ?", (received,))
            connection.execute("COMMIT")
        except sqlite3.Error:
            self._give_up()
            raise
        self._stored_cursor = received
        if batch:
            self._seq, self._hash = batch[-1].seq, batch[-1].hash
        self._marks = Marks(self._seq, received)

    def _live(self) -> sqlite3.Connection:
        """The connection; after a failed commit a new one, cleared of what was left behind."""
        if self._connection is None:
            connection = connect(self._path)
            try:
                if last_number(connection) > self._seq:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("DELETE FROM record WHERE seq > ?", (self._seq,))
                    connection.execute("DELETE FROM declared WHERE seq > ?", (self._seq,))
                    connection.execute("COMMIT")
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _give_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = None

    def _oldest_pending_ms(self) -> int | None:
        received = self._marks.received
        with contextlib.suppress(JournalError):
            for _, entry in self.entries(received):
                return entry.stamp.at_ms
        return None

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()
