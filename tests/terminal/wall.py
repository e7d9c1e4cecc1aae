"""What the tests of journal and link share: moments, entries, a terminal with a link."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.reasons import Reason, Result
from terminal.core.records import Entry, RecordKind

BOOT = "0123456789abcdef0123456789abcdef"
MORNING = datetime(2026, 11, 24, 8, 29, 58, 123000, tzinfo=UTC)

Found = TypeVar("Found")


def moment(seconds: float = 0) -> Stamp:
    """A stamp ``seconds`` after the morning's first."""
    quality = ClockQuality(ClockState.SYNCED, 12, 3)
    return Stamp(MORNING + timedelta(seconds=seconds), BOOT, int(seconds * 1000), quality)


def now() -> Stamp:
    """A stamp of the machine's own clocks."""
    quality = ClockQuality(ClockState.SYNCED, 0, 1)
    return Stamp(datetime.now(UTC), BOOT, time.monotonic_ns() // 1_000_000, quality)


def tap(stamp: Stamp, holder: str = "h-001") -> Entry:
    """The entry of somebody who was let in."""
    return Entry(
        RecordKind.ACCESS,
        Result.GRANTED,
        Reason.PERMITTED,
        stamp,
        purpose="access",
        publication=7,
        holder=holder,
        profile="piv-town",
        portal="front",
        elapsed_ms=412,
    )


def eventually(look: Callable[[], Found], within_s: float = 20, hint: object = "") -> Found:
    """What ``look`` finds as soon as it is true; fails after ``within_s``."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"did not come true within {within_s} s {hint}"
        time.sleep(0.01)
