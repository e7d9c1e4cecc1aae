import contextlib
import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import journal as journal_module
from terminal import journal_disk, journal_file
from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.records import Entry
from terminal.journal import (
    Journal,
    JournalDamagedError,
    JournalError,
    JournalInUseError,
    Stored,
)
from terminal.journal_disk import Ballast
from terminal.journal_proof import prove
from terminal.wire.chain import GENESIS, hash_of
from terminal.wire.messages import entry_of, head_of
from terminal.wire.signed import HEAD, RECORD, verify
from tests.terminal.disk_faults import run_with_faults
from tests.terminal.journals import KEY, PUBLIC, opened, taps
from tests.terminal.wall import BOOT, MORNING, moment, tap
from tests.town_ca import new_key

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    one = opened(path)
    yield one
    one.close()


def test_a_record_says_what_was_decided_when_and_by_whom(journal: Journal) -> None:
    (stored,) = journal.append([tap(moment(3))])
    members = verify(RECORD, stored.payload, [PUBLIC])
    assert (members["terminal"], members["epoch"]) == ("ent-1", journal.epoch)
    assert (members["seq"], members["prev"]) == (1, GENESIS)
    assert entry_of(members) == tap(moment(3))


def test_each_record_carries_the_hash_of_the_one_before(journal: Journal, path: Path) -> None:
    stored = taps(journal, 5)
    members = [verify(RECORD, one.payload, [PUBLIC]) for one in stored]
    assert [one["prev"] for one in members[1:]] == [one.hash for one in stored[:-1]]
    assert [one.hash for one in stored] == [hash_of(one.payload) for one in stored]
    assert prove(path, [PUBLIC]).head == stored[-1].hash


def test_the_journal_goes_on_where_it_was_when_the_power_went(path: Path) -> None:
    first = opened(path)
    before = taps(first, 3)
    shutil.copytree(path.parent, path.parent.with_name("after"), copy_function=shutil.copy)
    first.close()
    again = opened(path.parent.with_name("after") / path.name)
    assert again.epoch == first.epoch
    assert again.head() == (3, before[-1].hash)
    assert again.append([tap(moment())])[0].seq == 4
    again.close()


def test_a_new_journal_begins_a_new_epoch(path: Path, tmp_path: Path) -> None:
    one, other = opened(path), opened(tmp_path / "other" / "journal.db")
    assert one.epoch != other.epoch
    assert len(one.epoch) == 16
    one.close()
    other.close()


