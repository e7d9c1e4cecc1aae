from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from terminal.core.reasons import Note, Result
from terminal.core.records import Entry, RecordKind
from terminal.journal import Journal, Spoilt
from terminal.link_drain import (
    ACCEPTED,
    AHEAD,
    NO_SUBSCRIBERS,
    RESEND_MOST_S,
    RESEND_S,
    RETRY_S,
    Drain,
)
from terminal.wire.chain import declaration
from tests.terminal.journals import spoil, taps
from tests.terminal.wall import moment, tap
from tests.town_ca import new_key

NOT_AUTHORIZED = 0x87


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    one = Journal.open(tmp_path / "journal.db", "ent-1", new_key(), ballast=0)
    yield one
    one.close()


@pytest.fixture
def drain(journal: Journal) -> Iterator[Drain]:
    one = Drain(journal.reader())
    one.begin(0)
    yield one
    one.reopen()


def send(drain: Drain, room: int, now: float) -> list[int]:
    """The numbers of what was taken; packet numbers are record numbers."""
    taken = [one.seq for one in drain.take(room, now)]
    for seq in taken:
        drain.sent(seq, seq)
    return taken


def acknowledge(drain: Drain, seqs: list[int], now: float, code: int = ACCEPTED) -> None:
    for seq in seqs:
        drain.acknowledged(seq, code, now)


def test_records_go_out_in_order_and_no_more_than_there_is_room_for(
    journal: Journal, drain: Drain
) -> None:
    taps(journal, 5)
    assert send(drain, 3, 0) == [1, 2, 3]
    assert send(drain, 0, 0) == []
    assert send(drain, 9, 0) == [4, 5]
    assert drain.in_flight == 5


def test_an_acknowledged_record_without_receipt_goes_out_again_after_a_minute(
    journal: Journal, drain: Drain
) -> None:
    taps(journal, 3)
    acknowledge(drain, send(drain, 9, 0), 1)
    assert send(drain, 9, RESEND_S - 1) == []
    assert send(drain, 9, RESEND_S) == [1, 2, 3]


def test_an_absent_ledger_is_asked_ever_more_slowly(journal: Journal, drain: Drain) -> None:
    taps(journal, 1)
    times = []
    for second in range(7200):
        if sent := send(drain, 9, second):
            times.append(second)
            acknowledge(drain, sent, second)
    waits = [after - before for before, after in pairwise(times)]
    assert waits[:4] == [RESEND_S, 2 * RESEND_S, 4 * RESEND_S, 8 * RESEND_S]
    assert max(waits) == RESEND_MOST_S


def test_after_a_receipt_the_minute_begins_anew(journal: Journal, drain: Drain) -> None:
    stored = taps(journal, 3)
    acknowledge(drain, send(drain, 9, 0), 0)
    assert journal.receive(2, stored[1].hash)
    assert send(drain, 9, RESEND_S - 1) == []
    assert send(drain, 9, 2 * RESEND_S) == [3]


def test_a_receipt_also_covers_what_was_never_sent_on_this_connection(
    journal: Journal, drain: Drain
) -> None:
    stored = taps(journal, 4)
    assert journal.receive(3, stored[2].hash)
    assert send(drain, 9, 0) == [4]


def test_a_new_connection_begins_at_the_first_record_without_receipt(
    journal: Journal, drain: Drain
) -> None:
    stored = taps(journal, 4)
    send(drain, 9, 0)
    journal.receive(2, stored[1].hash)
    drain.begin(5)
    assert send(drain, 9, 5) == [3, 4]


@pytest.mark.parametrize("code", [NO_SUBSCRIBERS, 0x80, NOT_AUTHORIZED, 0x97])
def test_what_the_broker_gave_to_nobody_or_refused_is_not_sent(
    journal: Journal, drain: Drain, code: int
) -> None:
    taps(journal, 2)
    send(drain, 9, 0)
    assert drain.acknowledged(1, code, 0) == 1
    assert drain.acknowledged(2, ACCEPTED, 0) is None
    assert send(drain, 9, RETRY_S - 1) == []
    assert send(drain, 9, RETRY_S) == [1, 2]


