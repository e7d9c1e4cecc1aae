"""The ledger's file: made whole, one writer, readable by anybody, refused when it is not ours."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from provisioning.ledger import database
from provisioning.ledger.alarms import LedgerAlarm, Raised
from provisioning.ledger.database import StoreError
from provisioning.ledger.store import Reading, Store
from provisioning.ledger.tables import FORM
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import EPOCH, Wall


def test_a_committed_transaction_is_synced_to_the_disk(desk: Desk) -> None:
    (mode,) = desk.store._db.execute("PRAGMA journal_mode").fetchone()
    (synchronous,) = desk.store._db.execute("PRAGMA synchronous").fetchone()
    full = 2
    assert (mode, synchronous) == ("wal", full)


def test_a_reader_sees_what_is_committed_while_the_ledger_writes(desk: Desk, wall: Wall) -> None:
    with Reading(desk.path) as reading:
        assert list(reading.records()) == []
        desk.take(wall, *wall.taps(2))
        assert [row.payload for row in reading.records()] == wall.sent


def test_a_snapshot_stays_of_one_moment(desk: Desk, wall: Wall) -> None:
    desk.take(wall, wall.tap())
    with Reading(desk.path) as reading, reading.snapshot():
        assert len(list(reading.records())) == 1
        desk.take(wall, wall.tap())
        assert len(list(reading.records())) == 1


def test_a_reader_cannot_write(desk: Desk) -> None:
    with (
        Reading(desk.path) as reading,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        reading._db.execute("DELETE FROM records")


def test_the_lock_ends_with_its_owner(desk: Desk) -> None:
    desk.reopen()
    assert desk.held() == []


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere\.db is not there"):
        Reading(tmp_path / "nowhere.db")


def test_half_a_database_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"
    monkeypatch.setattr(database, "SCHEMA", "CREATE TABLE records (x); CREATE TABLE records (x);")
    with pytest.raises(StoreError, match="already exists"):
        Store(path)
    assert not path.exists()
    monkeypatch.undo()
    Store(path).close()


@pytest.mark.parametrize("opened", [Reading, Store])
def test_a_file_that_is_no_database_is_refused(
    tmp_path: Path, opened: Callable[[Path], Reading]
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match=r"ledger\.db: file is not a database"):
        opened(path)


@pytest.mark.parametrize("opened", [Reading, Store])
@pytest.mark.parametrize("form", [0, FORM + 1])
def test_a_database_of_another_form_is_refused(
    tmp_path: Path, opened: Callable[[Path], Reading], form: int
) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE records (x)")
        db.execute(f"PRAGMA user_version={form}")
    with pytest.raises(StoreError, match=f"has form {form}, this software knows form {FORM}"):
        opened(path)


def test_a_ledger_on_a_disc_that_cannot_be_written_is_read_all_the_same(
    desk: Desk, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.take(wall, wall.tap())
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(StoreError, match=r"copy .*ledger\.db and ledger\.db-wal together"):
        Reading(desk.path)
    desk.store.close()
    with Reading(desk.path) as reading:
        assert [row.payload for row in reading.records()] == wall.sent
    assert sorted(path.name for path in desk.path.parent.iterdir()) == [
        "ledger.db",
        "ledger.db.lock",
    ]


def test_an_alarm_is_counted_ends_and_begins_again(desk: Desk) -> None:
    raised = Raised(LedgerAlarm.CLONE, "gate-1", EPOCH, 5, "first")
    store = desk.store
    with store.transaction():
        assert store.raise_alarm(raised, 1000) == 1
        assert store.raise_alarm(raised, 2000) == 2
        store.end_alarm(LedgerAlarm.CLONE, "gate-1", EPOCH, 3000)
    (alarm,) = store.alarms()
    assert (alarm.first_ms, alarm.last_ms, alarm.count, alarm.ended_ms) == (1000, 2000, 2, 3000)
    with store.transaction():
        assert store.raise_alarm(raised, 4000) == 1
    (alarm,) = store.alarms()
    assert (alarm.first_ms, alarm.last_ms, alarm.count, alarm.ended_ms) == (4000, 4000, 1, None)


def test_the_newest_records_come_last_one_first(desk: Desk, wall: Wall) -> None:
    desk.take(wall, *wall.taps(5))
    assert [row.seq for row in desk.store.records(newest=2)] == [5, 4]
