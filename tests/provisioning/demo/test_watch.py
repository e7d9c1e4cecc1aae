"""Each record's way is read where it happens: journal, ledger, receipt."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.authority_files import public_pem
from provisioning.demo.shown import Counts, Way
from provisioning.demo.watch import Watch
from provisioning.ledger.admission import Counted
from provisioning.ledger.store import Store
from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.reasons import Note, Reason, Result
from terminal.core.records import Entry, RecordKind
from terminal.journal import Journal, Stored
from terminal.wire.messages import Receipt, receipt_members
from terminal.wire.signed import RECEIPT, key_id, sign

TERMINAL = "archive-1"
DEVICE = ec.generate_private_key(ec.SECP256R1())
LEDGER = ec.generate_private_key(ec.SECP256R1())
A_SECOND_NS = 1_000_000_000
SYNCED = ClockQuality(ClockState.SYNCED)


def entry(mono_ms: int, reason: Reason | Note = Reason.PERMITTED) -> Entry:
    own = isinstance(reason, Note)
    return Entry(
        kind=RecordKind.TERMINAL if own else RecordKind.ACCESS,
        result=Result.NOTED if own else Result.GRANTED,
        reason=reason,
        stamp=Stamp(datetime(2027, 4, 1, 8, 25, tzinfo=UTC), "b00t", mono_ms, SYNCED),
        holder=None if own else "h1",
    )


class Town:
    """A journal and a ledger's database; what lies between them is the test's business."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "ledger.pub").write_bytes(public_pem(LEDGER.public_key()))
        self.journal = Journal.open(folder / "journal.sqlite", TERMINAL, DEVICE, ballast=0)
        self.ledger = Store(folder / "ledger.sqlite")

    def watch(self) -> Watch:
        here = self.folder
        journal, ledger = here / "journal.sqlite", here / "ledger.sqlite"
        return Watch(journal, ledger, here / "ledger.pub", TERMINAL)

    def send(self, record: Stored) -> None:
        counted = Counted(
            terminal=TERMINAL,
            epoch=self.journal.epoch,
            seq=record.seq,
            hash=record.hash,
            prev="",
            payload=record.payload,
            key=key_id(DEVICE.public_key()),
            kind="access",
            result="granted",
            reason="permitted",
            holder="h1",
            boot="b00t",
            mono_ms=1,
            at_ms=1,
            declares=None,
        )
        with self.ledger.transaction():
            self.ledger.add(counted, 1)

    def receipt(
        self, record: Stored, key: ec.EllipticCurvePrivateKey = LEDGER, digest: str = ""
    ) -> None:
        epoch = self.journal.epoch
        receipt = Receipt(TERMINAL, epoch, record.seq, digest or record.hash, 1)
        with self.ledger.transaction():
            self.ledger.keep_receipt(receipt, sign(RECEIPT, receipt_members(receipt), key))

    def close(self) -> None:
        self.journal.close()
        self.ledger.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path)
    yield made
    made.close()


def ways(watch: Watch) -> list[Way]:
    watch.look()
    return [row.way for row in reversed(watch.rows(100))]


def test_a_record_goes_from_disk_to_town_hall_to_receipt(town: Town) -> None:
    watch = town.watch()
    first, second = town.journal.append([entry(1000), entry(2000)])
    assert ways(watch) == [Way.JOURNALLED, Way.JOURNALLED]
    town.send(first)
    assert ways(watch) == [Way.SENT, Way.JOURNALLED]
    town.receipt(first)
    assert ways(watch) == [Way.RECEIVED, Way.JOURNALLED]
    assert watch.counts == Counts(recorded=2, received=1)
    assert watch.counts.waiting == 1
    town.send(second)
    town.receipt(second)
    assert ways(watch) == [Way.RECEIVED, Way.RECEIVED]
    assert watch.counts.waiting == 0


def test_a_receipt_by_another_key_proves_nothing(town: Town) -> None:
    (record,) = town.journal.append([entry(1000)])
    town.send(record)
    town.receipt(record, key=ec.generate_private_key(ec.SECP256R1()))
    assert ways(town.watch()) == [Way.SENT]


def test_a_receipt_for_another_record_proves_nothing(town: Town) -> None:
    (record,) = town.journal.append([entry(1000)])
    town.send(record)
    town.receipt(record, digest="0" * 64)
    assert ways(town.watch()) == [Way.SENT]


def test_the_terminals_own_cursor_is_known_once_it_has_ended(town: Town) -> None:
    watch = town.watch()
    first, _ = town.journal.append([entry(1000), entry(2000)])
    assert town.journal.receive(first.seq, first.hash)
    assert watch.cursor() == 0
    town.journal.close()
    assert watch.cursor() == first.seq


def test_a_record_written_after_an_edge_was_not_on_disk_then(town: Town) -> None:
    watch = town.watch()
    town.journal.append([entry(900, Note.STARTED)])
    assert not watch.on_disk(1000, time.monotonic_ns())
    earlier_ns = time.monotonic_ns() - A_SECOND_NS
    town.journal.append([entry(1000)])
    assert watch.on_disk(1000, time.monotonic_ns())
    assert not watch.on_disk(1000, earlier_ns)
    assert not watch.on_disk(1001, time.monotonic_ns())


def test_rows_say_what_the_record_says(town: Town) -> None:
    town.journal.append([entry(900, Note.STARTED), entry(1000)])
    watch = town.watch()
    watch.look()
    newest, oldest = watch.rows(2)
    assert (newest.seq, newest.reason, newest.holder, newest.mono_ms) == (
        2,
        "permitted",
        "h1",
        1000,
    )
    assert (oldest.kind, oldest.reason, oldest.holder) == ("terminal", "started", "")
    assert [row.seq for row in watch.since(1000)] == [2]
    assert [row.seq for row in watch.rows(1)] == [2]


def test_databases_that_are_not_there_yet_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "ledger.pub").write_bytes(public_pem(LEDGER.public_key()))
    watch = Watch(tmp_path / "none", tmp_path / "nothing", tmp_path / "ledger.pub", TERMINAL)
    watch.look()
    assert watch.rows(10) == ()
    assert watch.counts == Counts()


def test_another_journal_in_its_place_begins_the_list_anew(town: Town, tmp_path: Path) -> None:
    watch = town.watch()
    town.journal.append([entry(1000), entry(2000)])
    watch.look()
    town.journal.close()
    for path in tmp_path.glob("journal.sqlite*"):
        path.unlink()
    town.journal = Journal.open(tmp_path / "journal.sqlite", TERMINAL, DEVICE, ballast=0)
    town.journal.append([entry(3000)])
    watch.look()
    assert [row.mono_ms for row in watch.rows(10)] == [3000]