def test_a_second_process_is_refused(journal: Journal, path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.town_ca import new_key\n"
        "from terminal.journal import Journal, JournalInUseError\n"
        "try: Journal.open(Path(sys.argv[1]), 'ent-1', new_key())\n"
        "except JournalInUseError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "in use" in ended.stdout
    with pytest.raises(JournalInUseError):
        opened(path)


def test_the_lock_goes_with_the_process_however_it_ends(path: Path) -> None:
    opened(path).close()
    opened(path).close()
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(lock)


def test_another_terminals_journal_is_refused(path: Path) -> None:
    opened(path).close()
    with pytest.raises(JournalError, match="ent-1, not ent-2"):
        Journal.open(path, "ent-2", KEY)


def test_a_journal_of_another_key_is_refused_unless_it_is_a_former_one(path: Path) -> None:
    one = opened(path)
    taps(one, 1)
    one.close()
    new = new_key()
    with pytest.raises(JournalDamagedError, match="not by this terminal's key"):
        Journal.open(path, "ent-1", new)
    renewed = Journal.open(path, "ent-1", new, former=[PUBLIC], ballast=0)
    renewed.append([tap(moment())])
    renewed.close()
    assert prove(path, [PUBLIC, new.public_key()]).count == 2


def test_a_newer_format_is_left_alone(path: Path) -> None:
    opened(path).close()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 2")
    with pytest.raises(JournalError, match="format 2") as refusal:
        opened(path)
    assert not isinstance(refusal.value, JournalDamagedError)


# --- all or nothing


def test_entries_of_one_step_are_all_written_or_none(journal: Journal, path: Path) -> None:
    good = tap(moment())
    bad = Entry(good.kind, good.result, good.reason, good.stamp, holder="\ud800")
    with pytest.raises(JournalError, match="no record"):
        journal.append([good, bad])
    assert journal.head() == (0, GENESIS)
    assert journal.append([good, good])[1].seq == 2


def test_a_failed_commit_is_an_error_and_the_next_one_works(journal: Journal, path: Path) -> None:
    taps(journal, 2)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        journal._live().execute("PRAGMA busy_timeout = 1")
        with pytest.raises(JournalError, match="locked"):
            journal.append([tap(moment())])
        other.execute("ROLLBACK")
    assert journal.append([tap(moment())])[0].seq == 3
    assert prove(path, [PUBLIC]).count == 3


def test_writes_syncs_and_truncations_may_fail_once_or_for_good(tmp_path: Path) -> None:
    refused = run_with_faults("tests.terminal.journal_under_faults", tmp_path, "7")
    assert int(refused) > 50


@pytest.mark.all
@pytest.mark.timeout(900)
def test_every_write_sync_and_truncation_may_fail_once_or_for_good(tmp_path: Path) -> None:
    refused = run_with_faults("tests.terminal.journal_under_faults", tmp_path, "90")
    assert int(refused) > 1000


def test_a_full_disk_is_an_error_and_nothing_that_was_acknowledged_is_lost(path: Path) -> None:
    one = opened(path)
    one._live().execute("PRAGMA max_page_count = 40")
    acknowledged: list[Stored] = []

    def fill() -> None:
        for second in range(1000):
            acknowledged.extend(one.append([tap(moment(second))]))

    with pytest.raises(JournalError, match="full"):
        fill()
    assert len(acknowledged) > 10
    assert [stored for stored in one.records() if isinstance(stored, Stored)] == acknowledged
    one.append([tap(moment())])
    one.close()


def test_the_reserve_is_given_up_when_the_disk_is_full(path: Path) -> None:
    one = opened(path, ballast=65_536)
    reserve = path.with_name("journal.db.ballast")
    assert reserve.stat().st_size == 65_536
    # The limit goes with the connection: the second try has room, as if the reserve had made it.
    one._live().execute("PRAGMA max_page_count = 12")
    for second in range(40):
        one.append([tap(moment(second))])
        if not reserve.exists():
            break
    assert not reserve.exists()
    one.state()
    assert reserve.exists()
    one.close()


def test_no_reserve_is_laid_where_it_would_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_disk, "free_bytes", lambda _: 100_000)
    assert not Ballast(tmp_path / "ballast", 60_000).lay()
    assert not (tmp_path / "ballast").exists()
    assert not Ballast(tmp_path / "none", 0).lay()


