"""Writing one record down: the journal's whole ``append`` beside the least that a disk can do.

Ours: number, chain, signature, SQLite commit, sync. Bare: as many bytes written to the end of a
plain file, then fdatasync. Both in one folder, in turns.
"""

import os
import secrets
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from terminal.journal import Journal
from tests.terminal.wall import now, tap

WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Commits:
    """Milliseconds of each side, in pairs, and how many bytes a record had."""

    ours_ms: list[float]
    bare_ms: list[float]
    record_bytes: int


def measure(folder: Path, count: int) -> Commits:
    """Write ``count`` records on each side into ``folder``."""
    ours, bare = [], []
    size = 0
    journal = Journal.open(
        folder / "bench.sqlite", "bench", ec.generate_private_key(ec.SECP256R1())
    )
    plain = os.open(folder / "bench.plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with closing(journal):
            for number in range(WARM_UP + count):
                entry = tap(now())
                began = time.perf_counter_ns()
                (stored,) = journal.append([entry])
                committed = time.perf_counter_ns()
                size = len(stored.payload)
                line = secrets.token_bytes(size)
                between = time.perf_counter_ns()
                os.write(plain, line)
                os.fdatasync(plain)
                synced = time.perf_counter_ns()
                if number >= WARM_UP:
                    ours.append((committed - began) / 1e6)
                    bare.append((synced - between) / 1e6)
    finally:
        os.close(plain)
    return Commits(ours, bare, size)


def filesystem(folder: Path) -> str:
    """The kind of file system that ``folder`` lies on, as ext4; on tmpfs a sync costs nothing."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, name, *_ = line.split(" ")
        place = point.replace("\\040", " ")
        if folder.resolve().is_relative_to(place) and len(place) >= len(best):
            best, kind = place, name
    return kind
