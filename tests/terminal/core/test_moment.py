"""Stamps and their exactness."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.credential import Assurance
from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms
from tests.terminal.core import scene

LAST_MS = 253402300799999


@given(st.integers(min_value=0, max_value=LAST_MS))
def test_milliseconds_survive_the_round_trip_exactly(ms: int) -> None:
    assert Stamp(from_ms(ms), "b", 0, scene.SYNCED).at_ms == ms


def test_from_ms_is_utc() -> None:
    assert from_ms(0) == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("state", ClockState)
def test_only_an_unknown_clock_is_not_known(state: ClockState) -> None:
    assert ClockQuality(state).known is (state is not ClockState.UNKNOWN)


@pytest.mark.parametrize("level", Assurance)
def test_an_assurance_is_found_by_its_word(level: Assurance) -> None:
    assert Assurance.from_word(level.word) is level


def test_an_unknown_assurance_is_refused_with_the_three_there_are() -> None:
    with pytest.raises(ValueError, match="identified, authenticated, two-factor"):
        Assurance.from_word("certain")
