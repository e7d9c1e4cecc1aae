"""The reader is lost under a running terminal: told within 3 s, and back by itself within 10 s.

Lost is when pcscd dies, and when the reader is unplugged. Told is the screen on the wall, the
alarm that operations see at the broker, and the terminal's own record. Back is a good card's tone
of success, counted from when pcscd or reader are there again; nobody touches the terminal.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from provisioning import mqtt
from provisioning.demo.town import SITE, TERMINAL
from terminal.core.reasons import Alarm, Note
from terminal.wire import topics
from tests.walk.screens import Screens
from tests.walk.wall import Wall

pytestmark = pytest.mark.real

EVERYDAY, KILLS, UNPLUGS = 3, 10, 5
TOLD_WITHIN_S = 3.0
BACK_WITHIN_S = 10.0
PATIENCE_S = 30.0
LOOK_EVERY_S = 0.005


@dataclass
class Watched:
    """A wall, and the alarm as operations see it at its broker."""

    wall: Wall
    screens: Screens
    alarm: bool = False
    told_s: float = 0.0
    back_s: float = 0.0

    def shows(self, key: str) -> bool:
        """Whether the display shows the screen of that text now."""
        frame = self.screens.frame(self.screens.notice(key))
        return self.wall.stage.panel.state.frame == frame

    def notes(self, note: Note) -> int:
        """How often the terminal has written that note into its journal."""
        self.wall.stage.look()
        return sum(row.reason == note for row in self.wall.stage.rows(10_000))

    def lose(self, how: Callable[[], None], restore: Callable[[], None]) -> None:
        """One loss and its end."""
        lost, back = self.notes(Note.READER_LOST), self.notes(Note.READER_BACK)
        begun = time.monotonic()
        how()
        self.until(lambda: self.shows("out_of_order"), "the screen says so")
        self.until(lambda: self.alarm, "operations are told")
        told_s = time.monotonic() - begun
        restore()
        begun = time.monotonic()
        tap = self.wall.tap("suzuki", within_s=PATIENCE_S)
        assert tap.acknowledged
        back_s = tap.tone_ms / 1000 - begun
        self.until(lambda: not self.alarm, "the alarm ends")
        assert self.notes(Note.READER_LOST) == lost + 1
        assert self.notes(Note.READER_BACK) == back + 1
        self.told_s, self.back_s = max(self.told_s, told_s), max(self.back_s, back_s)
        assert told_s <= TOLD_WITHIN_S
        assert back_s <= BACK_WITHIN_S

    def until(self, what: Callable[[], bool], wanted: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end, f"not within {PATIENCE_S} s: {wanted}"
            time.sleep(LOOK_EVERY_S)


@pytest.fixture
def watched(shared_wall: Wall) -> Iterator[Watched]:
    wall = shared_wall
    told = Watched(wall, Screens(wall))
    operations = mqtt.connect_client(
        wall.stage.town.town, "operations", port=wall.stage.broker.port
    )

    def take(message: mqtt.Message) -> None:
        told.alarm = bool(json.loads(message.payload)[Alarm.READER_LOST])

    try:
        operations.subscribe(topics.topic(topics.Name.ALARMS, SITE, TERMINAL), take)
        yield told
    finally:
        operations.close()
    assert wall.off_list() == []
    assert wall.wait_until_proven().findings == ()


def show_kills(watched: Watched, count: int) -> None:
    pcscd = watched.wall.pcscd
    for _ in range(count):
        watched.lose(pcscd.kill, pcscd.start)
    print(f"\npcscd killed: n={count}, told {watched.told_s:.2f} s, back {watched.back_s:.2f} s")


def show_unplugs(watched: Watched, count: int) -> None:
    pcscd = watched.wall.pcscd
    for _ in range(count):
        watched.lose(pcscd.unplug, pcscd.restart)
    print(f"\nunplugged: n={count}, told {watched.told_s:.2f} s, back {watched.back_s:.2f} s")


def test_a_terminal_that_finds_its_reader_rests_at_the_clock(watched: Watched) -> None:
    def rests() -> bool:
        moments = [datetime.now(UTC) + timedelta(seconds=late) for late in (-1, 0)]
        frames = [watched.screens.frame(watched.screens.idle(moment)) for moment in moments]
        return watched.wall.stage.panel.state.frame in frames

    watched.until(rests, "the clock before the first tap")
    assert watched.wall.tap("suzuki").acknowledged
    watched.until(lambda: not rests(), "the result")
    watched.until(rests, "the clock after the result")


def test_a_killed_pcscd_is_told_and_the_reader_comes_back_by_itself(watched: Watched) -> None:
    show_kills(watched, EVERYDAY)


def test_an_unplugged_reader_is_told_and_found_again_by_itself(watched: Watched) -> None:
    show_unplugs(watched, EVERYDAY)


@pytest.mark.all
@pytest.mark.timeout(600)
def test_a_killed_pcscd_is_told_many_times(watched: Watched) -> None:
    show_kills(watched, KILLS)


@pytest.mark.all
@pytest.mark.timeout(600)
def test_an_unplugged_reader_is_told_many_times(watched: Watched) -> None:
    show_unplugs(watched, UNPLUGS)
