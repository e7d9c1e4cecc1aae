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


class BrokenPins(SimulatedPin):
    """Pins whose wires are off while they are in ``dead``: (name, whether to go on or off)."""

    dead: frozenset[tuple[str, bool]] = frozenset()

    def _set_state(self, value: float) -> None:
        self._try(on=value > 0)
        super()._set_state(value)

    def _set_frequency(self, value: float | None) -> None:
        self._try(on=value is not None)
        super()._set_frequency(value)

    def _try(self, *, on: bool) -> None:
        if (self.info.name, on) in {(f"GPIO{PINS[name]}", to) for name, to in BrokenPins.dead}:
            raise OSError("line is gone")


DEAD_BUZZER = frozenset({("buzzer", True), ("buzzer", False)})
UNLIT_RING = frozenset({("ring", True)})


@pytest.fixture
def broken(wall: tuple[Panel, Outside]) -> Iterator[type[BrokenPins]]:
    wall[0].factory.pin_class = BrokenPins
    yield BrokenPins
    BrokenPins.dead = frozenset()


def play_whole(indicator: GpioIndicator, outside: Outside) -> None:
    """Play a short pattern that uses all three outputs, to its end."""
    before = len(outside.edges("cross"))
    beeps = (Beep(1000, 20), Beep(0, 20), Beep(1000, 20))
    # The cross goes dark last.
    indicator.play(Pattern(beeps, ring=Blink(10, 10, 60), cross=Blink(70, 0, 70)))
    outside.until(lambda: len(outside.edges("cross")) == before + 2)


@pytest.mark.parametrize(
    ("dead", "detail"),
    [(DEAD_BUZZER, "buzzer: line is gone"), (UNLIT_RING, "ring: line is gone")],
)
def test_an_output_that_fails_is_reported_once_and_once_when_it_works_again(
    wall: tuple[Panel, Outside],
    broken: type[BrokenPins],
    dead: frozenset[tuple[str, bool]],
    detail: str,
) -> None:
    inside, outside = wall
    reports = Reports()
    indicator = indicator_of(inside, reports)
    broken.dead = dead
    for _ in range(3):
        play_whole(indicator, outside)
    assert reports.told == [("indicator", detail)]
    broken.dead = frozenset()
    play_whole(indicator, outside)
    assert reports.told == [("indicator", detail), ("indicator", "")]
    indicator.close()


def test_of_two_outputs_that_fail_one_is_reported_and_both_must_work_again(
    wall: tuple[Panel, Outside], broken: type[BrokenPins]
) -> None:
    inside, outside = wall
    reports = Reports()
    indicator = indicator_of(inside, reports)
    broken.dead = DEAD_BUZZER | UNLIT_RING
    play_whole(indicator, outside)
    broken.dead = UNLIT_RING
    play_whole(indicator, outside)
    assert reports.told == [("indicator", "buzzer: line is gone")]
    broken.dead = frozenset()
    play_whole(indicator, outside)
    assert reports.told[1:] == [("indicator", "")]
    indicator.close()


def test_a_dead_lamp_does_not_silence_the_tone(
    wall: tuple[Panel, Outside], broken: type[BrokenPins]
) -> None:
    inside, outside = wall
    indicator = indicator_of(inside)
    broken.dead = UNLIT_RING
    indicator.play(SIGNALS[Signal.DONE])
    outside.until(lambda: outside.edges("buzzer") == [2000, 0])
    indicator.close()


def test_pins_that_are_taken_are_told_and_none_stays_claimed(wall: tuple[Panel, Outside]) -> None:
    inside, _ = wall
    report = Reports()
    with pytest.raises(DeviceError, match="indicator"):
        GpioIndicator(buzzer=18, ring=18, cross=6, factory=inside.factory, report=report)
    indicator_of(inside).close()
