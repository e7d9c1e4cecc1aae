"""Proving a journal on disk as a whole: for the desk, not for the start of a terminal."""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from terminal.journal_file import JournalDamagedError
from terminal.journal_rows import Spoilt, Stored, last_number, lost_by, open_read_only, rows
from terminal.wire.chain import Verdict, verify_chain
from terminal.wire.messages import entry_of
from terminal.wire.signed import RECORD, PublicKey, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed


def prove(path: Path, keys: Iterable[PublicKey]) -> Verdict:
    """Walk the whole chain on disk, signatures included; about 10,000 records a second.

    Raises:
        JournalError: the file cannot be read at all.
    """
    known = tuple(keys)
    try:
        with contextlib.closing(open_read_only(path)) as connection:
            found = tuple(rows(connection, 0, last_number(connection), known))
    except sqlite3.Error as error:
        raise JournalDamagedError(f"{path} cannot be read: {error}") from error
    declared: dict[int, str] = {}
    for one in found:
        with contextlib.suppress(SignatureInvalid, Malformed):
            if isinstance(one, Stored):
                lost = lost_by(entry_of(verify(RECORD, one.payload, known)))
                declared.update([lost] if lost is not None else [])
    spoilt = {one.seq for one in found if isinstance(one, Spoilt)}
    payloads = (
        one.payload if isinstance(one, Stored) else b""
        for one in found
        if one.seq not in spoilt & declared.keys()
    )
    return verify_chain(payloads, known, declared=declared)
