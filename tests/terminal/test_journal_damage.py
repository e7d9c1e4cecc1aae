"""What a journal makes of spoilt bytes, torn files and kill -9."""

import contextlib
import random
import select
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from terminal.journal import (
    Journal,
    JournalDamagedError,
    JournalError,
    Spoilt,
    Stored,
    set_aside,
)
from terminal.journal_proof import prove
from terminal.wire.chain import GENESIS
from terminal.wire.signed import RECORD, verify
from tests.terminal.journals import KEY, PUBLIC, opened, spoil, taps, unreadable
from tests.terminal.wall import moment, tap

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    one = opened(path)
    yield one
    one.close()


def test_a_spoilt_record_is_named_with_its_hash(journal: Journal, path: Path) -> None:
    stored = taps(journal, 4)
    spoil(path, 2)
    reader = journal.reader()
    assert reader.pending(0, 9) == (stored[0], Spoilt(2, stored[1].hash), stored[2], stored[3])
    reader.close()


def test_a_spoilt_hash_does_not_cost_a_record_that_proves_itself(
    journal: Journal, path: Path
) -> None:
    stored = taps(journal, 4)
    spoil(path, 2, "hash")
    spoil(path, 4, "hash")
    reader = journal.reader()
    assert reader.pending(0, 9) == tuple(stored)
    assert journal.receive(4, stored[3].hash)
    reader.close()


def test_a_row_that_is_gone_is_named_by_the_record_behind_it(journal: Journal, path: Path) -> None:
    stored = taps(journal, 4)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as hand:
        hand.execute("DELETE FROM record WHERE seq IN (2, 3)")
    assert list(journal.records()) == [
        stored[0],
        Spoilt(2, ""),
        Spoilt(3, stored[2].hash),
        stored[3],
    ]


def test_a_spoilt_record_is_passed_by_the_one_that_declares_it(
    journal: Journal, path: Path
) -> None:
    stored = taps(journal, 4)
    spoil(path, 2)
    reader = journal.reader()
    assert reader.declaration_of(2) is None
    (declaring,) = journal.append([unreadable(2, stored[1].hash)])
    assert reader.declaration_of(2) == declaring
    verdict = prove(path, [PUBLIC])
    assert (verdict.whole, verdict.count, verdict.seq) == (True, 4, 5)
    reader.close()


def test_the_whole_chain_check_names_the_first_record_that_is_wrong(
    journal: Journal, path: Path
) -> None:
    taps(journal, 4)
    spoil(path, 3)
    assert prove(path, [PUBLIC]).broken_at == 3


def test_the_journal_goes_on_after_a_spoilt_last_record(path: Path) -> None:
    one = opened(path)
    stored = taps(one, 3)
    one.close()
    spoil(path, 3)
    again = opened(path)
    assert again.head() == (3, stored[2].hash)
    (behind,) = again.append([unreadable(3, stored[2].hash)])
    assert verify(RECORD, behind.payload, [PUBLIC])["prev"] == stored[2].hash
    again.close()


