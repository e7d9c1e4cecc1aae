"""A journal as files: making it whole or not at all, opening it, setting it aside.

What each error asks for: ``JournalError`` can be tried again, ``JournalInUseError`` means that
another process must end first, ``JournalDamagedError`` that only a new journal helps.
"""

import contextlib
import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from terminal.journal_disk import InUseError, Lock, sync_folder
from terminal.journal_rows import Spoilt, last_number, rows
from terminal.wire.chain import GENESIS
from terminal.wire.signed import RECORD, PublicKey, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed

_Keys = tuple[PublicKey, ...]

_APPLICATION_ID = 0x6B7A7375
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE journal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    terminal TEXT NOT NULL, epoch TEXT NOT NULL, received INTEGER NOT NULL) STRICT;
CREATE TABLE record (
    seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, payload BLOB NOT NULL) STRICT;
CREATE TABLE declared (lost INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
"""
_EPOCH = re.compile(rb"[0-9a-f]{16}")
# Small pages: a commit writes whole ones, and a record has some 700 bytes.
_PAGE_BYTES = 2048
# Pages in the log before they go into the main file. Few, because one bad byte in the log hides
# all records behind it, while one in the main file spoils one page.
_CHECKPOINT_PAGES = 64


class JournalError(Exception):
    """The journal could not do it; the text says what and why. It can be tried again."""


class JournalInUseError(JournalError):
    """Another process has this journal open."""


class JournalDamagedError(JournalError):
    """The journal cannot be gone on with; see ``set_aside``."""


@dataclass(frozen=True, slots=True)
class Found:
    """An open journal: who it belongs to, how far receipts go, its newest record."""

    path: Path
    lock: Lock
    connection: sqlite3.Connection
    terminal: str
    epoch: str
    received: int
    seq: int
    hash: str


def open_journal(path: Path, terminal: str, keys: _Keys) -> Found:
    """Lock and open the journal at ``path``, making it if there is none.

    Raises:
        JournalInUseError, JournalDamagedError, JournalError: as ``Journal.open``.
    """
    with _in_our_words(path):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = Lock(path.with_name(path.name + ".lock"))
        except InUseError as error:
            raise JournalInUseError(f"the journal is in use: {error}") from error
        with contextlib.ExitStack() as undo:
            undo.callback(lock.release)
            _ensure(path, terminal)
            connection = undo.enter_context(contextlib.closing(connect(path)))
            _check_version(connection, path)
            found = _found(path, lock, connection, keys)
            if found.terminal != terminal:
                raise JournalError(f"{path} is the journal of {found.terminal}, not {terminal}")
            undo.pop_all()
        return found


def set_aside(path: Path) -> Path:
    """Move a damaged journal's files out of the way, into a new folder beside it.

    What can still be read there is for people: its records without receipt are in no ledger yet.

    Raises:
        OSError: they cannot be moved.
    """
    number = 1
    while (folder := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    folder.mkdir(mode=0o700)
    for one in files_of(path):
        if one.exists():
            one.rename(folder / one.name)
    sync_folder(path.parent)
    return folder


def files_of(path: Path) -> tuple[Path, ...]:
    """The database with its log and the log's index, whether they are there or not."""
    return (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"))


def connect(path: Path) -> sqlite3.Connection:
    """The writer's connection to a journal that exists."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _ensure(path: Path, terminal: str) -> None:
    """Make a journal where there is none; an empty file is not none."""
    if path.exists():
        if path.stat().st_size == 0:
            raise JournalDamagedError(f"{path} is empty, which no journal ever is")
        return
    if any(one.exists() for one in files_of(path)):
        raise JournalDamagedError(f"{path} is gone, but its log is still there")
    draft = path.with_name(path.name + ".new")
    for one in (*files_of(draft), draft.with_name(draft.name + "-journal")):
        one.unlink(missing_ok=True)
    os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        connection.executescript(_SCHEMA)
        whose = (terminal, secrets.token_hex(8))
        connection.execute("INSERT INTO journal VALUES (1, ?, ?, 0)", whose)
    draft.rename(path)
    sync_folder(path.parent)


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        raise JournalDamagedError(f"{path} is no journal")
    if version != _SCHEMA_VERSION:
        raise JournalError(f"{path} has format {version}, this software reads {_SCHEMA_VERSION}")


def _found(path: Path, lock: Lock, connection: sqlite3.Connection, keys: _Keys) -> Found:
    row = connection.execute(
        "SELECT CAST(terminal AS BLOB), CAST(epoch AS BLOB), received FROM journal"
    ).fetchone()
    terminal, epoch, received = row or (b"", b"", 0)
    if not isinstance(received, int) or _EPOCH.fullmatch(epoch or b"") is None:
        raise JournalDamagedError(f"{path} does not say whose journal it is")
    terminal, epoch = terminal.decode(errors="replace"), epoch.decode()
    seq, digest = _tail(path, connection, epoch, keys)
    if received > seq:
        raise JournalDamagedError(f"{path} has lost its end: it once had {received} records")
    return Found(path, lock, connection, terminal, epoch, received, seq, digest)


def _tail(path: Path, connection: sqlite3.Connection, epoch: str, keys: _Keys) -> tuple[int, str]:
    """Number and hash to go on from."""
    seq = last_number(connection)
    if seq == 0:
        return 0, GENESIS
    (last,) = rows(connection, seq - 1, seq, keys)
    if isinstance(last, Spoilt):
        # Its number may be what is spoilt: going on from a wrong one would hide those behind it.
        (count,) = connection.execute("SELECT count(*) FROM record").fetchone()
        if not last.hash or count != seq:
            raise JournalDamagedError(f"the end of {path} cannot be read")
    else:
        try:
            members = verify(RECORD, last.payload, keys)
        except (SignatureInvalid, Malformed) as error:
            text = f"the last record of {path} is not by this terminal's key: {error}"
            raise JournalDamagedError(text) from error
        if (members.get("epoch"), members.get("seq")) != (epoch, seq):
            raise JournalDamagedError(f"the last record of {path} is of another journal")
    return seq, last.hash


@contextlib.contextmanager
def _in_our_words(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise JournalError(f"{path} cannot be opened: {error}") from error
    except sqlite3.Error as error:
        raise JournalDamagedError(f"{path} is damaged: {error}") from error
