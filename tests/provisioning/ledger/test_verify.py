"""Whatever is done to the database by somebody with a database tool is named."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from provisioning.ledger.database import StoreError
from provisioning.ledger.enrolled import read_enrolled
from provisioning.ledger.store import Reading
from provisioning.ledger.totals import Sort, count
from provisioning.ledger.verify import STILL_TO_COME_MS, Break, Fault
from terminal.wire.chain import hash_of
from terminal.wire.messages import Receipt, receipt_members
from terminal.wire.signed import RECEIPT, key_id, sign
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import EPOCH, Wall


@contextmanager
def tool(desk: Desk) -> Iterator[sqlite3.Connection]:
    """A database tool, opened on the ledger's file by somebody who can write it."""
    with closing(sqlite3.connect(desk.path)) as db, db:
        yield db


def found(desk: Desk) -> tuple[int, Fault]:
    broken = desk.verdict().broken
    assert broken is not None
    return broken.seq, broken.fault


@pytest.fixture
def ten(desk: Desk, wall: Wall) -> Wall:
    """Ten records, receipted."""
    desk.take(wall, *wall.taps(10))
    return wall


def test_a_whole_ledger_is_proven(desk: Desk, ten: Wall) -> None:
    verdict = desk.verdict()
    assert (verdict.records, verdict.upto, verdict.broken) == (10, 10, None)


def test_an_empty_ledger_has_nothing_to_prove(desk: Desk) -> None:
    assert desk.verdicts() == []


@pytest.mark.parametrize("seq", [1, 5, 10])
def test_a_dropped_record_is_named(desk: Desk, ten: Wall, seq: int) -> None:
    with tool(desk) as db:
        db.execute("DELETE FROM records WHERE seq = ?", (seq,))
    assert found(desk) == (seq, Fault.DROPPED)


