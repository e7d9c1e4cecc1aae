"""A whole town for the walk tests: real pcscd, broker, ledger and terminal, cards on the reader.

What a test knows of the terminal it knows from outside: the edges of its pins as they come through
an inherited pipe, its journal and the ledger's database as files, the cards' own traces. A tap is
acknowledged when the tone of success begins; from that edge on it must never be lost.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from drivers.virtual_cards.card import VirtualCard
from provisioning.demo.commands import off_list
from provisioning.demo.hand import Hand
from provisioning.demo.panel import Edge
from provisioning.demo.proof import Proven, prove
from provisioning.demo.stage import Stage
from terminal.core.reasons import Reason
from terminal.core.rules import Language
from tests.pcsc_sandbox import Pcscd

SUCCESS_HZ = 2000
REFUSED_HZ = 440
AGAIN_HZ = 1000
DONE_HZ = SUCCESS_HZ
TONES = frozenset({SUCCESS_HZ, REFUSED_HZ, AGAIN_HZ})
TAP_WITHIN_S = 12.0
LOOK_EVERY_S = 0.005
QUIET_MS = 350
"""Longer than any pause within a tone of ours."""
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Tap:
    """One presence of a card: from and until (monotonic ms), the first tone's hertz (0: none)."""

    card: str
    from_ms: int
    until_ms: int
    tone_hz: int
    tone_ms: int

    @property
    def acknowledged(self) -> bool:
        """Whether the person was told that it went well."""
        return self.tone_hz == SUCCESS_HZ


@dataclass
class Wall:
    """A started stage with the edges of its terminal."""

    stage: Stage
    pcscd: Pcscd
    edges: list[Edge] = field(default_factory=list)
    taps: list[Tap] = field(default_factory=list)

    def tap(
        self,
        key: str,
        card: VirtualCard | None = None,
        *,
        within_s: float = TAP_WITHIN_S,
        patience_s: float = 20,
    ) -> Tap:
        """Hold a card there until a tone begins (or ``within_s`` passes), then take it away."""
        began_ns = time.monotonic_ns()
        presence = self.stage.hand.hold(key, card or self.stage.cards[key], patience_s)
        try:
            tone = self.tone_since(began_ns, within_s)
        finally:
            self.stage.hand.take(presence)
        # Like a person, who is gone before the next one comes.
        self.wait_until_absent()
        until_ms = time.monotonic_ns() // NS_PER_MS
        hertz, at_ms = (tone.value, tone.mono_ns // NS_PER_MS) if tone is not None else (0, 0)
        tap = Tap(key, began_ns // NS_PER_MS, until_ms, hertz, at_ms)
        self.taps.append(tap)
        return tap

    def start_ledger(self) -> None:
        """Start the ledger again."""
        self.stage.ledger.start(self.stage.town.ledger_command())

    def wait_until_absent(self) -> None:
        """Let pcscd, which asks every 400 ms, see that no card lies there; let a tone end."""
        gone_ns = time.monotonic_ns()
        deadline_ns = gone_ns + 3000 * NS_PER_MS
        while time.monotonic_ns() < deadline_ns:
            tones = [edge for edge in list(self.edges)[-40:] if edge.pin == "buzzer"]
            silent = not tones or tones[-1].value == 0
            last_ns = max([gone_ns + 100 * NS_PER_MS, *(edge.mono_ns for edge in tones[-1:])])
            if silent and time.monotonic_ns() - last_ns > QUIET_MS * NS_PER_MS:
                return
            time.sleep(LOOK_EVERY_S)

    def tone_since(self, began_ns: int, within_s: float) -> Edge | None:
        """The first tone that begins after ``began_ns``."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            for edge in reversed(list(self.edges)):
                if edge.mono_ns < began_ns:
                    break
                if edge.pin == "buzzer" and edge.value in TONES:
                    return edge
            time.sleep(LOOK_EVERY_S)
        return None

    def released_since(self, mono_ms: int) -> int:
        """How often the strike was released from that moment on."""
        return sum(
            edge.pin == "strike" and edge.value == 1 and edge.mono_ns >= mono_ms * NS_PER_MS
            for edge in list(self.edges)
        )

    def reason_of(self, tap: Tap) -> str:
        """The reason in the tap's one record, from the terminal's journal."""
        self.stage.look()
        (row,) = [
            row
            for row in self.stage.since(tap.from_ms)
            if row.kind != "terminal" and row.mono_ms <= tap.until_ms
        ]
        return row.reason

    def wait(self, what: Callable[[], bool], within_s: float = 60.0) -> None:
        """Wait for a condition; fails with what the logs say."""
        if self.stage.wait_for(what, within_s, alive=False):
            return
        logs = sorted(self.stage.town.places.logs.iterdir())
        tails = "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in logs)
        raise AssertionError(f"it did not come about within {within_s} s\n{tails}")

    def wait_until_proven(self, within_s: float = 90.0) -> Proven:
        """Until every record has its receipt; then what the ledger's database proves."""
        self.wait(lambda: self.stage.counts().waiting == 0, within_s)
        return prove(self.stage.town.town, self.stage.town.places.ledger)

    def off_list(self, others: Iterable[VirtualCard] = ()) -> list[str]:
        """Commands outside the hand-written list that any card has heard, and PINs."""
        cards = [*self.stage.cards.values(), *others]
        pins = [f"{card.verifies} PINs" for card in cards if card.verifies]
        return pins + [one for card in cards for one in off_list(card.trace)]


def lost_or_doubled(proven: Proven, taps: Iterable[Tap]) -> list[str]:
    """Acknowledged taps without their one granted record in the ledger, and taps with several."""
    wrong = []
    for tap in taps:
        reasons = [
            str(one["reason"])
            for one in proven.members
            if tap.from_ms <= int(str(one["mono_ms"])) <= tap.until_ms and one["kind"] != "terminal"
        ]
        granted = reasons.count(Reason.PERMITTED)
        if granted > 1 or (tap.acknowledged and granted != 1):
            wrong.append(f"{tap}: {reasons}")
    return wrong


@contextmanager
def town(folder: Path, pcscd: Pcscd, *, keep: Path | None = None) -> Iterator[Wall]:
    """A started town whose terminal reads its cards through the real pcscd."""
    edges: list[Edge] = []
    with Stage(
        Language.JA, keep=keep or folder / "demo", rush=False, slot="pcsc", on_edge=edges.append
    ) as stage:
        stage.hand = Hand(pcscd.slots[0])
        stage.start(lambda _step: None)
        yield Wall(stage, pcscd, edges)
