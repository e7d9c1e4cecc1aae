"""What becomes of a message: each sentence of the ledger's promise is a test here."""

import sqlite3

import pytest

from provisioning.ledger import intake as room
from provisioning.ledger.admission import admit
from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.database import StoreError
from provisioning.ledger.store import Store
from terminal.wire.chain import hash_of
from terminal.wire.messages import Receipt
from terminal.wire.signed import key_id
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import EPOCH, Wall, long_ago


def upto(receipts: list[Receipt]) -> list[int]:
    return [receipt.upto for receipt in receipts]


def test_a_valid_record_is_committed_with_its_bytes_as_received(desk: Desk, wall: Wall) -> None:
    desk.take(wall, wall.tap())
    assert desk.held() == wall.sent
    assert desk.alarms() == set()


def test_the_receipt_names_terminal_epoch_number_hash_and_commit_time(
    desk: Desk, wall: Wall
) -> None:
    payloads = wall.taps(3)
    (receipt,) = desk.take(wall, *payloads)
    assert receipt == Receipt("gate-1", EPOCH, 3, hash_of(payloads[2]), desk.now_ms)


def test_a_record_sent_twice_is_committed_once_and_receipted_again(desk: Desk, wall: Wall) -> None:
    first = desk.take(wall, *wall.taps(2))
    again = desk.take(wall, wall.sent[0])
    assert desk.held() == wall.sent
    assert again == first
    assert desk.alarms() == set()


def test_a_record_doubled_within_one_batch_is_committed_once(desk: Desk, wall: Wall) -> None:
    payload = wall.tap()
    assert upto(desk.take(wall, payload, payload, payload)) == [1]
    assert desk.held() == [payload]


def test_a_gap_stops_the_receipt_until_it_is_filled(desk: Desk, wall: Wall) -> None:
    one, two, three, four = wall.taps(4)
    assert upto(desk.take(wall, one, three, four)) == [1]
    assert upto(desk.take(wall, two)) == [4]


def test_nothing_is_receipted_before_number_one_has_come(desk: Desk, wall: Wall) -> None:
    _, two = wall.taps(2)
    assert desk.take(wall, two) == []
    assert desk.held() == [two]


def test_records_may_come_in_any_order(desk: Desk, wall: Wall) -> None:
    payloads = wall.taps(5)
    receipts = [desk.take(wall, payload) for payload in reversed(payloads)]
    assert upto(receipts[-1]) == [5]
    assert desk.alarms() == set()
    assert desk.verdict().broken is None


def test_a_record_of_an_unknown_key_is_quarantined_and_takes_no_number(
    desk: Desk, wall: Wall
) -> None:
    thief = Wall()
    assert desk.take(wall, thief.tap()) == []
    assert desk.held() == []
    assert desk.aside() == ["signature_invalid"]
    assert desk.alarms() == {LedgerAlarm.SIGNATURE_INVALID}
    assert upto(desk.take(wall, wall.tap())) == [1]


def test_rubbish_under_the_next_number_does_not_keep_the_true_record_out(
    desk: Desk, wall: Wall
) -> None:
    one = wall.tap()
    forged = Wall().tap(terminal="gate-1")
    two = wall.tap()
    assert upto(desk.take(wall, one, forged, two)) == [2]
    assert desk.held() == [one, two]


def test_a_record_of_another_terminal_does_not_count_on_this_ones_topic(
    desk: Desk, wall: Wall
) -> None:
    other = desk.enrolled_wall("gate-2")
    assert desk.take(wall, other.tap()) == []
    assert desk.held() == []
    assert desk.aside() == ["signature_invalid"]


def test_a_terminal_cannot_sign_for_another_one(desk: Desk, wall: Wall) -> None:
    assert desk.take(wall, wall.tap(terminal="gate-2")) == []
    assert desk.held() == []
    assert desk.aside() == ["terminal_mismatch"]


def test_one_changed_byte_makes_a_record_invalid(desk: Desk, wall: Wall) -> None:
    payload = wall.tap()
    spoilt = payload.replace(b'"publication":7', b'"publication":8')
    assert spoilt != payload
    assert desk.take(wall, spoilt) == []
    assert desk.aside() == ["signature_invalid"]


