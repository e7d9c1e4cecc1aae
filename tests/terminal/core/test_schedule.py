"""The hours in which a permit counts."""

from datetime import UTC, datetime, time

import pytest

from terminal.core.rules import TOWN_TIME
from terminal.core.schedule import ALWAYS, Interval, Schedule

OFFICE = Schedule("office", (Interval(frozenset({0, 1, 2, 3, 4}), time(7, 30), time(19)),))
UNTIL_MIDNIGHT = Schedule("late", (Interval(frozenset({5}), time(22), time(0)),))


def town(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A local moment in November 2026 (the 25th is a Wednesday), as an aware instant."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=TOWN_TIME).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "covered"),
    [
        (town(25, 7, 30), True),
        (town(25, 7, 29, 59), False),
        (town(25, 18, 59, 59), True),
        (town(25, 19), False),
        (town(28, 12), False),
    ],
)
def test_office_hours_begin_on_the_minute_and_end_before_theirs(
    moment: datetime, *, covered: bool
) -> None:
    assert OFFICE.covers(moment, TOWN_TIME) is covered


def test_an_end_at_midnight_is_the_end_of_that_day() -> None:
    assert UNTIL_MIDNIGHT.covers(town(28, 23, 59, 59), TOWN_TIME)
    assert not UNTIL_MIDNIGHT.covers(town(29, 0), TOWN_TIME)
    assert not UNTIL_MIDNIGHT.covers(town(28, 21, 59), TOWN_TIME)


def test_a_schedule_without_intervals_always_covers() -> None:
    assert ALWAYS.unlimited
    assert ALWAYS.covers(town(29, 3), TOWN_TIME)
    assert not OFFICE.unlimited
