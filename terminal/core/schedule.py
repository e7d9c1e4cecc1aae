"""The weekly hours in which a permit counts.

Thin on purpose: intervals by weekday, to the minute, in the town's own time zone. Holiday
calendars and special days join here.
"""

from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``start`` up to but not including ``end`` on each of ``weekdays`` (Monday is 0).

    ``end`` 00:00 means the end of the day.
    """

    weekdays: frozenset[int]
    start: time
    end: time

    def covers(self, local: datetime) -> bool:
        """Whether the local wall time falls into this interval."""
        if local.weekday() not in self.weekdays:
            return False
        moment = local.time()
        return self.start <= moment and (self.end == time(0) or moment < self.end)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A named set of intervals; no intervals means always."""

    id: str
    intervals: tuple[Interval, ...] = ()

    @property
    def unlimited(self) -> bool:
        """Whether it holds at every hour, so that no clock is needed."""
        return not self.intervals

    def covers(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether the instant ``at`` (aware) lies within the schedule in time zone ``zone``."""
        local = at.astimezone(zone)
        return self.unlimited or any(interval.covers(local) for interval in self.intervals)


ALWAYS = Schedule("always")