def test_when_the_reserve_is_used_up_too_nothing_more_is_recorded(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = opened(path, ballast=65_536)
    (kept,) = one.append([tap(moment())])

    def small(where: Path) -> sqlite3.Connection:
        connection = journal_file.connect(where)
        connection.execute("PRAGMA max_page_count = 8")
        return connection

    monkeypatch.setattr(journal_module, "connect", small)
    one._give_up()
    with pytest.raises(JournalError, match="full"):
        one.append([tap(moment())] * 50)
    assert not path.with_name("journal.db.ballast").exists()
    monkeypatch.undo()
    one._give_up()
    assert list(one.records()) == [kept]
    one.close()


def test_a_disk_without_room_for_the_reserve_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    assert not Ballast(tmp_path / "ballast", 4096).lay()
    assert not (tmp_path / "ballast").exists()
    assert not Ballast(tmp_path / "no" / "folder" / "ballast", 4096).lay()


def test_a_disk_that_is_gone_is_an_error_and_no_record_is_given_up_for_it(path: Path) -> None:
    one = opened(path)
    stored = taps(one, 3)
    one.receive(1, stored[0].hash)
    one._give_up()
    away = path.with_name("away")
    path.rename(away)
    reader = one.reader()
    with pytest.raises(sqlite3.OperationalError):
        reader.pending(0, 9)
    with pytest.raises(JournalError):
        one.append([tap(moment())])
    with pytest.raises(JournalError):
        list(one.records())
    with pytest.raises(JournalError):
        one.resend_from(1)
    assert not one.receive(2, stored[1].hash)
    assert one.state().oldest_pending_ms is None
    away.rename(path)
    assert list(one.records()) == stored
    assert reader.pending(0, 9) == tuple(stored)
    assert one.receive(2, stored[1].hash)
    reader.close()
    one.close()


# --- receipts


def test_a_receipt_moves_the_cursor_forward_only(journal: Journal) -> None:
    stored = taps(journal, 5)
    assert journal.receive(4, stored[3].hash)
    assert journal.marks().received == 4
    assert journal.receive(2, stored[1].hash)
    assert journal.marks().received == 4


@pytest.mark.parametrize("upto", [0, -1, 2, 6, 10**9])
def test_a_receipt_for_another_journals_record_does_not_count(journal: Journal, upto: int) -> None:
    stored = taps(journal, 5)
    assert not journal.receive(upto, stored[0].hash)
    assert journal.marks().received == 0


def test_the_cursor_is_kept_over_a_restart(path: Path) -> None:
    one = opened(path)
    stored = taps(one, 5)
    one.receive(3, stored[2].hash)
    one.close()
    again = opened(path)
    assert again.marks().received == 3
    again.close()


def test_a_restored_ledger_can_have_records_again(journal: Journal) -> None:
    stored = taps(journal, 5)
    journal.receive(5, stored[4].hash)
    journal.resend_from(3)
    assert journal.marks().received == 2
    with contextlib.closing(journal.reader()) as reader:
        assert [one.seq for one in reader.pending(2, 10)] == [3, 4, 5]


def test_listeners_hear_of_commits_and_receipts(journal: Journal) -> None:
    heard: list[int] = []
    journal.listen(lambda: heard.append(1))
    stored = taps(journal, 2)
    journal.receive(2, stored[1].hash)
    journal.receive(2, stored[1].hash)
    assert len(heard) == 3


# --- the reader


def test_another_thread_reads_what_is_pending(journal: Journal) -> None:
    stored = taps(journal, 30)
    reader = journal.reader()
    found: list[tuple[object, ...]] = []
    thread = threading.Thread(target=lambda: found.append(reader.pending(10, 5)))
    thread.start()
    thread.join()
    assert found == [tuple(stored[10:15])]
    reader.close()


def test_the_reader_never_sees_what_was_not_acknowledged(journal: Journal, path: Path) -> None:
    taps(journal, 2)
    reader = journal.reader()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as left_behind:
        left_behind.execute("INSERT INTO record SELECT 3, hash, payload FROM record WHERE seq = 2")
    assert [one.seq for one in reader.pending(0, 10)] == [1, 2]
    journal._give_up()
    assert journal.append([tap(moment())])[0].seq == 3
    assert prove(path, [PUBLIC]).whole
    reader.close()


def test_the_head_is_signed_and_names_the_newest_record(journal: Journal) -> None:
    reader = journal.reader()
    head = head_of(verify(HEAD, reader.head(moment(1)), [PUBLIC]))
    assert (head.seq, head.hash, head.boot, head.mono_ms) == (0, GENESIS, BOOT, 1000)
    stored = taps(journal, 3)
    head = head_of(verify(HEAD, reader.head(moment(2)), [PUBLIC]))
    assert (head.seq, head.hash) == (3, stored[-1].hash)
    reader.close()


# --- state and folding


def test_state_is_folded_from_the_entries(journal: Journal) -> None:
    taps(journal, 3)
    assert [seq for seq, _ in journal.entries()] == [1, 2, 3]
    assert list(journal.entries(2)) == [(3, tap(moment(2)))]


def test_how_full_it_is_shows_before_it_is_full(path: Path) -> None:
    one = opened(path, capacity=10)
    stored = taps(one, 8)
    state = one.state()
    assert (state.pending, state.total, state.percent) == (8, 8, 80)
    assert state.oldest_pending_ms == moment(0).at_ms
    one.receive(8, stored[-1].hash)
    assert one.state().percent < 80
    assert one.state().oldest_pending_ms is None
    assert one.state().free_mb > 0
    one.close()


def test_times_are_stored_to_the_millisecond_and_never_rounded(journal: Journal) -> None:
    quality = ClockQuality(ClockState.HOLDOVER, 86_400, 4_321)
    stamp = Stamp(MORNING.replace(microsecond=999_000), BOOT, 1, quality)
    journal.append([tap(stamp)])
    (found,) = [entry for _, entry in journal.entries()]
    assert found.stamp == stamp
