"""Buzzer and lamps: plays one pattern at a time, the newest wins.

A thread of this driver plays; ``play`` only hands the pattern over. Tone and lamps of a pattern
are one timeline from one beginning, the tone's edge first where several are due at once. The
buzzer is a passive one, so its pitch is ours: a square wave by PWM at half duty.

Every pattern tries every output anew. The first output that fails is reported, and again when all
of them work. An output counts as failing until it takes what it refused, on or off: a lamp that
cannot be lit but can be darkened would otherwise fail and recover within each pattern.
"""

import heapq
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from gpiozero import DigitalOutputDevice, Factory, PWMOutputDevice

from terminal.core.signals import DARK, Beep, Blink, Pattern
from terminal.ports import DeviceError, DeviceReport

logger = logging.getLogger(__name__)

DEVICE = "indicator"
_SILENT_DARK = Pattern((), DARK, DARK)
_HALF_DUTY = 0.5
_CLOSE_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Edge:
    """At ``ms`` after a pattern's beginning ``output`` takes ``value`` (Hz, or 0 and 1)."""

    ms: int
    output: str
    value: int


def edges(pattern: Pattern) -> Iterator[Edge]:
    """A pattern's timeline; every output is set at 0 ms. Endless where a lamp blinks for ever."""
    return heapq.merge(
        _tone(pattern.tone),
        _lamp("ring", pattern.ring),
        _lamp("cross", pattern.cross),
        key=lambda edge: edge.ms,
    )


class GpioIndicator:
    """The ``Indicator`` port over three GPIO outputs."""

    def __init__(
        self, *, buzzer: int, ring: int, cross: int, factory: Factory, report: DeviceReport
    ) -> None:
        """Silent and dark; then start the player. Pins are GPIO numbers of gpiozero's ``factory``.

        Raises:
            DeviceError: a pin cannot be driven; none stays claimed.
        """
        self._report = report
        self._changed = threading.Condition()
        self._pattern: Pattern | None = None
        self._closed = False
        self._failing: set[tuple[str, bool]] = set()
        """Outputs that failed, each with whether it was to go on or off."""
        with ExitStack() as opened:
            try:
                self._buzzer = PWMOutputDevice(buzzer, pin_factory=factory)
                opened.callback(self._buzzer.close)
                self._lamps = {}
                for name, pin in (("ring", ring), ("cross", cross)):
                    self._lamps[name] = DigitalOutputDevice(pin, pin_factory=factory)
                    opened.callback(self._lamps[name].close)
            except Exception as error:
                raise DeviceError(f"indicator: {error}") from error
            self._devices = opened.pop_all()
        self._player = threading.Thread(target=self._play_on, name="indicator", daemon=True)
        self._player.start()

    def play(self, pattern: Pattern) -> None:
        """Start ``pattern`` in place of whatever plays; returns at once."""
        with self._changed:
            self._pattern = pattern
            self._changed.notify()

    def close(self) -> None:
        """Silent, dark, pins let go; idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        self._player.join(_CLOSE_WITHIN_S)
        for edge in edges(_SILENT_DARK):
            self._set(edge)
        self._devices.close()

    def _play_on(self) -> None:
        while (pattern := self._next()) is not None:
            began = time.monotonic()
            for edge in edges(pattern):
                if self._ended_before(began + edge.ms / 1000):
                    break
                self._set(edge)

    def _next(self) -> Pattern | None:
        """The newest pattern, when there is one; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._pattern is not None or self._closed)
            pattern, self._pattern = self._pattern, None
            return None if self._closed else pattern

    def _ended_before(self, moment: float) -> bool:
        """Wait until ``moment`` (monotonic s); True if another pattern or the end came first."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._pattern is not None or self._closed,
                timeout=max(0.0, moment - time.monotonic()),
            )

    def _set(self, edge: Edge) -> None:
        try:
            if edge.output != "buzzer":
                self._lamps[edge.output].value = edge.value
            elif edge.value:
                self._buzzer.frequency = edge.value
                self._buzzer.value = _HALF_DUTY
            else:
                self._buzzer.value = 0
        except Exception as error:  # noqa: BLE001 - a dead lamp must not silence the buzzer
            self._failed(edge, str(error))
        else:
            self._worked(edge)

    def _failed(self, edge: Edge, detail: str) -> None:
        what = (edge.output, edge.value > 0)
        if what in self._failing:
            return
        logger.warning("indicator: %s failed: %s", edge.output, detail)
        first = not self._failing
        self._failing.add(what)
        if first:
            self._report(DEVICE, f"{edge.output}: {detail}")

    def _worked(self, edge: Edge) -> None:
        what = (edge.output, edge.value > 0)
        if what not in self._failing:
            return
        self._failing.remove(what)
        if not self._failing:
            self._report(DEVICE, "")


def _tone(beeps: tuple[Beep, ...]) -> Iterator[Edge]:
    at = 0
    for beep in beeps:
        yield Edge(at, "buzzer", beep.hertz)
        at += beep.ms
    yield Edge(at, "buzzer", 0)


def _lamp(name: str, blink: Blink) -> Iterator[Edge]:
    if blink.on_ms == 0:
        yield Edge(0, name, 0)
        return
    if blink.off_ms == 0:
        yield Edge(0, name, 1)
        if blink.total_ms:
            yield Edge(blink.total_ms, name, 0)
        return
    at = 0
    while blink.total_ms == 0 or at < blink.total_ms:
        yield Edge(at, name, 1)
        yield Edge(at + blink.on_ms, name, 0)
        at += blink.on_ms + blink.off_ms
