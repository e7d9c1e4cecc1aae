"""A record that its terminal has signed counts, however strange it is; or it is kept aside."""

import sqlite3
from contextlib import closing

import pytest

from provisioning.ledger.alarms import LedgerAlarm
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import Wall

ODD = [
    b',"mood":{"of":["the","day"]}',
    b',"moods":[1,2]',
    b',"holder":"h-0002"',
    b',"key":"0000000000000000"',
    b',"mood":1.5',
    b',"mood":1e999',
    b',"mood":NaN',
    b',"mood":99999999999999999999',
    b',"mood":"\\ud800"',
    b',"mood":' + b"[" * 9 + b"]" * 9,
]


@pytest.mark.parametrize("extra", ODD)
def test_a_signed_record_of_a_strange_form_counts_and_is_proven(
    desk: Desk, wall: Wall, extra: bytes
) -> None:
    payloads = [wall.tap(), wall.tap_odd(extra), wall.tap()]
    assert [receipt.upto for receipt in desk.take(wall, *payloads)] == [3]
    assert desk.held() == payloads
    assert desk.alarms() == {LedgerAlarm.NOT_UNDERSTOOD}
    verdict = desk.verdict()
    assert (verdict.records, verdict.broken) == (3, None)


def test_of_a_member_named_twice_neither_value_is_believed(desk: Desk, wall: Wall) -> None:
    desk.take(wall, wall.tap_odd(b',"holder":"h-0002"'))
    with closing(sqlite3.connect(desk.path)) as db:
        assert db.execute("SELECT holder FROM records").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("extra", "without"),
    [
        (b',"seq":9', b""),
        (b',"terminal":"gate-2"', b""),
        (b',"seq":1.0', b'"seq":1,'),
        (b',"seq":' + b"9" * 20, b'"seq":1,'),
        (b",nonsense", b""),
        (b',"mood":"\xff"', b""),
        (b',"mood":' + b"[" * 1500, b""),
    ],
)
def test_signed_bytes_without_a_sure_number_are_kept_aside_and_never_dropped(
    desk: Desk, wall: Wall, extra: bytes, without: bytes
) -> None:
    assert desk.take(wall, wall.tap_odd(extra, without)) == []
    assert desk.held() == []
    assert [row.payload for row in desk.store.quarantined()] == wall.sent
    assert desk.alarms() == {LedgerAlarm.NUMBERLESS}
    assert desk.verdicts() == []
