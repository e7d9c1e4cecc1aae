"""What a terminal's minute-by-minute word shows that its chain cannot."""

import pytest

from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.heads import MISSING_AFTER_MS
from terminal.wire.chain import hash_of
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import Wall


def wait(desk: Desk, ms: int) -> None:
    desk.now_ms += ms
    desk.intake.look_for_missing(desk.now_ms)


def test_a_head_that_fits_the_records_raises_nothing(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(3), heads=[wall.head()])
    assert desk.alarms() == set()


def test_the_head_of_an_empty_journal_raises_nothing(desk: Desk, wall: Wall) -> None:
    desk.take(wall, heads=[wall.head()])
    wait(desk, 2 * MISSING_AFTER_MS)
    assert desk.alarms() == set()


def test_a_tail_that_was_cut_off_on_the_way_shows_within_a_minute(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(3))
    wall.taps(2)
    desk.take(wall, heads=[wall.head()])
    wait(desk, MISSING_AFTER_MS - 1)
    assert desk.alarms() == set()
    wait(desk, 1)
    assert desk.alarms() == {LedgerAlarm.RECORDS_MISSING}
    (alarm,) = desk.store.alarms()
    assert alarm.detail == "announced up to 5, missing from 4 on"


def test_the_alarm_for_missing_records_ends_when_they_come(desk: Desk, wall: Wall) -> None:
    payloads = wall.taps(3)
    desk.take(wall, heads=[wall.head()])
    wait(desk, MISSING_AFTER_MS)
    assert desk.alarms() == {LedgerAlarm.RECORDS_MISSING}
    desk.take(wall, *payloads)
    wait(desk, 1)
    assert desk.alarms() == set()


def test_a_backlog_that_is_still_coming_in_is_not_missing(desk: Desk, wall: Wall) -> None:
    payloads = wall.taps(5)
    desk.take(wall, heads=[wall.head()])
    for payload in payloads[:4]:
        desk.now_ms += MISSING_AFTER_MS // 2
        desk.take(wall, payload)
        wait(desk, 0)
    assert desk.alarms() == set()


def test_a_gap_in_the_middle_is_missing_too(desk: Desk, wall: Wall) -> None:
    one, _, three = wall.taps(3)
    desk.take(wall, one, three, heads=[wall.head()])
    wait(desk, MISSING_AFTER_MS)
    assert desk.alarms() == {LedgerAlarm.RECORDS_MISSING}


def test_a_card_set_back_and_started_anew_is_told_by_its_first_head(desk: Desk, wall: Wall) -> None:
    set_back = wall.copied()
    desk.take(wall, *wall.taps(5))
    set_back.boot, set_back.mono_ms = "boot-2", 0
    desk.take(wall, heads=[set_back.head()])
    # The copy was made of an empty journal: its head speaks of nothing, yet 5 were delivered.
    assert desk.alarms() == {LedgerAlarm.ROLLED_BACK}


def test_a_journal_set_back_within_one_boot_is_told(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    set_back = wall.copied()
    desk.take(wall, *wall.taps(3))
    set_back.mono_ms = wall.mono_ms + 60_000
    desk.take(wall, heads=[set_back.head()])
    assert desk.alarms() == {LedgerAlarm.ROLLED_BACK}


def test_a_journal_set_back_that_has_written_again_is_told_as_a_clone(
    desk: Desk, wall: Wall
) -> None:
    desk.take(wall, *wall.taps(2))
    set_back = wall.copied()
    desk.take(wall, *wall.taps(3))
    set_back.restart("boot-2")
    desk.take(wall, heads=[set_back.head()])
    assert desk.alarms() == {LedgerAlarm.CLONE}


def test_an_old_head_that_the_broker_kept_raises_nothing(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    kept = wall.head()
    desk.take(wall, *wall.taps(3))
    desk.take(wall, heads=[kept])
    assert desk.alarms() == set()


def test_an_old_head_of_the_boot_before_raises_nothing(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    kept = wall.head()
    wall.restart("boot-2")
    desk.take(wall, *wall.sent[2:], *wall.taps(3))
    desk.take(wall, heads=[kept])
    assert desk.alarms() == set()


def test_a_head_with_another_hash_for_a_number_is_told_as_a_clone(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    desk.take(wall, heads=[wall.head(hash="a" * 64)])
    assert desk.alarms() == {LedgerAlarm.CLONE}


@pytest.mark.parametrize(
    ("head", "alarm"),
    [
        (b"{}", LedgerAlarm.MALFORMED),
        (Wall().head(), LedgerAlarm.SIGNATURE_INVALID),
    ],
)
def test_a_head_that_is_none_is_dropped_and_told(
    desk: Desk, wall: Wall, head: bytes, alarm: LedgerAlarm
) -> None:
    desk.take(wall, heads=[head])
    assert desk.alarms() == {alarm}
    assert list(desk.store.heads()) == []


def test_a_head_of_another_terminal_is_dropped_and_told(desk: Desk, wall: Wall) -> None:
    desk.take(wall, heads=[wall.head(terminal="gate-2")])
    assert desk.alarms() == {LedgerAlarm.TERMINAL_MISMATCH}


def test_a_record_is_no_head_and_a_head_no_record(desk: Desk, wall: Wall) -> None:
    record = wall.tap()
    desk.take(wall, wall.head(), heads=[record])
    assert desk.held() == []
    assert desk.alarms() == {LedgerAlarm.SIGNATURE_INVALID}


def test_a_head_of_an_earlier_epoch_brings_that_epochs_receipt_back(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    earlier = wall.head()
    wall.epoch, wall.sent = "0123456789abcdef", []
    desk.take(wall, wall.tap())
    (receipt,) = desk.take(wall, heads=[earlier])
    assert receipt.upto == 2
    assert desk.take(wall, heads=[earlier]) == []


def test_the_head_that_reaches_farthest_is_kept_as_it_first_came(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2), heads=[wall.head()])
    first_ms = desk.now_ms
    desk.take(wall, heads=[wall.head()])
    (kept,) = desk.store.heads()
    assert (kept.seq, kept.hash, kept.received_ms) == (2, hash_of(wall.sent[1]), first_ms)