@pytest.mark.parametrize(
    "changed",
    [
        {"mood": "cheerful"},
        {"kind": "printing"},
        {"reason": "because"},
        {"v": 2},
        {"clock": "sundial"},
        {"publication": "seven"},
        {"prev": None},
        {"at_ms": None},
    ],
)
def test_a_valid_record_counts_even_if_it_is_not_understood(
    desk: Desk, wall: Wall, changed: dict[str, object]
) -> None:
    payloads = [wall.tap(), wall.tap(**changed), wall.tap()]
    assert upto(desk.take(wall, *payloads)) == [3]
    assert desk.held() == payloads
    assert LedgerAlarm.NOT_UNDERSTOOD in desk.alarms()


@pytest.mark.parametrize("changed", [{"seq": None}, {"seq": 0}, {"seq": "2"}, {"epoch": None}])
def test_a_valid_record_without_a_number_is_quarantined(
    desk: Desk, wall: Wall, changed: dict[str, object]
) -> None:
    assert desk.take(wall, wall.tap(**changed)) == []
    assert desk.aside() == ["numberless"]
    assert desk.verdicts() == []


def test_the_highest_number_there_is_harms_nothing(desk: Desk, wall: Wall) -> None:
    wall.tap()
    desk.take(wall, wall.sent[0], wall.tap(seq=2**63 - 1))
    assert len(desk.held()) == 2
    assert LedgerAlarm.LEDGER_FAULT not in desk.alarms()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"",
        b"{}",
        b"\x00" * 300_000,
        b"[" * 4000,
        b'{"v":1,"sig":"' + b"A" * 86 + b'"}trailing',
        b'{"v":1,"sig":"' + b"A" * 85 + b'"}',
        '{"v":1,"sig":"ひ"}'.encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_signed_message_is_dropped_counted_and_told(
    desk: Desk, wall: Wall, rubbish: bytes
) -> None:
    payload = wall.tap()
    assert upto(desk.take(wall, rubbish, payload, rubbish)) == [1]
    (alarm,) = desk.store.alarms()
    assert (alarm.alarm, alarm.count) == ("malformed", 2)
    assert desk.aside() == []


def test_two_valid_records_for_one_number_are_both_kept_and_told(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(2))
    clone = wall.copied()
    clone.boot = "boot-of-the-clone"
    true, false = wall.tap(), clone.tap()
    assert upto(desk.take(wall, true)) == [3]
    assert upto(desk.take(wall, false)) == [3]
    assert desk.held() == [*wall.sent, false]
    assert LedgerAlarm.CLONE in desk.alarms()


def test_after_a_clone_the_receipt_stays_with_the_record_that_was_first(
    desk: Desk, wall: Wall
) -> None:
    desk.take(wall, wall.tap())
    clone = wall.copied()
    clone.boot = "boot-of-the-clone"
    desk.take(wall, *wall.taps(2))
    (receipt,) = desk.take(wall, *clone.taps(2))
    assert receipt.hash == hash_of(wall.sent[2])


def test_of_two_clones_that_come_together_the_one_that_carries_on_the_chain_counts(
    desk: Desk, wall: Wall
) -> None:
    one, two = wall.taps(2)
    stray = wall.sign(wall.members(2, "f" * 64, boot="elsewhere"))
    (receipt,) = desk.take(wall, one, stray, two)
    assert receipt.hash == hash_of(two)
    assert desk.alarms() == {LedgerAlarm.CLONE, LedgerAlarm.CHAIN_BROKEN}


def test_a_record_that_does_not_follow_the_one_before_counts_and_is_told(
    desk: Desk, wall: Wall
) -> None:
    one = wall.tap()
    two = wall.tap(prev="e" * 64)
    assert upto(desk.take(wall, one, two)) == [2]
    assert desk.alarms() == {LedgerAlarm.CHAIN_BROKEN}


def test_a_broken_chain_is_told_whichever_of_the_two_comes_first(desk: Desk, wall: Wall) -> None:
    one = wall.tap()
    two = wall.tap(prev="e" * 64)
    desk.take(wall, two)
    assert desk.alarms() == set()
    desk.take(wall, one)
    assert desk.alarms() == {LedgerAlarm.CHAIN_BROKEN}


