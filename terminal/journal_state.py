"""How a journal is, in numbers: for health, for the alarm that it fills."""

from dataclasses import dataclass
from pathlib import Path

from terminal.journal_disk import free_bytes
from terminal.journal_file import files_of

CAPACITY = 100_000
"""Records without receipt that count as full: more than 100 working days of a busy entrance."""

WARN_PERCENT = (70, 90)
"""From how full on operations are told."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """Newest record, records without receipt and in all, room.

    ``oldest_pending_ms`` is the wall time of the oldest record without receipt (None: there is
    none); ``percent`` how full, the greater of records and disk; ``free_mb`` of the disk.
    """

    epoch: str
    seq: int
    hash: str
    pending: int
    total: int
    oldest_pending_ms: int | None
    percent: int
    free_mb: int


def room(path: Path, pending: int, capacity: int) -> tuple[int, int]:
    """How full (percent) the journal at ``path`` and its disk are, and what is free (MB).

    Raises:
        OSError: the disk is gone.
    """
    free = free_bytes(path.parent)
    taken = sum(one.stat().st_size for one in files_of(path) if one.exists())
    by_disk = 100 * taken // max(1, taken + free)
    by_records = 100 * pending // capacity
    return min(100, max(by_records, by_disk)), free // 1_000_000
