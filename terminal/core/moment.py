"""When something happened, and how far the clock could be trusted then.

Wall time is for records and people, monotonic time is for durations. The monotonic clock starts
anew at each boot, so it is only ever compared within one boot id.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockState(StrEnum):
    """Where wall time came from."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    RTC = "rtc"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ClockQuality:
    """The clock's state, seconds since it last agreed with a source, estimated error in ms."""

    state: ClockState
    age_s: int = 0
    error_ms: int = 0

    @property
    def known(self) -> bool:
        """Whether wall time may be held against hours and dates."""
        return self.state is not ClockState.UNKNOWN


@dataclass(frozen=True, slots=True)
class Stamp:
    """One moment: aware UTC wall time, boot id, monotonic ms within that boot, clock quality.

    ``floor`` is a time that had certainly passed by then; it serves decisions and is not recorded.
    """

    at: datetime
    boot: str
    mono_ms: int
    quality: ClockQuality
    floor: datetime | None = field(default=None, compare=False)

    @property
    def passed(self) -> datetime:
        """What an end is held against: wall time, or the floor while the clock is unknown.

        An unknown clock may also be far ahead, and must not end what has not ended.
        """
        return self.at if self.quality.known or self.floor is None else self.floor

    @property
    def at_ms(self) -> int:
        """Wall time as whole UTC milliseconds since 1970; exact, never rounded."""
        return ms_of(self.at)


def ms_of(at: datetime) -> int:
    """Whole UTC milliseconds since 1970 of an aware time; cut, never rounded up."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Aware UTC wall time of ``ms`` milliseconds since 1970; exact.

    Raises:
        OverflowError: the number is outside what a date can hold (years 1 to 9999).
    """
    return EPOCH + timedelta(milliseconds=ms)
