"""The ledger's database as a file: made whole, opened safely, one writer.

SQLite in WAL mode with synchronous=FULL: a transaction that has committed is on the disk.
"""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import BinaryIO

from provisioning.authority_files import PRIVATE, sync_folder
from provisioning.ledger.tables import FORM, SCHEMA

_BUSY_S = 5.0


class StoreError(Exception):
    """The database cannot be used; the text names the file and the remedy."""


def lock(path: Path) -> BinaryIO:
    """Hold the lock of the one process that writes to ``path``, until what is returned is closed.

    Raises:
        StoreError: another process holds it.
    """
    held = _private(path.with_name(path.name + ".lock"))
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise StoreError(
            f"another ledger already writes to {path}; there is one for each database"
        ) from None
    return held


def open_to_write(path: Path) -> sqlite3.Connection:
    """Open the database, after making it if there is none; the caller holds its lock.

    Raises:
        StoreError: it is damaged or of a form that is not known.
    """
    try:
        if not path.exists():
            _make(path)
        return _checked(path, _opened(f"{path.absolute().as_uri()}?mode=rw"))
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open the database of a ledger that may be writing to it.

    Raises:
        StoreError: it is not there, damaged or of a form that is not known.
    """
    if not path.is_file():
        raise StoreError(f"{path} is not there; the ledger makes it when it first runs")
    try:
        return _checked(path, _opened(f"{path.absolute().as_uri()}?mode=ro{_medium(path)}"))
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def _opened(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_S)


def _checked(path: Path, db: sqlite3.Connection) -> sqlite3.Connection:
    """Return ``db`` if its tables are of our form; close it otherwise."""
    try:
        db.execute("PRAGMA synchronous=FULL")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found != FORM:
            raise StoreError(
                f"{path} has form {found}, this software knows form {FORM}; "
                "use the software that made it, or a newer one"
            )
    except (sqlite3.Error, StoreError):
        db.close()
        raise
    return db


def _make(path: Path) -> None:
    """Make the database beside its place and move it there: nobody ever sees half of it."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    # Who was where at what time: SQLite gives the files beside it the same mode.
    _private(draft).close()
    db = _opened(draft.absolute().as_uri())
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={FORM};COMMIT;")
    finally:
        db.close()
    draft.replace(path)
    sync_folder(path.parent)


def _private(path: Path) -> BinaryIO:
    """Open a file to append, made for its owner alone if it is not there."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE), "ab")


def _medium(path: Path) -> str:
    """How a file is opened that lies where nothing can be written, as on an auditor's disc."""
    if os.access(path.parent, os.W_OK):
        return ""
    wal = path.with_name(path.name + "-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreError(f"copy {path} and {wal.name} together to where can be written, first")
    return "&immutable=1"