def test_a_cut_tail_is_named_by_the_receipt(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("DELETE FROM records WHERE seq > 7")
    assert found(desk) == (8, Fault.DROPPED)


def test_all_records_gone_are_named_by_the_receipt(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("DELETE FROM records")
    assert found(desk) == (1, Fault.DROPPED)


@pytest.mark.parametrize("seq", [1, 5, 10])
@pytest.mark.parametrize("cover_up", [False, True], ids=["plain", "with its hash"])
def test_an_edited_record_is_named(desk: Desk, ten: Wall, seq: int, cover_up: bool) -> None:
    edited = ten.sent[seq - 1].replace(b'"holder":"h-0001"', b'"holder":"h-0002"')
    digest = hash_of(edited if cover_up else ten.sent[seq - 1])
    with tool(desk) as db:
        db.execute("UPDATE records SET payload = ?, hash = ? WHERE seq = ?", (edited, digest, seq))
    assert found(desk) == (seq, Fault.EDITED)


def test_every_changed_byte_of_a_record_is_found(desk: Desk, ten: Wall) -> None:
    whole = ten.sent[4]
    for place in range(len(whole)):
        spoilt = whole[:place] + bytes([whole[place] ^ 0x01]) + whole[place + 1 :]
        with tool(desk) as db:
            db.execute("UPDATE records SET payload = ? WHERE seq = 5", (spoilt,))
        assert found(desk)[0] == 5, place


def test_two_records_that_changed_places_are_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("UPDATE records SET seq = -1 WHERE seq = 4")
        db.execute("UPDATE records SET seq = 4 WHERE seq = 8")
        db.execute("UPDATE records SET seq = 8 WHERE seq = -1")
    assert found(desk) == (4, Fault.REORDERED)


def test_two_records_whose_bytes_changed_places_are_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        for seq, other in ((4, 8), (8, 4)):
            payload = ten.sent[other - 1]
            db.execute(
                "UPDATE records SET payload = ?, hash = ? WHERE seq = ?",
                (payload, hash_of(payload), seq),
            )
    assert found(desk) == (4, Fault.REORDERED)


def test_a_record_that_was_put_under_another_epoch_is_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("UPDATE records SET epoch = 'ffffffffffffffff' WHERE seq = 10")
    faults = {verdict.epoch: verdict.broken for verdict in desk.verdicts()}
    assert faults[EPOCH] is None
    moved = faults["ffffffffffffffff"]
    assert moved is not None
    assert (moved.seq, moved.fault) == (10, Fault.REORDERED)


def insert(db: sqlite3.Connection, seq: int, payload: bytes) -> None:
    db.execute(
        "INSERT INTO records (terminal, epoch, seq, hash, payload, key_id, received_ms)"
        " VALUES ('gate-1', ?, ?, ?, ?, '', 0)",
        (EPOCH, seq, hash_of(payload), payload),
    )


def test_a_forged_record_at_the_end_is_named(desk: Desk, ten: Wall) -> None:
    thief = ten.copied()
    thief.key = Wall().key
    with tool(desk) as db:
        insert(db, 11, thief.tap())
    assert found(desk) == (11, Fault.FORGED)


def test_a_forged_record_beside_a_true_one_is_named(desk: Desk, ten: Wall) -> None:
    thief = Wall()
    with tool(desk) as db:
        insert(db, 6, thief.sign(thief.members(6, "0" * 64)))
    assert found(desk) == (6, Fault.FORGED)


def test_a_forged_record_far_away_is_named_without_walking_there(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        insert(db, 2**62, Wall().tap())
    assert found(desk) == (11, Fault.DROPPED)


def test_a_forged_record_under_an_impossible_number_is_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        insert(db, -3, Wall().tap())
    assert found(desk) == (-3, Fault.FORGED)


def test_a_record_by_a_key_that_was_revoked_before_is_named(desk: Desk, ten: Wall) -> None:
    moment = "2026-01-01T09:00:00+09:00"
    revoked = desk.terminals / ten.terminal / "revoked.toml"
    revoked.write_text(f'"{key_id(ten.key.public_key())}" = {moment}\n')
    broken = desk.verdict().broken
    assert broken is not None
    assert (broken.seq, broken.fault) == (1, Fault.FORGED)
    assert "revoked" in broken.detail


def test_a_clone_that_the_collector_kept_is_named(desk: Desk, ten: Wall) -> None:
    clone = ten.copied()
    clone.boot = "boot-of-the-clone"
    desk.take(ten, ten.tap(), clone.tap())
    assert found(desk) == (11, Fault.CLONED)


def test_a_chain_that_its_own_terminal_broke_is_named(desk: Desk, ten: Wall) -> None:
    desk.take(ten, ten.tap(prev="e" * 64))
    assert found(desk) == (11, Fault.CHAIN_BROKEN)


def test_an_exchanged_last_record_is_named_by_its_receipt(desk: Desk, ten: Wall) -> None:
    other = ten.sign(ten.members(10, hash_of(ten.sent[8]), boot="elsewhere"))
    with tool(desk) as db:
        db.execute(
            "UPDATE records SET payload = ?, hash = ? WHERE seq = 10", (other, hash_of(other))
        )
    assert found(desk) == (10, Fault.RECEIPT)


def test_a_forged_receipt_is_named(desk: Desk, ten: Wall) -> None:
    receipt = Receipt("gate-1", EPOCH, 10, hash_of(ten.sent[9]), desk.now_ms)
    with tool(desk) as db:
        db.execute(
            "UPDATE receipts SET payload = ?",
            (sign(RECEIPT, receipt_members(receipt), Wall().key),),
        )
    assert found(desk)[1] is Fault.RECEIPT


def test_receipts_that_changed_places_are_named(desk: Desk, ten: Wall) -> None:
    other = desk.enrolled_wall("gate-2")
    desk.take(other, *other.taps(3))
    with tool(desk) as db:
        payloads = [row.payload for row in desk.store.receipts()]
        for terminal, payload in zip(("gate-2", "gate-1"), payloads, strict=True):
            db.execute("UPDATE receipts SET payload = ? WHERE terminal = ?", (payload, terminal))
    faults = [verdict.broken.fault for verdict in desk.verdicts() if verdict.broken]
    assert faults == [Fault.RECEIPT, Fault.RECEIPT]


def test_a_head_under_another_epoch_takes_nothing_away(desk: Desk, ten: Wall) -> None:
    desk.take(ten, heads=[ten.head()])
    ten.epoch, ten.sent = "0123456789abcdef", []
    desk.take(ten, *ten.taps(2))
    with tool(desk) as db:
        db.execute("UPDATE heads SET epoch = '0123456789abcdef', received_ms = 0")
    assert [verdict.broken for verdict in desk.verdicts()] == [None, None]


def test_a_missing_receipt_is_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("DELETE FROM receipts")
    assert found(desk) == (1, Fault.RECEIPT)


def test_a_tail_cut_together_with_its_receipt_is_named_by_the_head(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(4))
    with tool(desk) as db:
        (old,) = db.execute("SELECT payload FROM receipts").fetchone()
    desk.take(wall, *wall.taps(2), heads=[wall.head()])
    other = desk.enrolled_wall("gate-2")
    desk.now_ms += STILL_TO_COME_MS
    desk.take(other, other.tap())
    with tool(desk) as db:
        db.execute("DELETE FROM records WHERE terminal = 'gate-1' AND seq > 4")
        db.execute("UPDATE receipts SET payload = ? WHERE terminal = 'gate-1'", (old,))
    broken = desk.verdicts()[0].broken
    assert broken is not None
    assert (broken.seq, broken.fault) == (5, Fault.DROPPED)


def test_records_announced_a_moment_ago_are_not_missing_yet(desk: Desk, ten: Wall) -> None:
    ten.tap()
    desk.take(ten, heads=[ten.head()])
    assert desk.verdict().broken is None


def test_a_declaration_covers_only_the_number_that_it_names(desk: Desk, wall: Wall) -> None:
    wall.taps(4)
    wall.declare_unreadable(3)
    desk.take(wall, *(wall.sent[at] for at in (0, 1, 3, 4)))
    assert desk.verdict().broken is None
    with tool(desk) as db:
        db.execute("DELETE FROM records WHERE seq = 2")
        db.execute("INSERT INTO declared VALUES ('gate-1', ?, 2, ?, 5)", (EPOCH, "0" * 64))
    assert found(desk) == (2, Fault.DROPPED)


def test_a_valid_record_that_lies_only_in_quarantine_is_named(desk: Desk, ten: Wall) -> None:
    eleven = ten.tap()
    with tool(desk) as db:
        db.execute(
            "INSERT INTO quarantined (terminal, hash, reason, detail, payload, received_ms)"
            " VALUES ('gate-1', ?, 'signature_invalid', '', ?, ?)",
            (hash_of(eleven), eleven, desk.now_ms),
        )
    assert found(desk) == (11, Fault.WITHHELD)
    desk.take(ten, eleven)
    assert desk.verdict().broken is None


def test_what_was_quarantined_for_good_reason_is_not_held_against_the_ledger(
    desk: Desk, ten: Wall
) -> None:
    desk.take(ten, Wall().tap(), b"rubbish", ten.tap(terminal="gate-2"))
    assert len(desk.aside()) == 2
    assert desk.verdict().broken is None


def test_without_its_certificate_nothing_is_said_of_a_terminal(desk: Desk, ten: Wall) -> None:
    (desk.terminals / ten.terminal / "device.crt").unlink()
    assert found(desk) == (1, Fault.NO_CERTIFICATE)


def test_the_first_fault_of_each_chain_is_named(desk: Desk, ten: Wall) -> None:
    other = desk.enrolled_wall("gate-2")
    desk.take(other, *other.taps(3))
    with tool(desk) as db:
        db.execute("DELETE FROM records WHERE terminal = 'gate-1' AND seq IN (9, 3, 6)")
    first, second = desk.verdicts()
    assert first.broken == Break(3, Fault.DROPPED, "missing up to number 3")
    assert second.broken is None


def test_columns_that_only_repeat_the_bytes_prove_nothing_and_hide_nothing(
    desk: Desk, ten: Wall
) -> None:
    with tool(desk) as db:
        db.execute("UPDATE records SET kind = 'access', holder = 'h-0666', prev = '', at_ms = 0")
        db.execute("UPDATE alarms SET alarm = 'x'")
    assert desk.verdict().broken is None


def test_values_of_a_wrong_type_stop_the_reading_with_the_file_named(desk: Desk, ten: Wall) -> None:
    with tool(desk) as db:
        db.execute("UPDATE records SET payload = 'text' WHERE seq = 2")
    with pytest.raises(StoreError, match="wrong type"):
        desk.verdicts()


def test_records_are_counted_from_their_bytes_each_once(desk: Desk, wall: Wall) -> None:
    desk.take(
        wall,
        *wall.taps(3),
        wall.tap(result="denied", reason="no_permit", holder="h-0002"),
        wall.tap(result="unreadable", reason="mute", holder=None, kind="tap"),
        Wall().tap(),
    )
    with tool(desk) as db:
        db.execute("UPDATE records SET result = 'granted', holder = 'h-0001'")
        db.execute(
            "INSERT INTO records (terminal, epoch, seq, hash, payload, key_id, received_ms)"
            " SELECT terminal, epoch, 77, hash, payload, key_id, received_ms FROM records"
            " WHERE seq = 1"
        )
    with Reading(desk.path) as held:
        found = count(held, read_enrolled(desk.terminals))
    about = ("gate-1", EPOCH)
    assert found == {
        Sort(*about, "attendance", "granted", "punched_in", "h-0001"): 3,
        Sort(*about, "attendance", "denied", "no_permit", "h-0002"): 1,
        Sort(*about, "tap", "unreadable", "mute", ""): 1,
    }
    assert json.dumps([*found])
