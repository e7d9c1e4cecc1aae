"""Faulty cards at a real terminal: each has its reason, tone, lamps and screen, and opens nothing.

Each faulty card is followed by a good one, laid on as soon as a person could: its tone of success
must begin within 5 s of the faulty card's leaving. Every tap makes exactly one record. All faulty
cards but those of other makers hold a key of somebody who may enter: what keeps them out is the
fault alone.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from drivers.virtual_cards import faults
from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.vpcd import Presence
from provisioning import authority
from provisioning.demo.shown import Row
from provisioning.demo.town import PROFILE
from terminal.core.reasons import Reason
from terminal.core.records import RecordKind
from tests.walk import published
from tests.walk.faulty_cards import FAULTS, OWNER, REVOKED, TOLD, Fault, Office, Told, Watched
from tests.walk.screens import Screens
from tests.walk.wall import NS_PER_MS, SUCCESS_HZ, Wall

pytestmark = pytest.mark.real

WORKS_AGAIN_S = 5.0
SHORTEST_STRIKE_MS = 500
NOTICED_WITHIN_S, TOLD_WITHIN_S, SHOWN_WITHIN_S = 10.0, 15.0, 3.0
LOOK_EVERY_S = 0.005
HELD_S, HELD_LONG_S = 8.0, 60.0


@dataclass
class Zoo:
    """A wall, the cards that were held to it, and what came of them."""

    wall: Wall
    office: Office
    screens: Screens
    cards: list[VirtualCard] = field(default_factory=list)
    slowest_s: float = 0.0

    def hold(self, name: str, card: Watched) -> Presence:
        """Lay a card down; returns once the reader has noticed it."""
        self.cards.append(card)
        presence = self.wall.stage.hand.hold(name, card, patience_s=20)
        self.until(lambda: card.came_ns > 0, "the reader gives the card power", NOTICED_WITHIN_S)
        return presence

    def hold_faulty(self, card: Watched, fault: Fault) -> int:
        """One tap of a faulty card, looked at from outside; returns when it had left (ns)."""
        wall = self.wall
        self.until(lambda: not wall.stage.panel.state.strike, "the strike is locked")
        presence = self.hold(fault.name, card)
        tone = wall.tone_since(card.came_ns, TOLD_WITHIN_S)
        assert tone is not None, f"{fault.name}: nobody was told anything"
        reason = self.reason_since(card.came_ns)
        assert reason in fault.reasons, f"{fault.name} was called {reason}"
        self.is_told(TOLD[reason], reason, card.came_ns, tone.value)
        assert wall.released_since(card.came_ns // NS_PER_MS) == (reason is Reason.PERMITTED)
        wall.stage.hand.take(presence)
        return card.left_ns

    def reason_since(self, began_ns: int) -> Reason:
        """The reason in the one record since then; by the time of the tone it must be there."""
        reasons = [row.reason for row in self.taps_since(began_ns)]
        assert len(reasons) == 1, f"one tap, and these records of it: {reasons}"
        return Reason(reasons[0])

    def taps_since(self, began_ns: int) -> list[Row]:
        """The records of taps since then."""
        self.wall.stage.look()
        rows = self.wall.stage.since(began_ns // NS_PER_MS)
        return [row for row in rows if row.kind != RecordKind.TERMINAL]

    def is_told(self, told: Told, reason: Reason, began_ns: int, hertz: int) -> None:
        """Tone, lamps and screen are those of the reason."""
        assert hertz == told.hertz
        if reason is not Reason.PERMITTED:
            screen = self.screens.refusal(reason)
            assert screen.key == told.screen
            frame = self.screens.frame(screen)
            panel = self.wall.stage.panel
            self.until(lambda: panel.state.frame == frame, f"the screen {screen.key} is shown")

        def lit() -> set[str]:
            edges = [edge for edge in list(self.wall.edges) if edge.mono_ns >= began_ns]
            return {edge.pin for edge in edges if edge.pin in {"ring", "cross"} and edge.value}

        self.until(lambda: lit() == told.lamps, f"the lamps {sorted(told.lamps)} are lit")

    def next_one_works(self, left_ns: int) -> None:
        """A good card, as soon as it can be; its tone within 5 s of the other's leaving."""
        card = Watched(self.office.good())
        presence = self.hold(OWNER, card)
        tone = self.wall.tone_since(card.came_ns, TOLD_WITHIN_S)
        assert tone is not None, "the next good card was not answered"
        assert tone.value == SUCCESS_HZ, f"the next good card got {tone.value} Hz"
        assert self.reason_since(card.came_ns) is Reason.PERMITTED
        self.wall.stage.hand.take(presence)
        again_s = (tone.mono_ns - left_ns) / 1e9
        self.slowest_s = max(self.slowest_s, again_s)
        assert again_s <= WORKS_AGAIN_S

    def until(
        self, what: Callable[[], bool], wanted: str, within_s: float = SHOWN_WITHIN_S
    ) -> None:
        end = time.monotonic() + within_s
        while not what():
            assert time.monotonic() < end, f"not within {within_s} s: {wanted}"
            time.sleep(LOOK_EVERY_S)


