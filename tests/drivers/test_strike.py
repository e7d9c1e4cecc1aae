"""A door is released for its time, locked by itself, and never opened by a start or a stop."""

import threading
from collections.abc import Iterator

import pytest
from gpiozero.pins.mock import MockFactory

from drivers.simulated import PINS, Panel, SimulatedPin
from drivers.strike import GpioStrike
from terminal.ports import DeviceError
from tests.drivers.outside import Outside, Reports, panel

PIN = PINS["strike"]


@pytest.fixture
def wall() -> Iterator[tuple[Panel, Outside]]:
    with panel() as both:
        yield both


class BrokenPin(SimulatedPin):
    """A pin that refuses the levels in ``refused``, and counts what it was asked."""

    refused: tuple[int, ...] = ()
    asked = 0

    def _set_state(self, value: float) -> None:
        BrokenPin.asked += 1
        if int(value) in BrokenPin.refused:
            raise OSError("GPIO line is gone")
        super()._set_state(value)


@pytest.fixture
def broken(wall: tuple[Panel, Outside]) -> Iterator[type[BrokenPin]]:
    wall[0].factory.pin_class = BrokenPin
    yield BrokenPin
    BrokenPin.refused = ()


def test_a_door_is_released_for_its_time_and_locked_again(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    strike = GpioStrike(PIN, inside.factory, Reports())
    strike.release(80)
    outside.until(lambda: outside.edges("strike") == [1, 0])
    assert 80 <= outside.times_ms("strike")[1] < 1000
    strike.close()


def test_a_second_release_starts_the_time_anew(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    strike = GpioStrike(PIN, inside.factory, Reports())
    strike.release(10_000)
    strike.release(30)
    outside.until(lambda: outside.edges("strike") == [1, 0])
    strike.release(30)
    outside.until(lambda: outside.edges("strike") == [1, 0, 1, 0])
    strike.close()


@pytest.mark.parametrize("asked_ms", [3_600_000, 0, -5])
def test_no_release_is_longer_than_the_longest_or_endless(
    wall: tuple[Panel, Outside], asked_ms: int
) -> None:
    inside, outside = wall
    strike = GpioStrike(PIN, inside.factory, Reports(), longest_ms=50)
    strike.release(asked_ms)
    outside.until(lambda: outside.edges("strike") == [1, 0])
    strike.close()


def test_no_start_and_no_stop_moves_the_strike(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    for _ in range(50):
        GpioStrike(PIN, inside.factory, Reports()).close()
    assert [state.state for state in inside.factory.pin(PIN).states] == [False]
    assert outside.edges("strike") == []


def test_where_low_releases_the_pin_rests_high() -> None:
    factory = MockFactory()
    strike = GpioStrike(PIN, factory, Reports(), active_high=False)
    assert factory.pin(PIN).state
    strike.release(5000)
    assert not factory.pin(PIN).state
    strike.close()
    assert factory.pin(PIN).state
    factory.close()


def test_closing_locks_a_released_door_at_once_and_for_good(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    strike = GpioStrike(PIN, inside.factory, Reports())
    strike.release(30_000)
    strike.close()
    strike.close()
    outside.until(lambda: outside.edges("strike") == [1, 0])
    with pytest.raises(DeviceError, match="closed"):
        strike.release(100)
    assert outside.edges("strike") == [1, 0]


def test_a_pin_that_refuses_to_release_is_told_to_the_caller(
    wall: tuple[Panel, Outside], broken: type[BrokenPin]
) -> None:
    inside, outside = wall
    strike = GpioStrike(PIN, inside.factory, Reports())
    broken.refused = (1,)
    with pytest.raises(DeviceError, match="did not release: GPIO line is gone"):
        strike.release(100)
    broken.refused = ()
    strike.release(20)
    outside.until(lambda: outside.edges("strike") == [1, 0])
    strike.close()


def test_a_pin_that_refuses_to_lock_is_tried_again_until_it_does(
    wall: tuple[Panel, Outside], broken: type[BrokenPin]
) -> None:
    inside, outside = wall
    reports = Reports()
    strike = GpioStrike(PIN, inside.factory, reports)
    strike.release(20)
    broken.refused = (0,)
    tried = broken.asked
    outside.until(lambda: broken.asked >= tried + 3)
    broken.refused = ()
    outside.until(lambda: len(reports.told) == 2)
    assert reports.told == [("strike", "did not lock: GPIO line is gone"), ("strike", "")]
    outside.until(lambda: outside.edges("strike") == [1, 0])
    strike.close()


def test_a_pin_that_cannot_be_had_is_told_with_its_number(wall: tuple[Panel, Outside]) -> None:
    first = GpioStrike(PIN, wall[0].factory, Reports())
    with pytest.raises(DeviceError, match=f"GPIO {PIN}"):
        GpioStrike(PIN, wall[0].factory, Reports())
    first.close()
    GpioStrike(PIN, wall[0].factory, Reports()).close()


def test_nothing_is_left_behind(wall: tuple[Panel, Outside]) -> None:
    before = threading.active_count()
    strike = GpioStrike(PIN, wall[0].factory, Reports())
    assert threading.active_count() == before + 1
    strike.close()
    assert threading.active_count() == before


class Deaf(Reports):
    """Takes no report."""

    def __call__(self, device: str, detail: str) -> None:
        super().__call__(device, detail)
        raise RuntimeError("nobody takes reports")


def test_a_report_that_nobody_takes_does_not_keep_the_door_open(
    wall: tuple[Panel, Outside], broken: type[BrokenPin]
) -> None:
    inside, outside = wall
    reports = Deaf()
    strike = GpioStrike(PIN, inside.factory, reports)
    strike.release(20)
    broken.refused = (0,)
    outside.until(lambda: len(reports.told) == 1)
    broken.refused = ()
    outside.until(lambda: outside.edges("strike") == [1, 0])
    outside.until(lambda: len(reports.told) == 2)
    strike.release(20)
    outside.until(lambda: outside.edges("strike") == [1, 0, 1, 0])
    strike.close()
