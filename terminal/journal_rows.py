"""Reading a journal's rows: what still can be read, and what a disk has spoilt.

A row holds a record's wire bytes and their hash. When the two do not fit each other, the record's
own signature decides which of them is right. What cannot be read is named with its number and
hash, as far as the hash can still be known from the row or from the record behind it; it is
declared by a new record, never passed over in silence.

Rules: SQL lives in the ``journal`` files only. A reader has its own read-only connection, is used
by one thread, and sees no record before its commit has been told to it by the journal.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from terminal.core.moment import Stamp
from terminal.core.reasons import Note
from terminal.core.records import Entry
from terminal.wire.chain import GENESIS, declared_in, hash_of
from terminal.wire.messages import Head, head_members
from terminal.wire.signed import (
    HEAD,
    RECORD,
    PrivateKey,
    PublicKey,
    SignatureInvalid,
    sign,
    verify,
)
from terminal.wire.strict_json import Malformed

_BATCH = 200
# Cast, because a spoilt row may claim that its bytes are text.
_SOME = (
    "SELECT seq, CAST(hash AS BLOB), CAST(payload AS BLOB) FROM record WHERE seq BETWEEN ? AND ?"
)
_ONE = "SELECT CAST(hash AS BLOB), CAST(payload AS BLOB) FROM record WHERE seq = ?"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record on disk: its number, its wire bytes, their SHA-256 in hex."""

    seq: int
    payload: bytes
    hash: str


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A record that the disk no longer gives back; ``hash`` is "" where it cannot be known."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Marks:
    """How far the journal reaches, and up to where the ledger has given receipts."""

    committed: int
    received: int


def rows(
    connection: sqlite3.Connection, after: int, upto: int, keys: tuple[PublicKey, ...]
) -> Iterator[Stored | Spoilt]:
    """Each record with ``after`` < number <= ``upto``, in order, none left out.

    Raises:
        sqlite3.OperationalError: the disk does not answer; nothing is known of its records.
    """
    start = after + 1
    while start <= upto:
        end = min(start + _BATCH - 1, upto)
        yield from _batch(connection, start, end, keys)
        start = end + 1


def last_number(connection: sqlite3.Connection) -> int:
    """The highest number on disk, 0 when there is none."""
    (number,) = connection.execute("SELECT ifnull(max(seq), 0) FROM record").fetchone()
    return int(number)


def lost_by(entry: Entry) -> tuple[int, str] | None:
    """Number and hash of the record that ``entry`` declares unreadable, if it is such an entry."""
    if entry.reason is not Note.RECORD_UNREADABLE:
        return None
    return declared_in(entry.detail)


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class JournalReader:
    """The link's view of the journal: what is committed and not yet received, in order."""

    def __init__(
        self,
        path: Path,
        whose: tuple[str, str],
        marks: Callable[[], Marks],
        key: PrivateKey,
        keys: tuple[PublicKey, ...],
    ) -> None:
        self.terminal, self.epoch = whose
        self._path = path
        self._marks = marks
        self._key = key
        self._keys = keys
        self._connection: sqlite3.Connection | None = None

    def marks(self) -> Marks:
        """The journal's marks as of its last commit."""
        return self._marks()

    def pending(self, after: int, limit: int) -> tuple[Stored | Spoilt, ...]:
        """Up to ``limit`` committed records behind number ``after``.

        Raises:
            sqlite3.Error: the disk cannot be read at all just now.
        """
        upto = min(self._marks().committed, after + limit)
        return tuple(rows(self._open(), after, upto, self._keys))

    def declaration_of(self, seq: int) -> Stored | None:
        """The record that declares number ``seq`` unreadable, once there is one."""
        found = self._open().execute("SELECT seq FROM declared WHERE lost = ?", (seq,)).fetchone()
        if found is None or found[0] > self._marks().committed:
            return None
        for one in rows(self._open(), found[0] - 1, found[0], self._keys):
            if isinstance(one, Stored):
                return one
        return None

    def head(self, stamp: Stamp) -> bytes:
        """The signed head: number and hash of the newest committed record (0 and GENESIS: none).

        Raises:
            sqlite3.Error: the disk cannot be read at all just now.
        """
        seq, digest = self._marks().committed, GENESIS
        for one in rows(self._open(), seq - 1, seq, self._keys) if seq else ():
            digest = one.hash
        head = Head(self.terminal, self.epoch, seq, digest, stamp.boot, stamp.mono_ms, stamp.at_ms)
        return sign(HEAD, head_members(head), self._key)

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = open_read_only(self._path)
        return self._connection


def _batch(
    connection: sqlite3.Connection, start: int, end: int, keys: tuple[PublicKey, ...]
) -> Iterator[Stored | Spoilt]:
    found: dict[int, tuple[object, object]] = {}
    try:
        found = {row[0]: row[1:] for row in connection.execute(_SOME, (start, end))}
    except sqlite3.DatabaseError as error:
        _unless_damage(error)
        # One bad page fails the whole query: take the rows one by one.
        for seq in range(start, end + 1):
            found.update(_alone(connection, seq))
    for seq in range(start, end + 1):
        yield _judge(connection, seq, found.get(seq, (None, None)), keys)


def _alone(connection: sqlite3.Connection, seq: int) -> dict[int, tuple[object, object]]:
    try:
        row = connection.execute(_ONE, (seq,)).fetchone()
    except sqlite3.DatabaseError as error:
        _unless_damage(error)
        return {}
    return {} if row is None else {seq: row}


def _unless_damage(error: sqlite3.DatabaseError) -> None:
    """Raise ``error`` unless it says that bytes are wrong.

    A disk that does not answer just now must not make lost records of readable ones.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        raise error


def _judge(
    connection: sqlite3.Connection,
    seq: int,
    row: tuple[object, object],
    keys: tuple[PublicKey, ...],
) -> Stored | Spoilt:
    digest = row[0].hex() if isinstance(row[0], bytes) else ""
    payload = row[1] if isinstance(row[1], bytes) else b""
    own = hash_of(payload)
    if (own == digest and f'"seq":{seq},'.encode() in payload) or _proven(seq, payload, keys):
        return Stored(seq, payload, own)
    return Spoilt(seq, _hash_behind(connection, seq, keys) or _plausible(digest))


def _proven(seq: int, payload: bytes, keys: tuple[PublicKey, ...]) -> bool:
    """Whether the record's own signature vouches for it, so that only its stored hash is bad."""
    try:
        return verify(RECORD, payload, keys).get("seq") == seq
    except (SignatureInvalid, Malformed):
        return False


def _hash_behind(connection: sqlite3.Connection, seq: int, keys: tuple[PublicKey, ...]) -> str:
    """What the record behind ``seq`` says of it, if that one can be proven."""
    for _, payload in _alone(connection, seq + 1).values():
        try:
            if isinstance(payload, bytes):
                return str(verify(RECORD, payload, keys).get("prev", ""))
        except (SignatureInvalid, Malformed):
            break
    return ""


def _plausible(digest: str) -> str:
    return digest if len(digest) == len(GENESIS) else ""
