"""The loop with the real journal: what happens only behind a commit, and what happens without."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from terminal.clock import Clock, always_synced
from terminal.core import events
from terminal.core.moment import ms_of
from terminal.core.reasons import Alarm, Note, Reason
from terminal.core.records import Entry
from terminal.core.signals import Pattern, Screen
from terminal.core.state import State
from terminal.inbox import Due, Inbox
from terminal.journal import Journal
from terminal.letters import TakeReceipt
from terminal.link_receipts import ReceiptArrived
from terminal.ports import DeviceError
from terminal.service import Item, Outputs, Service
from tests.terminal.core import scene

NOW = scene.stamp()


@dataclass
class Front:
    """The devices of a terminal: they write down what they are told, and can be broken."""

    done: list[str] = field(default_factory=list)
    broken: bool = False
    watch: Callable[[], int] = lambda: 0
    committed_at_release: list[int] = field(default_factory=list)
    alarms: dict[Alarm, bool] = field(default_factory=dict)

    def release(self, duration_ms: int) -> None:
        if self.broken:
            raise DeviceError("the relay does not answer")
        self.done.append(f"release {duration_ms}")
        self.committed_at_release.append(self.watch())

    def play(self, pattern: Pattern) -> None:
        self.done.append("sound" if pattern.tone else "quiet")

    def show(self, screen: Screen) -> None:
        self.done.append(f"show {screen.key}")

    def close(self) -> None:
        self.done.append("closed")

    def alarm(self, alarm: Alarm, on: bool, detail: str) -> None:
        self.alarms[alarm] = on


class Rig:
    """A service that is driven by hand, event by event."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.inbox: Inbox[Item] = Inbox()
        self.front = Front()
        self.journal = Journal.open(folder / "journal.db", "t-archive", key, ballast=0)
        outputs = Outputs(self.front, self.front, self.front, self.front.alarm)
        clock = Clock(always_synced)
        self.service = Service(
            self.inbox, clock, self.journal, outputs, State(scene.rules()), _nothing, _nothing
        )
        self.service.take(events.Started(NOW))
        self.service.take(events.ReaderBack(NOW))
        self.service.take(events.TimerDue(NOW, "notes"))
        self.front.done.clear()
        self.front.watch = lambda: self.journal.head()[0]

    def tap(self, number: str = "suzuki-card") -> None:
        self.service.take(events.CardSeen(NOW))
        self.service.take(events.CardRead(NOW, NOW, scene.card(number)))

    def told(self) -> Item | Due | None:
        """What a device has put into the inbox."""
        item = self.inbox.next(0)
        while isinstance(item, Due):
            item = self.inbox.next(0)
        return item

    def entries(self) -> list[Entry]:
        return [entry for _, entry in self.journal.entries()]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow: the kernel refuses each write as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.journal.close()


def test_the_strike_is_released_only_after_the_record_is_committed(rig: Rig) -> None:
    before = rig.journal.head()[0]
    rig.tap()
    assert rig.front.done == ["release 3000", "sound", "show permitted"]
    assert rig.front.committed_at_release == [before + 1]
    assert rig.entries()[-1].reason is Reason.PERMITTED


def test_a_failed_commit_means_no_strike_no_tone_of_success_and_the_state_of_before(
    rig: Rig,
) -> None:
    before = rig.service.state
    records = len(rig.entries())
    rig.service.take(events.CardSeen(NOW))
    at_the_tap = rig.service.state
    with full_disk():
        rig.service.take(events.CardRead(NOW, NOW, scene.card()))
    assert "release 3000" not in rig.front.done
    assert rig.front.done == ["sound", "show cannot_record_access"]
    assert rig.front.alarms[Alarm.CANNOT_RECORD] is True
    assert len(rig.entries()) == records
    assert rig.service.state.punches == before.punches
    assert rig.service.state.rules is at_the_tap.rules


def test_after_a_failed_commit_the_next_tap_works_again(rig: Rig) -> None:
    with full_disk():
        rig.tap()
    rig.front.done.clear()
    rig.tap()
    assert "release 3000" in rig.front.done
    assert rig.front.alarms[Alarm.CANNOT_RECORD] is False


def test_leaving_never_waits_for_the_disk(rig: Rig) -> None:
    with full_disk():
        rig.service.take(events.ExitRequested(NOW))
    assert rig.front.done[0] == "release 3000"
    rig.service.take(events.TimerDue(NOW, "notes"))
    assert rig.entries()[-1].reason is Note.EXIT_REQUESTED


def test_a_broken_strike_becomes_an_event_and_its_recovery_another(rig: Rig) -> None:
    rig.front.broken = True
    rig.tap()
    failed = rig.told()
    assert isinstance(failed, events.DeviceFailed)
    assert failed.device == "strike"
    rig.front.broken = False
    rig.tap()
    assert isinstance(rig.told(), events.DeviceBack)


def test_an_exception_in_the_core_keeps_the_state_and_is_noted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = rig.service.state
    monkeypatch.setattr("terminal.service.step", _raise)
    rig.service.take(events.CardSeen(NOW))
    monkeypatch.undo()
    assert rig.service.state.rules is state.rules
    assert rig.service.state.unwritten[-1].reason is Note.STEP_FAILED
    rig.tap()
    assert rig.entries()[-1].reason is Reason.PERMITTED


def test_a_receipt_of_our_own_moves_the_cursor_and_the_floor_of_time(rig: Rig) -> None:
    rig.tap()
    seq, digest = rig.journal.head()
    clock = Clock(always_synced)
    clock.raise_floor(NOW.at)
    committed = NOW.at + timedelta(hours=1)
    receipt = ReceiptArrived(seq, digest, rig.journal.epoch, ms_of(committed))
    rig.service.handle(TakeReceipt(receipt, clock))
    assert rig.journal.marks().received == seq
    assert clock.floor == committed


def test_a_receipt_with_another_hash_moves_nothing_and_is_an_alarm(rig: Rig) -> None:
    rig.tap()
    clock = Clock(always_synced)
    floor = clock.floor
    forged = ReceiptArrived(rig.journal.head()[0], "0" * 64, rig.journal.epoch, 10**15)
    rig.service.handle(TakeReceipt(forged, clock))
    assert rig.journal.marks().received == 0
    assert clock.floor == floor
    assert rig.front.alarms[Alarm.RECEIPT_REFUSED] is True


def test_work_between_events_that_fails_does_not_end_the_loop(rig: Rig) -> None:
    class Broken:
        def open(self, loop: Service) -> None:
            raise ZeroDivisionError

    rig.service.handle(Broken())
    rig.tap()
    assert rig.entries()[-1].reason is Reason.PERMITTED


def test_the_last_events_are_kept_for_a_replay(rig: Rig) -> None:
    rig.tap()
    kinds = [type(event) for event in list(rig.service.trace)[-2:]]
    assert kinds == [events.CardSeen, events.CardRead]


def test_a_due_timer_reaches_the_core(rig: Rig) -> None:
    rig.service.handle(Due("second"))
    assert rig.front.done == ["show idle"]


def test_the_loop_runs_until_it_is_stopped(rig: Rig) -> None:
    rig.inbox.put(_Stop())
    rig.service.run()
    assert rig.service.state.ready


class _Stop:
    def open(self, loop: Service) -> None:
        loop.stop()


def _nothing() -> None:
    pass


def _raise(*_: object) -> None:
    raise ZeroDivisionError
