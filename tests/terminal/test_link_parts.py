"""The link's parts that need no broker: receipts, what is said, what is heard, when to reach."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm, Note, Result
from terminal.core.records import Entry, RecordKind
from terminal.journal import Journal
from terminal.link_ears import MOST_DROPPED, Ears
from terminal.link_receipts import (
    MalformedReceiptError,
    NoReceiptError,
    ReceiptArrived,
    ReceiptGate,
)
from terminal.link_rhythm import TAKEN_OVER, BackOff, Flaps
from terminal.link_session import Arrived
from terminal.link_voice import EVERY_S, Voice
from terminal.wire.messages import CfgState, Info, Receipt, receipt_members
from terminal.wire.signed import HEAD, RECEIPT, sign
from terminal.wire.topics import CHUNK, Name, topic
from tests.terminal.journals import taps
from tests.terminal.wall import BOOT, MORNING, moment, tap
from tests.town_ca import new_key

LEDGER = new_key()
EPOCH = "a1b2c3d4e5f60718"
RECEIVED = ReceiptArrived(7, "f" * 64, EPOCH, 1)


def receipt(
    terminal: str = "ent-1", epoch: str = EPOCH, context: str = RECEIPT, upto: int = 7
) -> bytes:
    return sign(context, receipt_members(Receipt(terminal, epoch, upto, "f" * 64, 1)), LEDGER)


# --- receipts


def gate() -> ReceiptGate:
    one = ReceiptGate("ent-1", EPOCH)
    one.set_keys([new_key().public_key(), LEDGER.public_key()])
    return one


def test_a_receipt_by_a_published_ledger_key_counts() -> None:
    assert gate().admit(receipt()) == RECEIVED


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (receipt(terminal="ent-2"), "other_terminal"),
        (receipt(epoch="0" * 16), "other_epoch"),
        (receipt(context=HEAD), "unknown_key"),
        (receipt().replace(b'"upto":7', b'"upto":8'), "unknown_key"),
        (b"{}", "malformed"),
        (b"", "malformed"),
        (receipt()[:-1], "malformed"),
        (receipt(upto=0), "malformed"),
    ],
)
def test_any_other_receipt_does_not(payload: bytes, reason: str) -> None:
    with pytest.raises(NoReceiptError, match=reason) as refusal:
        gate().admit(payload)
    assert isinstance(refusal.value, MalformedReceiptError) == (reason == "malformed")


def test_a_receipt_by_anybody_else_does_not_count() -> None:
    only = ReceiptGate("ent-1", EPOCH)
    only.set_keys([new_key().public_key()])
    with pytest.raises(NoReceiptError, match="unknown_key"):
        only.admit(receipt())


def test_a_receipt_that_comes_before_the_publication_waits_for_its_keys() -> None:
    one = ReceiptGate("ent-1", EPOCH)
    assert one.admit(receipt()) is None
    assert one.set_keys([LEDGER.public_key()]) == RECEIVED


# --- what is heard


class Listener:
    """Ears, and what came out of them."""

    def __init__(self) -> None:
        self.arrived: list[ReceiptArrived] = []
        self.refused: list[str] = []
        self.dropped: list[tuple[str, str]] = []
        self.read: list[tuple[str, bytes]] = []
        self.ears = Ears(
            "minami",
            gate(),
            "ent-1",
            self.arrived.append,
            self.refused.append,
            lambda *what: self.dropped.append(what),
        )
        self.now = 0.0

    def hear(self, name: str, payload: bytes) -> None:
        self.now += 2
        self.ears.hear(Arrived(name, payload), self.now)


@pytest.fixture
def listener() -> Listener:
    return Listener()


RECEIPT_TOPIC = topic(Name.RECEIPT, "minami", "ent-1")
INDEX_TOPIC = topic(Name.INDEX, "minami")


def test_a_receipt_is_heard(listener: Listener) -> None:
    listener.hear(RECEIPT_TOPIC, receipt())
    assert listener.arrived == [RECEIVED]


def test_a_forged_receipt_is_told_with_its_reason(listener: Listener) -> None:
    listener.hear(RECEIPT_TOPIC, receipt(context=HEAD))
    assert listener.refused == ["unknown_key"]


def test_a_receipt_that_was_cleared_is_nothing(listener: Listener) -> None:
    listener.hear(RECEIPT_TOPIC, b"")
    assert (listener.arrived, listener.refused, listener.dropped) == ([], [], [])


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("", b"", "unknown_topic"),
        ("kazasu/v1/minami/ent-1/receipt/x", b"", "unknown_topic"),
        (topic(Name.RECEIPT, "minami", "ent-2"), receipt(), "unknown_topic"),
        (topic(Name.RECEIPT, "kita", "ent-1"), receipt(), "unknown_topic"),
        (topic(Name.REC, "minami", "ent-1"), b"x", "unknown_topic"),
        (topic(Name.SEALED, "minami", "ent-2", "a.json"), b"x", "unknown_topic"),
        (RECEIPT_TOPIC, b"x" * 4097, "too_long"),
        (topic(Name.FILE, "minami", path="a.json"), b"x" * (CHUNK + 1), "too_long"),
        (RECEIPT_TOPIC, b'{"v":', "malformed"),
        (INDEX_TOPIC, b"{}", "not_asked_for"),
    ],
)
def test_what_is_not_for_us_or_not_what_was_agreed_is_dropped_and_told(
    listener: Listener, name: str, payload: bytes, reason: str
) -> None:
    listener.hear(name, payload)
    assert listener.dropped == [(name, reason)]
    assert listener.ears.dropped_total == 1


def test_a_flood_is_told_once_a_second_and_ends_the_session(listener: Listener) -> None:
    for number in range(MOST_DROPPED + 1):
        listener.ears.hear(Arrived("x", b""), 100 + number / 1000)
    assert len(listener.dropped) == 2
    assert listener.ears.overwhelmed
    listener.ears.begin()
    assert not listener.ears.overwhelmed


def test_forged_receipts_count_as_a_flood_too(listener: Listener) -> None:
    for _ in range(MOST_DROPPED + 1):
        listener.ears.hear(Arrived(RECEIPT_TOPIC, receipt(context=HEAD)), 100)
    assert listener.refused == ["unknown_key"]
    assert listener.ears.overwhelmed


def test_a_topics_name_reaches_the_log_only_in_plain_signs(listener: Listener) -> None:
    listener.hear("evil\nline\x1b[31m鍵" + "x" * 200, b"")
    ((name, _),) = listener.dropped
    assert name.isascii()
    assert name.isprintable()
    assert len(name) < 200


def test_whoever_asked_for_a_topic_gets_its_messages_until_they_ask_no_more(
    listener: Listener,
) -> None:
    listener.ears.add(INDEX_TOPIC, lambda *what: listener.read.append(what))
    listener.hear(INDEX_TOPIC, b"{}")
    assert listener.read == [(INDEX_TOPIC, b"{}")]
    assert list(listener.ears.filters()) == [RECEIPT_TOPIC, INDEX_TOPIC]
    listener.ears.remove(INDEX_TOPIC)
    listener.hear(INDEX_TOPIC, b"{}")
    assert len(listener.read) == 1


@given(st.text(max_size=80), st.binary(max_size=6000))
def test_nothing_that_is_heard_raises(name: str, payload: bytes) -> None:
    one = Listener()
    for place in (name, RECEIPT_TOPIC, INDEX_TOPIC):
        one.hear(place, payload)
    assert one.arrived == []


# --- what is said


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    one = Journal.open(tmp_path / "journal.db", "ent-1", new_key(), ballast=0)
    yield one
    one.close()


class Clock:
    def __init__(self) -> None:
        self.second = 0.0

    def stamp(self) -> Stamp:
        return moment(self.second)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def voice(journal: Journal, clock: Clock) -> Iterator[Voice]:
    reader = journal.reader()
    one = Voice(reader, clock.stamp)
    one.info = lambda: Info("ent-1", journal.epoch, "0.1.0", BOOT, 1, 7)
    yield one
    reader.close()


def said(voice: Voice, now: float) -> list[Name]:
    return [statement.name for statement in voice.due(now, 9)]


def test_a_connection_begins_with_the_birth(voice: Voice) -> None:
    voice.begin(0)
    assert said(voice, 0) == [Name.STATUS, Name.INFO, Name.ALARMS, Name.HEAD]
    assert said(voice, 1) == []


def test_no_more_is_said_at_once_than_there_is_room_for(voice: Voice) -> None:
    voice.begin(0)
    assert voice.due(0, 0) == ()
    assert [one.name for one in voice.due(0, 3)] == [Name.STATUS, Name.INFO, Name.ALARMS]
    assert [one.name for one in voice.due(0, 3)] == [Name.HEAD]


def test_a_head_that_cannot_be_read_stops_nothing_else(
    voice: Voice, journal: Journal, tmp_path: Path
) -> None:
    taps(journal, 1)
    journal._give_up()
    (tmp_path / "journal.db").rename(tmp_path / "away")
    voice.begin(0)
    assert said(voice, 0) == [Name.STATUS, Name.INFO, Name.ALARMS]
    (tmp_path / "away").rename(tmp_path / "journal.db")
    assert said(voice, EVERY_S) == [Name.HEAD]


def test_everything_is_said_again_on_the_next_connection(voice: Voice) -> None:
    voice.cfg_state(CfgState(1, 7, 7, "active"))
    voice.begin(0)
    before = said(voice, 0)
    voice.begin(5)
    assert said(voice, 5) == before
    assert before[-1] is Name.CFG_STATE


def test_the_head_is_said_every_minute(voice: Voice) -> None:
    voice.begin(0)
    said(voice, 0)
    assert said(voice, EVERY_S - 1) == []
    assert said(voice, EVERY_S) == [Name.HEAD]
    assert said(voice, EVERY_S + 1) == []
    assert said(voice, 2 * EVERY_S) == [Name.HEAD]


def test_alarms_are_said_when_they_change_and_not_otherwise(voice: Voice) -> None:
    voice.begin(0)
    said(voice, 0)
    voice.alarm(Alarm.READER_LOST, on=True, detail="unplugged")
    (statement,) = voice.due(1, 9)
    content = json.loads(statement.payload)
    assert content["reader_lost"] is True
    assert content["reader_lost_detail"] == "unplugged"
    assert content["reader_blocked"] is False
    voice.alarm(Alarm.READER_LOST, on=True, detail="unplugged")
    voice.alarm(Alarm.READER_BLOCKED, on=False)
    assert said(voice, 2) == []
    voice.alarm(Alarm.READER_LOST, on=False)
    assert said(voice, 3) == [Name.ALARMS]


def test_a_fresh_tap_is_shown_live_once_and_without_the_person(
    voice: Voice, journal: Journal, clock: Clock
) -> None:
    (stored,) = journal.append([tap(moment(0), "h-4711")])
    clock.second = 9
    statement = voice.live(stored)
    assert statement is not None
    assert (statement.qos, statement.retain) == (0, False)
    assert b"h-4711" not in statement.payload
    assert json.loads(statement.payload)["event_type"] == "granted"
    assert voice.live(stored) is None


def test_an_outages_backlog_is_never_shown_live(
    voice: Voice, journal: Journal, clock: Clock
) -> None:
    (stored,) = journal.append([tap(moment(0))])
    clock.second = 11
    assert voice.live(stored) is None


def test_another_boots_time_is_never_compared(voice: Voice, journal: Journal) -> None:
    other = Stamp(MORNING, "another-boot", 0, moment().quality)
    (stored,) = journal.append([tap(other)])
    assert voice.live(stored) is None


def test_the_terminals_own_notes_are_not_shown_live(voice: Voice, journal: Journal) -> None:
    note = Entry(RecordKind.TERMINAL, Result.NOTED, Note.STARTED, moment())
    (stored,) = journal.append([note])
    assert voice.live(stored) is None


# --- when to reach


def test_the_waits_double_from_one_to_120_seconds_and_are_drawn() -> None:
    one = BackOff(3, random.Random(1))
    waits = [one.next() for _ in range(12)]
    for wait, whole in zip(waits, [1, 2, 4, 8, 16, 32, 64, 120, 120, 120, 120, 120], strict=True):
        assert whole / 2 <= wait <= whole
    one.reset()
    assert one.next() <= 1


def test_twenty_terminals_do_not_come_back_in_the_same_second() -> None:
    firsts = [BackOff(5, random.Random(seed)).first() for seed in range(200)]
    for second in range(5):
        assert sum(second <= first < second + 1 for first in firsts) < 0.3 * len(firsts)


def test_a_broker_that_says_so_is_believed_that_two_share_our_identity() -> None:
    assert Flaps().ended(1000, TAKEN_OVER)
    assert not Flaps().ended(1000, 0x8B)


def test_four_short_sessions_in_a_row_look_like_a_shared_identity() -> None:
    one = Flaps()
    assert [one.ended(1, None) for _ in range(4)] == [False, False, False, True]


def test_a_broker_that_was_away_in_between_explains_short_sessions() -> None:
    one = Flaps()
    for _ in range(10):
        assert not one.ended(1, None)
        one.missed()


def test_a_long_session_explains_the_short_ones_before_it() -> None:
    one = Flaps()
    assert not any(one.ended(second, None) for second in (1, 1, 1, 31, 1, 1, 1))
