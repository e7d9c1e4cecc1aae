"""A terminal of values only: it takes events and keeps the effects of the last one at hand."""

from datetime import timedelta

from terminal.core import events
from terminal.core.controller import step
from terminal.core.effects import (
    Effect,
    Indicate,
    Record,
    SetAlarm,
    SetTimer,
    Show,
)
from terminal.core.events import Event
from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm
from terminal.core.records import Entry
from terminal.core.rules import Rules
from terminal.core.signals import Signal
from terminal.core.state import State
from tests.terminal.core import scene

NOW = scene.stamp()


class Wall:
    """A terminal's state with the effects of its last event at hand."""

    def __init__(self, rules: Rules | None = None, *, ready: bool = True) -> None:
        self.state = State(rules if rules is not None else scene.rules())
        self.effects: tuple[Effect, ...] = ()
        self.at = NOW
        self.on(events.Started(NOW))
        if ready:
            self.on(events.ReaderBack(NOW), events.TimerDue(NOW, "notes"))

    def on(self, *happened: Event) -> "Wall":
        for event in happened:
            self.before = self.state
            self.state, self.effects = step(self.state, event)
        return self

    def record_fails(self, detail: str = "disk full") -> "Wall":
        """What the service does when the commit of the last step failed: its state is dropped."""
        entries, self.state = self.recorded, self.before
        return self.on(events.RecordFailed(NOW, entries, detail))

    def after(self, **passed: float) -> Stamp:
        return scene.stamp(later=timedelta(**passed))

    def tap(self, number: str = "suzuki-card", at: Stamp = NOW) -> "Wall":
        read = events.CardRead(at, at, scene.card(number))
        return self.on(events.CardSeen(at), read)

    def button(self, button: int) -> "Wall":
        return self.on(events.ButtonPressed(NOW, button))

    @property
    def recorded(self) -> tuple[Entry, ...]:
        return tuple(
            entry
            for effect in self.effects
            if isinstance(effect, Record)
            for entry in effect.entries
        )

    @property
    def shown(self) -> str | None:
        screens = [effect.screen.key for effect in self.effects if isinstance(effect, Show)]
        return screens[-1] if screens else None

    @property
    def signal(self) -> Signal | None:
        said = [effect.signal for effect in self.effects if isinstance(effect, Indicate)]
        return said[-1] if said else None

    @property
    def alarms(self) -> dict[Alarm, bool]:
        return {each.alarm: each.on for each in self.effects if isinstance(each, SetAlarm)}

    @property
    def timers(self) -> dict[str, int]:
        return {each.timer: each.after_ms for each in self.effects if isinstance(each, SetTimer)}