def test_a_broker_that_keeps_refusing_is_asked_ever_more_slowly(
    journal: Journal, drain: Drain
) -> None:
    taps(journal, 1)
    times = []
    for second in range(1000):
        if sent := send(drain, 9, second):
            times.append(second)
            acknowledge(drain, sent, second, NOT_AUTHORIZED)
    waits = [after - before for before, after in pairwise(times)]
    assert waits[:5] == [10, 20, 40, 80, 120]


def test_records_that_were_refused_together_count_as_one_attempt(
    journal: Journal, drain: Drain
) -> None:
    taps(journal, 10)
    acknowledge(drain, send(drain, 20, 0), 0, NO_SUBSCRIBERS)
    assert send(drain, 20, RETRY_S - 1) == []
    acknowledge(drain, send(drain, 20, RETRY_S), RETRY_S, NO_SUBSCRIBERS)
    assert send(drain, 20, 3 * RETRY_S - 1) == []
    assert send(drain, 20, 3 * RETRY_S) == list(range(1, 11))


def test_a_receipt_ends_a_pause_and_makes_the_next_one_short(
    journal: Journal, drain: Drain
) -> None:
    stored = taps(journal, 3)
    pauses = (0, RETRY_S, 3 * RETRY_S)
    for now in pauses:
        acknowledge(drain, send(drain, 20, now), now, NO_SUBSCRIBERS)
    now = pauses[-1]
    journal.receive(1, stored[0].hash)
    drain.encourage()
    assert send(drain, 20, now + 1) == [2, 3]
    acknowledge(drain, [2, 3], now + 1, NO_SUBSCRIBERS)
    assert send(drain, 20, now + 1 + RETRY_S) == [2, 3]


def test_without_a_pause_encouragement_sends_nothing_twice(journal: Journal, drain: Drain) -> None:
    taps(journal, 2)
    assert send(drain, 20, 0) == [1, 2]
    drain.encourage()
    assert send(drain, 20, 1) == []


def test_only_so_many_records_are_out_without_a_receipt(journal: Journal, drain: Drain) -> None:
    journal.append([tap(moment())] * (AHEAD + 50))
    out = 0
    while sent := send(drain, 20, 0):
        out += len(sent)
        acknowledge(drain, sent, 0)
    assert out == AHEAD


def test_resend_from_goes_back(journal: Journal, drain: Drain) -> None:
    stored = taps(journal, 4)
    acknowledge(drain, send(drain, 9, 0), 0)
    journal.receive(4, stored[3].hash)
    assert send(drain, 9, 1) == []
    journal.resend_from(2)
    assert send(drain, 9, 2) == [2, 3, 4]


def test_a_spoilt_record_is_told_once_and_passed(
    journal: Journal, drain: Drain, tmp_path: Path
) -> None:
    stored = taps(journal, 4)
    spoil(tmp_path / "journal.db", 2)
    assert send(drain, 9, 0) == [1, 3, 4]
    assert drain.spoilt == [Spoilt(2, stored[1].hash)]
    drain.spoilt.clear()
    drain.begin(1)
    assert send(drain, 9, 1) == [1, 3, 4]
    assert drain.spoilt == []


def test_what_declares_a_spoilt_record_goes_out_in_its_place(
    journal: Journal, drain: Drain, tmp_path: Path
) -> None:
    stored = taps(journal, 4)
    spoil(tmp_path / "journal.db", 2)
    detail = declaration(2, stored[1].hash)
    journal.append(
        [Entry(RecordKind.TERMINAL, Result.NOTED, Note.RECORD_UNREADABLE, moment(), detail=detail)]
    )
    assert send(drain, 3, 0) == [1, 5, 3]
    assert drain.spoilt == []
    assert send(drain, 9, 0) == [4, 5]


def test_an_answer_to_an_unknown_packet_changes_nothing(journal: Journal, drain: Drain) -> None:
    taps(journal, 1)
    assert drain.acknowledged(77, NOT_AUTHORIZED, 0) is None
    assert send(drain, 9, 0) == [1]