@pytest.fixture(scope="module")
def zoo(shared_wall: Wall) -> Iterator[Zoo]:
    wall = shared_wall
    town = wall.stage.town.town

    def shorten(access: published.Document) -> None:
        # So short that a release in error would always be an edge.
        access["portals"][0]["strike_ms"] = SHORTEST_STRIKE_MS

    published.edit(town, "access", shorten)
    taken_back = authority.ensure_card(town, REVOKED).certificate
    published.revoke(town, PROFILE, [taken_back.serial_number])
    published.publish(wall)
    office = Office(town, lambda card: wall.tap("good", card).acknowledged)
    zoo = Zoo(wall, office, Screens(wall))
    began_ns = time.monotonic_ns()
    yield zoo
    assert len(zoo.taps_since(began_ns)) == len(zoo.cards) + len(wall.taps)
    assert wall.off_list(zoo.cards) == []
    assert all(card.forbidden_selects == 0 for card in zoo.cards)
    proven = wall.wait_until_proven()
    assert proven.findings == ()


def show(zoo: Zoo, fault: Fault, count: int) -> None:
    zoo.slowest_s = 0.0
    for make in fault.cards(zoo.office, count):
        card = Watched(make())
        left_ns = zoo.hold_faulty(card, fault)
        zoo.next_one_works(left_ns)
    print(f"\n{fault.name}: n={count}, the next good card within {zoo.slowest_s:.2f} s")


def show_mute_from_power_on(zoo: Zoo, count: int) -> None:
    zoo.slowest_s = 0.0
    for _ in range(count):
        card = Watched(faults.MuteCard(zoo.office.good(), 0))
        presence = zoo.hold("mute from power-on", card)
        zoo.wall.stage.hand.take(presence)
        zoo.next_one_works(card.left_ns)
        first, second = zoo.taps_since(card.came_ns)
        assert (first.reason, second.reason) == (Reason.TORN, Reason.PERMITTED)
        assert first.mono_ms >= card.left_ns // NS_PER_MS
    print(f"\nmute from power-on: n={count}, the next good card within {zoo.slowest_s:.2f} s")


@pytest.mark.parametrize(
    "fault",
    [fault for fault in FAULTS if fault.everyday],
    ids=lambda fault: fault.name.replace(" ", "-"),
)
def test_a_faulty_card_is_told_by_its_name_opens_nothing_and_the_next_one_works(
    zoo: Zoo, fault: Fault
) -> None:
    show(zoo, fault, fault.everyday)


@pytest.mark.all
@pytest.mark.timeout(900)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_faulty_card_is_told_by_its_name_many_times(zoo: Zoo, fault: Fault) -> None:
    show(zoo, fault, fault.all)


def test_a_card_that_is_mute_from_power_on_holds_nobody_up(zoo: Zoo) -> None:
    """The virtual reader itself waits for such a card, and tells of it when it has left."""
    show_mute_from_power_on(zoo, 3)


@pytest.mark.all
@pytest.mark.timeout(600)
def test_a_card_that_is_mute_from_power_on_holds_nobody_up_many_times(zoo: Zoo) -> None:
    show_mute_from_power_on(zoo, 20)


def show_lying(zoo: Zoo, held_s: float) -> None:
    wall = zoo.wall
    card = Watched(zoo.office.good())
    presence = zoo.hold(OWNER, card)
    first = wall.tone_since(card.came_ns, TOLD_WITHIN_S)
    assert first is not None
    left = zoo.screens.frame(zoo.screens.notice("card_left"))
    zoo.until(lambda: wall.stage.panel.state.frame == left, "it is told to be taken", held_s)
    reminded = wall.tone_since(first.mono_ns + 1, held_s)
    assert reminded is not None
    # Not before there was time to take it, and not much later.
    assert 4 <= (reminded.mono_ns - first.mono_ns) / 1e9 <= 8
    stays_until = card.came_ns + int(held_s * 1e9)
    zoo.until(lambda: time.monotonic_ns() >= stays_until, "the time is up", held_s + 1)
    wall.stage.hand.take(presence)
    assert zoo.reason_since(card.came_ns) is Reason.PERMITTED
    zoo.next_one_works(card.left_ns)
    print(f"\nheld: n=1, for {held_s:.0f} s, the next good card within {zoo.slowest_s:.2f} s")


def test_a_card_left_lying_is_one_record_and_is_reminded_of(zoo: Zoo) -> None:
    show_lying(zoo, HELD_S)


@pytest.mark.all
def test_a_card_left_lying_for_a_minute_is_one_record(zoo: Zoo) -> None:
    show_lying(zoo, HELD_LONG_S)
