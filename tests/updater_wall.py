"""A terminal's updater on a simulated town hall, without its thread and with time that is moved."""

from datetime import UTC, datetime
from pathlib import Path

from terminal.core.events import PublicationRefused, RulesActivated
from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.rules import Rules
from terminal.updater import Activated, Emitted, Updater
from terminal.updater_road import Subscribe
from terminal.wire.messages import CfgState
from tests.town_hall import TERMINAL, TownHall


class Wall:
    """A terminal's updater without its thread: ``turn`` makes it do what is due.

    ``clock`` is its monotonic time in seconds; each look at it moves it by ``tick``. While
    ``loop_hangs`` its loop goes on deciding by the rules of before.
    """

    def __init__(
        self,
        hall: TownHall,
        folder: Path,
        terminal: str = TERMINAL,
        least: int = 0,
        subscribe: Subscribe | None = None,
    ) -> None:
        self.emitted: list[Emitted] = []
        self.clock, self.tick = 0.0, 0.0
        self.healthy, self.loop_hangs = True, False
        self._taken: Rules | None = None
        self.updater = Updater(
            hall.settings(folder, terminal, least),
            subscribe or hall.broker.subscribe,
            self.emitted.append,
            stamp,
            healthy=lambda: self.healthy,
            now=self._now,
        )
        self.updater.set_rules_source(self._in_force)
        self.stored = self.updater.load_active()
        self.updater.listen()

    def turn(self, after_s: float = 1000) -> None:
        """Let ``after_s`` pass, so that no pause holds it back, and let it do what is due."""
        self.clock += after_s
        self.updater.turn()

    def hold_loop(self) -> None:
        """Let the loop go on deciding by the present rules until ``loop_hangs`` is no more."""
        self._taken, self.loop_hangs = self.rules, True

    def close(self) -> None:
        self.updater.stop()

    @property
    def rules(self) -> Rules:
        """The rules that were activated last."""
        return [one.rules for one in self.emitted if isinstance(one, RulesActivated)][-1]

    @property
    def refusals(self) -> list[tuple[str, str]]:
        """All refusals that were told: reason and file."""
        told = [one for one in self.emitted if isinstance(one, PublicationRefused)]
        return [(one.reason, one.file) for one in told]

    @property
    def states(self) -> list[str]:
        """What was reported as the state of configuration, in order."""
        return [one.state for one in self.emitted if isinstance(one, CfgState)]

    @property
    def activated(self) -> list[int]:
        """The numbers of the publications that were put into force, in order."""
        return [one.active.number for one in self.emitted if isinstance(one, Activated)]

    def _in_force(self) -> Rules:
        if not self.loop_hangs:
            self._taken = self.rules
        assert self._taken is not None
        return self._taken

    def _now(self) -> float:
        self.clock += self.tick
        return self.clock


def stamp() -> Stamp:
    """A moment; which one is of no account."""
    return Stamp(datetime.now(UTC), "boot", 0, ClockQuality(ClockState.SYNCED))
