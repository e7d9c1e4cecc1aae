"""The reader's thread: exactly one verdict for every card that is seen, whatever goes wrong."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from queue import Empty, SimpleQueue

import pytest

from terminal.clock import Clock, always_synced
from terminal.core import events
from terminal.core.credential import Credential, Unreadable
from terminal.core.events import Event
from terminal.core.moment import Stamp
from terminal.ports import (
    ApduPattern,
    CardMute,
    CardReader,
    CardSwapped,
    CardTorn,
    Channel,
    DeviceError,
    FieldChange,
)
from terminal.reader import Reader
from tests.terminal.core import scene

LONG_S = 20


class ScriptedReader:
    """A reader in whose field things happen as the test says; exceptions are raised."""

    def __init__(self) -> None:
        self._script: SimpleQueue[FieldChange | Exception] = SimpleQueue()
        self.closed = False

    def happens(self, kind: str, mono_ns: int = 0, detail: str = "") -> None:
        self._script.put(FieldChange(kind, mono_ns, detail))

    def breaks(self, error: Exception) -> None:
        self._script.put(error)

    def wait(self, timeout_s: float) -> FieldChange | None:
        try:
            next_one = self._script.get(timeout=min(timeout_s, 0.05))
        except Empty:
            return None
        if isinstance(next_one, Exception):
            raise next_one
        return next_one

    def converse(self, budget_ms: int) -> AbstractContextManager[Channel]:
        raise NotImplementedError

    def allow(self, patterns: Sequence[ApduPattern]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.closed = True


class Desk:
    """A running reader thread, its scripted field and what it told."""

    def __init__(self) -> None:
        self.field = ScriptedReader()
        self.verdict: Credential | Unreadable | Exception = Unreadable.NO_APPLICATION
        self.told: SimpleQueue[Event] = SimpleQueue()
        self.beats = 0
        clock = Clock(always_synced)
        self.reader = Reader(self.field, clock, self, self.told.put, self._beat)

    def identify(self, device: CardReader, seen: Stamp) -> Credential | Unreadable:
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict

    def _beat(self) -> None:
        self.beats += 1

    def next(self) -> Event:
        return self.told.get(timeout=LONG_S)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.reader.start()
    yield desk
    desk.reader.close()
    assert desk.field.closed


def test_a_card_is_seen_then_read_and_keeps_the_moment_it_was_seen(desk: Desk) -> None:
    desk.verdict = scene.card()
    desk.field.happens("present", mono_ns=5_000_000_000)
    seen = desk.next()
    read = desk.next()
    assert isinstance(seen, events.CardSeen)
    assert isinstance(read, events.CardRead)
    assert read.seen == seen.stamp
    assert read.seen.mono_ms == 5_000
    assert read.credential.id == "suzuki-card"


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Unreadable.WRONG_KEY, Unreadable.WRONG_KEY),
        (CardTorn("gone"), Unreadable.TORN),
        (CardMute("no answer"), Unreadable.MUTE),
        (CardSwapped("another card"), Unreadable.CARD_SWAPPED),
        (DeviceError("unplugged"), Unreadable.TORN),
        (ZeroDivisionError("ours"), Unreadable.GARBLED),
    ],
)
def test_whatever_happens_a_seen_card_gets_its_one_verdict(
    desk: Desk, outcome: Unreadable | Exception, reason: Unreadable
) -> None:
    desk.verdict = outcome
    desk.field.happens("present")
    assert isinstance(desk.next(), events.CardSeen)
    verdict = desk.next()
    assert isinstance(verdict, events.CardUnreadable)
    assert verdict.reason is reason


def test_after_an_exception_the_next_card_is_still_read(desk: Desk) -> None:
    desk.field.breaks(ZeroDivisionError("ours"))
    desk.verdict = scene.card()
    desk.field.happens("present")
    assert isinstance(desk.next(), events.CardSeen)
    assert isinstance(desk.next(), events.CardRead)


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("gone", events.CardTaken),
        ("blocked", events.ReaderBlocked),
        ("lost", events.ReaderLost),
        ("back", events.ReaderBack),
    ],
)
def test_each_change_in_the_field_becomes_its_event(
    desk: Desk, kind: str, event: type[Event]
) -> None:
    desk.field.happens("unheard-of")
    desk.field.happens(kind)
    assert isinstance(desk.next(), event)


def test_a_reader_that_fails_is_told_as_lost(desk: Desk) -> None:
    desk.field.breaks(DeviceError("no such device"))
    lost = desk.next()
    assert isinstance(lost, events.ReaderLost)
    assert lost.detail == "no such device"


def test_the_thread_beats_while_nothing_happens(desk: Desk) -> None:
    desk.field.happens("gone")
    desk.next()
    assert desk.beats > 0