def test_records_that_vanished_from_the_end_are_noticed(path: Path) -> None:
    one = opened(path)
    stored = taps(one, 3)
    one.receive(3, stored[2].hash)
    one.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as hand:
        hand.execute("DELETE FROM record WHERE seq = 3")
    with pytest.raises(JournalDamagedError, match="lost its end"):
        opened(path)


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\0" * 8192])
def test_a_file_that_is_no_journal_is_damage_and_never_an_empty_journal(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(JournalDamagedError):
        opened(path)


def test_a_log_without_its_file_is_damage(path: Path) -> None:
    one = opened(path)
    taps(one, 3)
    one._lock.release()
    path.unlink()
    with pytest.raises(JournalDamagedError, match="is gone"):
        opened(path)
    one._give_up()


def test_a_damaged_journal_is_kept_aside_and_a_new_one_begins(path: Path) -> None:
    one = opened(path)
    taps(one, 3)
    one.close()
    path.write_bytes(b"")
    with pytest.raises(JournalDamagedError):
        opened(path)
    folder = set_aside(path)
    assert (folder / path.name).exists()
    again = opened(path)
    assert again.head() == (0, GENESIS)
    assert again.epoch != one.epoch
    again.close()


def test_a_half_made_journal_is_made_anew(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.with_name("journal.db.new").write_bytes(b"half")
    path.with_name("journal.db.new-wal").write_bytes(b"half")
    one = opened(path)
    assert one.head() == (0, GENESIS)
    one.close()


def flipped_journals(path: Path, every: int) -> Iterator[tuple[int, Path]]:
    original = path.read_bytes()
    copy = path.parent / "flipped" / path.name
    for at in range(0, len(original), every):
        shutil.rmtree(copy.parent, ignore_errors=True)
        copy.parent.mkdir()
        copy.write_bytes(original[:at] + bytes([original[at] ^ 0x55]) + original[at + 1 :])
        yield at, copy


def flip_and_look(path: Path, every: int) -> int:
    """No flipped byte may go unnoticed and change what is believed; how often one was noticed."""
    one = opened(path)
    stored = taps(one, 8)
    one.receive(2, stored[1].hash)
    one.close()
    noticed = 0
    for at, copy in flipped_journals(path, every):
        try:
            journal = opened(copy)
        except JournalError:
            noticed += 1
            continue
        assert journal.head()[0] <= 8, at
        whole = journal.head() == (8, stored[7].hash)
        for found in journal.records():
            if isinstance(found, Stored):
                assert found in stored, at
            else:
                assert found.hash in {"", stored[found.seq - 1].hash}, at
                noticed += 1
        # Records may be missing at the end only if nobody has a receipt for them.
        assert whole or journal.head()[0] >= 2, at
        journal._give_up()
        journal.close()
    return noticed


def test_no_flipped_byte_makes_a_wrong_record_believed(path: Path) -> None:
    assert flip_and_look(path, every=17) > 50


@pytest.mark.all
@pytest.mark.timeout(900)
def test_no_flipped_byte_at_all_makes_a_wrong_record_believed(path: Path) -> None:
    assert flip_and_look(path, every=1) > 1000


def test_a_torn_log_costs_only_what_was_not_acknowledged(path: Path) -> None:
    one = opened(path)
    stored = taps(one, 5)
    wal = path.with_name("journal.db-wal")
    content = wal.read_bytes()
    one.append([tap(moment())])
    torn = wal.read_bytes()
    assert torn.startswith(content[:32])
    for size in range(len(content), len(torn), 97):
        folder = path.parent / f"torn-{size}"
        folder.mkdir()
        shutil.copy(path, folder)
        (folder / wal.name).write_bytes(torn[:size])
        again = opened(folder / path.name)
        assert again.head() == (5, stored[4].hash)
        again.close()
    one.close()


# --- kill -9


def kill_and_look(folder: Path, rounds: int) -> int:
    chance = random.Random(2026)
    folder.mkdir(exist_ok=True)
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "device.key").write_bytes(pem)
    acknowledged: dict[int, str] = {}
    for turn in range(rounds):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.terminal.journal_until_killed", str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        with child, child.stdout:
            ready, _, _ = select.select([child.stdout], [], [], 30)
            assert ready, "the child wrote nothing"
            time.sleep(chance.uniform(0, 0.08))
            child.kill()
            lines = child.stdout.read().split(b"\n")
        # The last line may be cut: then its record was acknowledged, and we cannot name it.
        for line in lines[:-1]:
            number, digest = line.decode().split()
            assert acknowledged.setdefault(int(number), digest) == digest
        if turn % 20 == 0 or turn == rounds - 1:
            verdict = prove(folder / "journal.db", [PUBLIC])
            assert verdict.whole, verdict
            assert verdict.count >= max(acknowledged)
    journal = opened(folder / "journal.db")
    assert 0 < journal.marks().received <= journal.head()[0]
    found = {one.seq: one.hash for one in journal.records()}
    journal.close()
    assert acknowledged.items() <= found.items()
    return len(acknowledged)


def test_no_acknowledged_record_is_lost_to_kill_9(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path / "killed", rounds=6) > 20


@pytest.mark.all
@pytest.mark.timeout(900)
def test_no_acknowledged_record_is_lost_to_200_kills(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path / "killed", rounds=200) > 1000
