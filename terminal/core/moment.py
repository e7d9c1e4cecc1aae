"""When something happened, and how far the clock could be trusted then.

Wall time is for records and people, monotonic time is for durations. The monotonic clock starts
anew at each boot, so it is only ever compared within one boot id.
"""

from dataclasses import dataclass
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
    """One moment: aware UTC wall time, boot id, monotonic ms within that boot, clock quality."""

    at: datetime
    boot: str
    mono_ms: int
    quality: ClockQuality

    @property
    def at_ms(self) -> int:
        """Wall time as whole UTC milliseconds since 1970; exact, never rounded."""
        return (self.at - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """Aware UTC wall time of ``ms`` milliseconds since 1970; exact.

    Raises:
        OverflowError: the number is outside what a date can hold (years 1 to 9999).
    """
    return EPOCH + timedelta(milliseconds=ms)
