"""A reader under test: a wall reader with one place for virtual cards, and waiting by deadline."""

import time
from collections.abc import Callable
from pathlib import Path

from drivers.pcsc import PcscReader
from drivers.virtual_cards.vpcd import Address
from terminal.cards.identify import identify
from terminal.cards.profile import allow_list
from terminal.core.credential import Credential, Unreadable
from terminal.ports import CardMute, CardTorn, FieldChange
from tests.terminal.cards import card_table
from tests.terminal.wire import card_zoo

PATIENCE_S = 10.0
BUDGET_MS = 3000
ALLOWED = allow_list(card_table.profiles())


class Desk:
    """A reader, where cards are laid on it, and what it told so far."""

    def __init__(self, reader: PcscReader, place: Address) -> None:
        self.reader = reader
        self.place = place
        self.told: list[FieldChange] = []
        self.met = False
        self.asked = card_table.challenges()

    def until(self, kind: str, within_s: float = PATIENCE_S) -> FieldChange:
        """Wait for a change of this kind; what comes before it is kept in `told`."""
        end = time.monotonic() + within_s
        while (left := end - time.monotonic()) > 0:
            change = self._next(left)
            if change is not None and change.kind == kind:
                return change
        raise AssertionError(f"no {kind} within {within_s} s; told: {self.kinds()}")

    def quiet(self, for_s: float) -> bool:
        """Whether nothing is told for so long."""
        return self._next(for_s) is None

    def _next(self, for_s: float) -> FieldChange | None:
        """The next change, kept in `told`; that there is a reader at all is only told by `met`."""
        change = self.reader.wait(for_s)
        if change is not None and change.kind == "back" and not self.told and not self.met:
            self.met = True
            return self._next(for_s)
        if change is not None:
            self.told.append(change)
        return change

    def kinds(self) -> list[str]:
        return [change.kind for change in self.told]

    def read(self, budget_ms: int = BUDGET_MS) -> Credential | Unreadable:
        """Hold one conversation as the terminal does."""
        try:
            with self.reader.converse(budget_ms) as channel:
                return identify(
                    channel,
                    card_table.profiles(),
                    card_zoo.trust(),
                    card_zoo.now_known(),
                    self.asked,
                )
        except CardTorn:
            return Unreadable.TORN
        except CardMute:
            return Unreadable.MUTE


def eventually(condition: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"did not come true within {within_s} s"
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process lives (one that has ended and is not yet fetched does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