def test_a_record_that_was_declared_unreadable_is_passed_and_told(desk: Desk, wall: Wall) -> None:
    one, _, three = wall.taps(3)
    four = wall.declare_unreadable(2)
    assert upto(desk.take(wall, one, three)) == [1]
    (receipt,) = desk.take(wall, four)
    assert (receipt.upto, receipt.hash) == (4, hash_of(four))
    assert desk.alarms() == {LedgerAlarm.RECORD_UNREADABLE}
    assert desk.verdict().broken is None


def test_a_declaration_passes_only_the_number_that_it_names(desk: Desk, wall: Wall) -> None:
    one, _, _ = wall.taps(3)
    four = wall.declare_unreadable(2)
    assert upto(desk.take(wall, one, four)) == [1]


def test_a_receipt_never_ends_on_a_record_that_is_not_held(desk: Desk, wall: Wall) -> None:
    one, two, _ = wall.taps(3)
    four = wall.declare_unreadable(3)
    five = wall.tap()
    assert upto(desk.take(wall, one, two, five)) == [2]
    assert upto(desk.take(wall, four)) == [5]


def test_a_declaration_of_a_number_to_come_passes_nothing(desk: Desk, wall: Wall) -> None:
    wall.taps(2)
    declared = wall.tap(reason="record_unreadable", detail=f"9 {'a' * 64}")
    desk.take(wall, *wall.sent[:2], declared)
    assert desk.store.declared("gate-1", EPOCH) == {}


def test_each_epoch_of_a_terminal_has_its_own_numbers_and_receipt(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(3))
    wall.epoch, wall.sent = "0123456789abcdef", []
    (receipt,) = desk.take(wall, *wall.taps(2))
    assert (receipt.epoch, receipt.upto) == ("0123456789abcdef", 2)
    assert len(desk.held()) == 5
    assert {verdict.epoch for verdict in desk.verdicts()} == {EPOCH, "0123456789abcdef"}


def test_of_two_epochs_in_one_batch_the_one_heard_last_gets_its_receipt(
    desk: Desk, wall: Wall
) -> None:
    before = wall.taps(2)
    wall.epoch, wall.sent = "0123456789abcdef", []
    (receipt,) = desk.take(wall, before[0], wall.tap(), before[1])
    assert (receipt.epoch, receipt.upto) == (EPOCH, 2)


def test_what_a_revoked_key_signs_counts_if_it_came_before_and_not_after(
    desk: Desk, wall: Wall
) -> None:
    one, two = wall.taps(2)
    assert upto(desk.take(wall, one)) == [1]
    moment = "2026-01-01T09:00:00+09:00"
    revoked = desk.terminals / wall.terminal / "revoked.toml"
    revoked.write_text(f'"{key_id(wall.key.public_key())}" = {moment}\n')
    assert desk.take(wall, two) == []
    assert desk.held() == [one]
    assert desk.aside() == ["key_revoked"]


def test_a_renewed_key_and_the_one_before_it_both_count(desk: Desk, wall: Wall) -> None:
    one, two = wall.taps(2)
    desk.take(wall, one)
    former = desk.terminals / wall.terminal / "device.crt"
    former.rename(former.with_name("former-1.crt"))
    renewed = wall.copied()
    renewed.key = Wall().key
    renewed.enrol(desk.terminals)
    three = renewed.tap()
    assert upto(desk.take(wall, two, three)) == [3]
    assert desk.alarms() == set()
    assert desk.verdict().broken is None


def test_a_key_whose_certificate_has_ended_still_counts_and_is_told(desk: Desk) -> None:
    wall = Wall("drawer-1")
    wall.enrol(desk.terminals, long_ago())
    assert upto(desk.take(wall, wall.tap())) == [1]
    assert desk.alarms() == {LedgerAlarm.KEY_OUT_OF_SPAN}


def test_a_certificate_renewed_for_the_same_key_raises_no_alarm(desk: Desk, wall: Wall) -> None:
    wall.enrol(desk.terminals, long_ago(), file="a-former.crt")
    desk.take(wall, wall.tap())
    assert desk.alarms() == set()


