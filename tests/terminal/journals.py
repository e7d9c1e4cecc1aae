"""Journals for tests: one key, records in them, and a hand that spoils them on disk."""

import contextlib
import sqlite3
from pathlib import Path

from terminal.core.reasons import Note, Result
from terminal.core.records import Entry, RecordKind
from terminal.journal import Journal, Stored
from terminal.wire.chain import declaration
from tests.terminal.wall import moment, tap
from tests.town_ca import new_key

KEY = new_key()
PUBLIC = KEY.public_key()


def opened(path: Path, *, ballast: int = 0, capacity: int = 100_000) -> Journal:
    return Journal.open(path, "ent-1", KEY, ballast=ballast, capacity=capacity)


def taps(journal: Journal, count: int) -> list[Stored]:
    return [journal.append([tap(moment(second))])[0] for second in range(count)]


def unreadable(seq: int, digest: str) -> Entry:
    return Entry(
        RecordKind.TERMINAL,
        Result.NOTED,
        Note.RECORD_UNREADABLE,
        moment(),
        detail=declaration(seq, digest),
    )


def spoil(path: Path, seq: int, column: str = "payload") -> None:
    """Change one bit of that column of record ``seq``."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as hand:
        found = hand.execute(f"SELECT {column} FROM record WHERE seq = ?", (seq,)).fetchone()  # noqa: S608 - ours
        changed = bytes([found[0][0] ^ 1]) + found[0][1:]
        hand.execute(f"UPDATE record SET {column} = ? WHERE seq = ?", (changed, seq))  # noqa: S608 - ours
