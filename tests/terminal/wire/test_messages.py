import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.credential import Assurance
from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms
from terminal.core.reasons import Alarm, Note, Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.wire.chain import GENESIS
from terminal.wire.messages import (
    Head,
    Receipt,
    alarms_payload,
    entry_of,
    head_members,
    head_of,
    live_payload,
    receipt_members,
    receipt_of,
    record_members,
)
from terminal.wire.signed import RECORD, sign, verify
from terminal.wire.strict_json import MOST, Malformed
from tests.terminal.wall import BOOT, moment, tap
from tests.town_ca import new_key

KEY = new_key()
IDS = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
COUNTS = st.integers(0, MOST)
STAMPS = st.builds(
    Stamp,
    st.integers(-62_000_000_000_000, 253_000_000_000_000).map(from_ms),
    IDS,
    COUNTS,
    st.builds(ClockQuality, st.sampled_from(ClockState), COUNTS, COUNTS),
)
ENTRIES = st.builds(
    Entry,
    st.sampled_from(RecordKind),
    st.sampled_from(Result),
    st.sampled_from([*Reason, *Note]),
    STAMPS,
    purpose=IDS,
    publication=COUNTS,
    holder=st.none() | IDS,
    profile=st.none() | IDS,
    assurance=st.none() | st.sampled_from(Assurance),
    portal=st.none() | IDS,
    punch=st.none() | st.sampled_from(Punch),
    elapsed_ms=st.none() | COUNTS,
    detail=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=300),
)


def members_of(entry: Entry) -> dict[str, object]:
    payload = sign(RECORD, record_members(entry, "ent-1", "0" * 16, 1, GENESIS), KEY)
    return verify(RECORD, payload, [KEY.public_key()])


@given(ENTRIES)
def test_every_entry_comes_back_from_its_record_to_the_millisecond(entry: Entry) -> None:
    assert entry_of(members_of(entry)) == entry


def test_reasons_and_notes_share_no_code() -> None:
    assert not {one.value for one in Reason} & {one.value for one in Note}


def test_a_records_members_stand_in_the_agreed_order() -> None:
    assert list(record_members(tap(moment()), "ent-1", "0" * 16, 1, GENESIS)) == [
        "v", "terminal", "epoch", "seq", "prev", "boot", "mono_ms", "at_ms", "clock",
        "clock_age_s", "clock_err_ms", "kind", "result", "reason", "purpose", "publication",
        "holder", "profile", "assurance", "portal", "punch", "elapsed_ms", "detail",
    ]  # fmt: skip


def test_what_is_not_known_is_left_out() -> None:
    note = Entry(RecordKind.TERMINAL, Result.NOTED, Note.STARTED, moment())
    assert not {"holder", "punch", "portal"} & members_of(note).keys()


def test_a_drivers_long_error_does_not_stop_a_record() -> None:
    long = Entry(RecordKind.TERMINAL, Result.NOTED, Note.DEVICE_FAILED, moment(), detail="x" * 9999)
    assert members_of(long)["detail"] == "x" * 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("v", 2),
        ("v", None),
        ("kind", "door"),
        ("result", "perhaps"),
        ("reason", "because"),
        ("reason", None),
        ("clock", "quartz"),
        ("at_ms", "now"),
        ("at_ms", 10**18),
        ("at_ms", True),
        ("mono_ms", -1),
        ("boot", "two words"),
        ("holder", ""),
        ("holder", "x" * 65),
        ("assurance", "sure"),
        ("punch", "lunch"),
        ("elapsed_ms", -1),
        ("detail", "line\nbreak"),
        ("detail", 7),
    ],
)
def test_a_record_that_this_software_does_not_know_is_malformed(name: str, value: object) -> None:
    with pytest.raises(Malformed):
        entry_of({**members_of(tap(moment())), name: value})


def test_an_unknown_member_of_a_newer_record_is_passed_over() -> None:
    assert entry_of({**members_of(tap(moment())), "zone": "server-room"}) == tap(moment())


def test_receipt_and_head_come_back() -> None:
    receipt = Receipt("ent-1", "0" * 16, 7, "f" * 64, 1)
    assert receipt_of(receipt_members(receipt)) == receipt
    head = Head("ent-1", "0" * 16, 0, GENESIS, BOOT, 1, 2)
    assert head_of(head_members(head)) == head


@pytest.mark.parametrize("name", ["v", "terminal", "epoch", "upto", "hash", "commit_ms"])
def test_a_receipt_with_anything_missing_or_more_is_malformed(name: str) -> None:
    whole = receipt_members(Receipt("ent-1", "0" * 16, 7, "f" * 64, 1))
    with pytest.raises(Malformed):
        receipt_of({key: value for key, value in whole.items() if key != name})
    with pytest.raises(Malformed):
        receipt_of({**whole, "more": 1})


@pytest.mark.parametrize("name", ["v", "terminal", "epoch", "seq", "hash", "boot", "at_ms"])
def test_a_head_with_anything_missing_or_more_is_malformed(name: str) -> None:
    whole = head_members(Head("ent-1", "0" * 16, 0, GENESIS, BOOT, 1, 2))
    with pytest.raises(Malformed):
        head_of({key: value for key, value in whole.items() if key != name})
    with pytest.raises(Malformed):
        head_of({**whole, "more": 1})


def test_every_alarm_is_said_on_or_off() -> None:
    content = json.loads(alarms_payload(5, {Alarm.READER_LOST: "x" * 500, Alarm.NO_RULES: ""}))
    assert {alarm.value for alarm in Alarm} < content.keys()
    assert {name for name, value in content.items() if value is True} == {"reader_lost", "no_rules"}
    assert len(content["reader_lost_detail"]) == 80
    assert "no_rules_detail" not in content


@given(ENTRIES)
def test_live_names_no_person_and_no_card(entry: Entry) -> None:
    content = json.loads(live_payload(entry))
    assert not {"holder", "profile", "assurance", "seq", "detail", "boot"} & content.keys()