def test_a_terminal_enrolled_while_the_ledger_runs_counts_at_once(desk: Desk) -> None:
    wall = Wall("new-1")
    payload = wall.tap()
    assert desk.take(wall, payload) == []
    wall.enrol(desk.terminals)
    assert upto(desk.take(wall, payload)) == [1]


def test_a_damaged_certificate_takes_only_its_own_terminals_keys_away(
    desk: Desk, wall: Wall
) -> None:
    broken = desk.enrolled_wall("gate-2")
    path = desk.terminals / "gate-2" / "device.crt"
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    payload = broken.tap()
    assert desk.take(broken, payload) == []
    assert LedgerAlarm.ENROLMENT_UNREADABLE in desk.alarms()
    assert upto(desk.take(wall, wall.tap())) == [1]
    path.write_bytes(whole)
    assert upto(desk.take(broken, payload)) == [1]
    assert LedgerAlarm.ENROLMENT_UNREADABLE not in desk.alarms()


def test_a_misspelt_revocation_is_refused_rather_than_passed_over(desk: Desk, wall: Wall) -> None:
    revoked = desk.terminals / wall.terminal / "revoked.toml"
    revoked.write_text('"0000000000000000" = 2026-01-01T09:00:00+09:00\n')
    assert desk.take(wall, wall.tap()) == []
    (fault,) = [one for one in desk.store.alarms() if one.alarm == "enrolment_unreadable"]
    assert "is the id of none of this terminal's keys" in fault.detail


def test_a_mistake_of_our_own_stops_only_the_message_that_met_it(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = wall.taps(3)
    true_admit = admit

    def admit_but_stumble(*given: object) -> object:
        if given[1] == two:
            raise RuntimeError("not thought of")
        return true_admit(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(room, "admit", admit_but_stumble)
    assert upto(desk.take(wall, one, two, three)) == [1]
    assert desk.held() == [one, three]
    assert desk.aside() == ["ledger_fault"]
    monkeypatch.undo()
    assert upto(desk.take(wall, two)) == [3]


def test_what_our_own_mistake_left_half_done_is_undone(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = wall.taps(2)
    three = wall.declare_unreadable(2)

    def stumble(*_: object) -> None:
        raise RuntimeError("not thought of")

    monkeypatch.setattr(desk.store, "declare", stumble)
    assert upto(desk.take(wall, one, three)) == [1]
    assert desk.held() == [one]
    monkeypatch.undo()
    assert upto(desk.take(wall, three)) == [3]


def test_a_flood_of_rubbish_leaves_one_line_in_the_log(
    desk: Desk, wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    desk.take(wall, *[b"rubbish"] * 50)
    assert len(caplog.records) == 1


def test_when_the_disk_refuses_nothing_of_the_batch_is_committed_or_receipted(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.take(wall, wall.tap())
    payloads = wall.taps(2)

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(desk.store, "keep_receipt", refuse)
    with pytest.raises(sqlite3.OperationalError):
        desk.take(wall, *payloads)
    assert desk.held() == wall.sent[:1]
    monkeypatch.undo()
    assert upto(desk.take(wall, *payloads)) == [3]


def test_all_receipts_go_out_again_at_a_start_of_each_terminal_its_latest(desk: Desk) -> None:
    first, second = desk.enrolled_wall("gate-1"), desk.enrolled_wall("gate-2")
    desk.take(first, *first.taps(2))
    desk.take(second, *second.taps(1))
    first.epoch, first.sent = "0123456789abcdef", []
    desk.take(first, first.tap())
    desk.reopen()
    receipts = [desk.opened(one) for one in desk.intake.all_receipts()]
    assert [(one.terminal, one.epoch, one.upto) for one in receipts] == [
        ("gate-1", "0123456789abcdef", 1),
        ("gate-2", EPOCH, 1),
    ]


def test_a_second_ledger_on_the_same_database_is_refused(desk: Desk) -> None:
    with pytest.raises(StoreError, match="another ledger already writes"):
        Store(desk.path)
