"""Whoever sends rubbish is told of, and fills neither disk nor lists."""

import pytest

from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.intake import Arrival
from provisioning.ledger.store import MOST_ALARMS, MOST_QUARANTINED, MOST_QUARANTINED_IN_ALL
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import Wall


def test_the_quarantine_of_one_terminal_has_an_end_and_says_so(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_QUARANTINED == 10_000
    monkeypatch.setattr("provisioning.ledger.store.MOST_QUARANTINED", 3)
    thief = Wall()
    payloads = [wall.tap(), *thief.taps(5)]
    assert [receipt.upto for receipt in desk.take(wall, *payloads)] == [1]
    assert len(desk.aside()) == 3
    assert LedgerAlarm.QUARANTINE_FULL in desk.alarms()


def test_names_that_no_terminal_bears_are_counted_under_one_alarm_and_fill_nothing(
    desk: Desk, wall: Wall
) -> None:
    for number in range(20):
        stranger = Wall(f"ghost-{number}")
        for is_head, payload in ((False, stranger.tap()), (True, stranger.head()), (False, b"")):
            desk.intake.take([Arrival(stranger.terminal, payload, is_head)], desk.now_ms)
    assert desk.held() == []
    assert desk.aside() == []
    (alarm,) = desk.store.alarms()
    assert (alarm.alarm, alarm.terminal, alarm.count) == ("unknown_terminal", "", 60)
    assert "ghost-19" in alarm.detail


def test_a_terminal_without_certificate_yet_is_no_invention(desk: Desk) -> None:
    (desk.terminals / "gate-9").mkdir()
    desk.intake.take([Arrival("gate-9", Wall("gate-9").tap())], desk.now_ms)
    assert desk.aside() == ["signature_invalid"]


def test_the_quarantine_of_the_whole_ledger_has_an_end_and_says_so(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_QUARANTINED_IN_ALL == 50_000
    monkeypatch.setattr("provisioning.ledger.store.MOST_QUARANTINED_IN_ALL", 3)
    desk.take(wall, *Wall().taps(2))
    other = desk.enrolled_wall("gate-2")
    receipts = desk.take(other, *Wall("gate-2").taps(2), other.tap())
    assert [receipt.upto for receipt in receipts] == [1]
    assert len(desk.aside()) == 3
    assert LedgerAlarm.QUARANTINE_FULL in desk.alarms()


def test_the_list_of_alarms_has_an_end_and_says_so(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_ALARMS == 20_000
    monkeypatch.setattr("provisioning.ledger.store.MOST_ALARMS", 3)
    desk.take(wall, *(wall.tap(prev="e" * 64) for _ in range(9)))
    assert len(desk.held()) == 9
    alarms = list(desk.store.alarms())
    assert len(alarms) == 4
    (full,) = (one for one in alarms if one.alarm == "alarms_full")
    assert (full.terminal, full.count) == ("", 6)
