"""Patterns as they are played: tone and lamps from one beginning, the newest wins."""

from collections.abc import Iterator
from itertools import islice

import pytest

from drivers.indicator import Edge, GpioIndicator, edges
from drivers.simulated import PINS, Panel, SimulatedPin
from terminal.core.feedback import SIGNALS
from terminal.core.signals import DARK, Beep, Blink, Pattern, Signal
from terminal.ports import DeviceError
from tests.drivers.outside import Outside, Reports, panel


@pytest.fixture
def wall() -> Iterator[tuple[Panel, Outside]]:
    with panel() as both:
        yield both


def indicator_of(inside: Panel, reports: Reports | None = None) -> GpioIndicator:
    pins = {name: PINS[name] for name in ("buzzer", "ring", "cross")}
    return GpioIndicator(**pins, factory=inside.factory, report=reports or Reports())


def test_the_timeline_of_done_is_its_tone_and_a_steady_ring() -> None:
    assert list(edges(SIGNALS[Signal.DONE])) == [
        Edge(0, "buzzer", 2000),
        Edge(0, "ring", 1),
        Edge(0, "cross", 0),
        Edge(120, "buzzer", 0),
        Edge(1500, "ring", 0),
    ]


@pytest.mark.parametrize("signal", list(Signal))
def test_every_pattern_sets_all_three_outputs_at_once_the_tone_first(signal: Signal) -> None:
    first = list(islice(edges(SIGNALS[signal]), 3))
    assert [edge.ms for edge in first] == [0, 0, 0]
    assert [edge.output for edge in first] == ["buzzer", "ring", "cross"]


@pytest.mark.parametrize("signal", list(Signal))
def test_every_pattern_ends_silent_and_only_an_unending_lamp_stays_lit(signal: Signal) -> None:
    pattern = SIGNALS[signal]
    last = {edge.output: edge.value for edge in edges(pattern)}
    assert last["buzzer"] == 0
    assert last["ring"] == 0
    assert last["cross"] == int(signal is Signal.CANNOT_RECORD)


def test_a_lamp_may_blink_for_ever() -> None:
    pattern = Pattern((), ring=Blink(on_ms=100, off_ms=50), cross=DARK)
    lit = [edge.ms for edge in islice(edges(pattern), 400) if edge.value]
    assert lit[:4] == [0, 150, 300, 450]
    assert len(lit) > 150


def test_the_tone_is_heard_first_and_for_its_time(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    indicator.play(SIGNALS[Signal.DONE])
    outside.until(lambda: outside.edges("buzzer") == [2000, 0])
    assert outside.order()[0] == ("buzzer", 2000)
    assert 120 <= outside.times_ms("buzzer")[1] < 1000
    assert outside.edges("ring") == [1]
    indicator.close()


def test_two_beeps_are_two_beeps(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    indicator.play(SIGNALS[Signal.AGAIN])
    outside.until(lambda: outside.edges("buzzer") == [1000, 0, 1000, 0])
    outside.until(lambda: outside.edges("ring")[:3] == outside.edges("cross")[:3] == [1, 0, 1])
    indicator.close()


def test_the_newest_pattern_ends_the_one_before(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    indicator.play(SIGNALS[Signal.CANNOT_RECORD])
    outside.until(lambda: outside.edges("cross") == [1])
    indicator.play(SIGNALS[Signal.DONE])
    outside.until(lambda: outside.edges("cross") == [1, 0])
    assert outside.edges("buzzer")[:2] == [440, 2000]
    indicator.close()


def test_a_change_of_pitch_is_one_edge(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    indicator.play(Pattern((Beep(2000, 20), Beep(1500, 20)), DARK, DARK))
    outside.until(lambda: outside.edges("buzzer") == [2000, 1500, 0])
    indicator.close()


def test_closing_is_silent_dark_and_final(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    indicator.play(SIGNALS[Signal.CANNOT_RECORD])
    outside.until(lambda: outside.order() == [("buzzer", 440), ("cross", 1)])
    indicator.close()
    indicator.close()
    outside.until(lambda: outside.order()[2:] == [("buzzer", 0), ("cross", 0)])
    indicator_of(inside).close()  # the pins are free again


class DeadLamp(SimulatedPin):
    """The ring's pin, whose wire is off while ``dead``."""

    dead = True

    def _set_state(self, value: float) -> None:
        if DeadLamp.dead and value and self.info.name == f"GPIO{PINS['ring']}":
            raise OSError("line is gone")
        super()._set_state(value)


def test_a_dead_lamp_is_reported_once_and_the_tone_still_sounds(
    wall: tuple[Panel, Outside],
) -> None:
    inside, outside = wall
    inside.factory.pin_class = DeadLamp
    reports = Reports()
    indicator = indicator_of(inside, reports)
    indicator.play(SIGNALS[Signal.DONE])
    outside.until(lambda: outside.edges("buzzer") == [2000, 0])
    assert reports.told[0] == ("indicator", "ring: line is gone")
    indicator.close()


def test_pins_that_are_taken_are_told_and_none_stays_claimed(wall: tuple[Panel, Outside]) -> None:
    inside, _ = wall
    report = Reports()
    with pytest.raises(DeviceError, match="indicator"):
        GpioIndicator(buzzer=18, ring=18, cross=6, factory=inside.factory, report=report)
    indicator_of(inside).close()
