"""The loop: next event -> ``step`` -> perform its effects, in order.

One thread owns all state. ``Record`` guards the list of effects: the new state and everything
behind it count only once the journal has committed, so no strike, tone or screen ever speaks of
something that is not on disk. Where the commit fails, both are dropped and ``RecordFailed`` goes
to ``step``. Effects in front of a ``Record`` (an exit request's release) are performed whatever
the disk does.

A device that fails becomes an event, never a crash. An exception out of ``step`` is a fault of
ours, yet one strange card must not restart the terminal: it is logged, noted in the journal, the
old state stays, the loop goes on. The last events are kept in memory so that such a fault can be
replayed in a test.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from terminal.clock import Clock
from terminal.core import effects as to_do
from terminal.core import events
from terminal.core.controller import step
from terminal.core.effects import Effect
from terminal.core.events import Event
from terminal.core.feedback import SIGNALS
from terminal.core.moment import Stamp
from terminal.core.notes import note
from terminal.core.reasons import Alarm, Note
from terminal.core.state import State
from terminal.inbox import Due, Inbox
from terminal.journal import Journal, JournalError
from terminal.ports import DeviceError, Display, Indicator, Strike

log = logging.getLogger(__name__)

TRACE_LENGTH = 2000
IDLE_S = 1.0
CHORES_EVERY_S = 60.0


class Letter(Protocol):
    """What other threads hand to the loop besides events: something to do between two events."""

    def open(self, loop: "Service") -> None:
        """Do it, on the loop's thread."""
        ...


Item = Event | Letter


@dataclass(frozen=True, slots=True)
class Outputs:
    """The devices that effects act on. One terminal drives one strike, that of its portal."""

    strike: Strike
    indicator: Indicator
    display: Display
    alarm: Callable[[Alarm, bool, str], None]


class Service:
    """Owns the state, the timers and the journal's pen."""

    def __init__(
        self,
        inbox: Inbox[Item],
        clock: Clock,
        journal: Journal,
        outputs: Outputs,
        state: State,
        beat: Callable[[], None],
        chores: Callable[[], None],
    ) -> None:
        self.state = state
        self.journal = journal
        self.trace: deque[Event] = deque(maxlen=TRACE_LENGTH)
        self._inbox = inbox
        self._clock = clock
        self._outputs = outputs
        self._beat = beat
        self._chores = chores
        self._stopping = False
        self._failing: set[str] = set()

    def run(self) -> None:
        """Handle events until ``stop``; the calling thread becomes the loop.

        ``chores`` are done every minute, between two events.
        """
        next_chores = time.monotonic() + CHORES_EVERY_S
        while not self._stopping:
            self._beat()
            item = self._inbox.next(IDLE_S)
            if item is not None:
                self.handle(item)
            if time.monotonic() >= next_chores:
                next_chores = time.monotonic() + CHORES_EVERY_S
                self._guarded(self._chores)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Work beside the events: its fault is logged, and cards are read all the same."""
        try:
            work()
        except Exception:
            log.exception("work between two events failed")

    def stop(self) -> None:
        """Let ``run`` return after the present event. Any thread, also a signal's."""
        self._stopping = True

    def handle(self, item: Item | Due) -> None:
        """One event, timer or letter, whole."""
        if isinstance(item, Due):
            self.take(events.TimerDue(self._clock.stamp(), item.timer))
        elif isinstance(item, Event):
            self.take(item)
        else:
            self._guarded(partial(item.open, self))

    def take(self, event: Event) -> None:
        """Step on ``event`` and perform what follows from it."""
        if not (isinstance(event, events.TimerDue) and event.timer == "second"):
            self.trace.append(event)
        try:
            state, effects = step(self.state, event)
        except Exception:
            log.exception("step failed on %s; the event is dropped", type(event).__name__)
            name = type(event).__name__
            self.state = note(self.state, event.stamp, Note.STEP_FAILED, name)
            self._inbox.set_timer("notes", 0)
            return
        self._perform(event.stamp, state, effects)

    def _perform(self, stamp: Stamp, state: State, effects: Sequence[Effect]) -> None:
        if not any(isinstance(effect, to_do.Record) for effect in effects):
            self.state = state
        for effect in effects:
            if isinstance(effect, to_do.Record):
                try:
                    self.journal.append(effect.entries)
                except JournalError as error:
                    log.warning("not recorded: %s", error)
                    self.take(events.RecordFailed(self._clock.stamp(), effect.entries, str(error)))
                    return
                self.state = state
            else:
                self._do(stamp, effect)

    def _do(self, stamp: Stamp, effect: Effect) -> None:
        match effect:
            case to_do.ReleaseStrike(_, duration_ms):
                self._try(stamp, "strike", lambda: self._outputs.strike.release(duration_ms))
            case to_do.Indicate(signal):
                pattern = SIGNALS[signal]
                self._try(stamp, "indicator", lambda: self._outputs.indicator.play(pattern))
            case to_do.Show(screen):
                self._try(stamp, "display", lambda: self._outputs.display.show(screen))
            case to_do.SetTimer(timer, after_ms):
                self._inbox.set_timer(timer, after_ms)
            case to_do.CancelTimer(timer):
                self._inbox.cancel_timer(timer)
            case to_do.SetAlarm(alarm, on, detail):
                self._outputs.alarm(alarm, on, detail)

    def _try(self, stamp: Stamp, device: str, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - a driver's fault must not end the loop
            text = str(error) if isinstance(error, DeviceError) else type(error).__name__
            log.warning("%s failed: %s", device, text)
            self._failing.add(device)
            self._inbox.put(events.DeviceFailed(stamp, device, text))
        else:
            if device in self._failing:
                self._failing.remove(device)
                self._inbox.put(events.DeviceBack(stamp, device))
