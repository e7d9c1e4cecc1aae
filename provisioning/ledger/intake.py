"""From messages to committed records and signed receipts: one transaction for each batch.

No network here: ``collector`` brings batches and carries receipts away, and hands out nothing
before ``take`` has returned, which is after the commit.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.ledger.admission import Counted, Dropped, Quarantined, admit, admit_head
from provisioning.ledger.alarms import LedgerAlarm, Raised
from provisioning.ledger.enrolled import Enrolled, EnrolmentDirectory
from provisioning.ledger.heads import judge_head, judge_silence
from provisioning.ledger.store import Store
from terminal.wire.chain import GENESIS, hash_of
from terminal.wire.messages import Receipt, receipt_members
from terminal.wire.signed import RECEIPT, sign

_LOG = logging.getLogger(__name__)
_NO_RECORD = 2**63


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message from a terminal's topic: a record, or (``is_head``) a head."""

    terminal: str
    payload: bytes
    is_head: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A receipt to be published for ``terminal``, retained."""

    terminal: str
    payload: bytes


@dataclass(slots=True)
class _Batch:
    """What one transaction has found so far; an epoch is (terminal, epoch)."""

    now_ms: int
    enrolled: Enrolled
    grown: set[tuple[str, str]] = field(default_factory=set)
    """Epochs with a new record."""
    asked: dict[tuple[str, str], None] = field(default_factory=dict)
    """Epochs whose receipt is to go out, in the order of arrival."""


class Intake:
    """Commits batches and signs receipts. Used by one thread."""

    def __init__(
        self, store: Store, directory: EnrolmentDirectory, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._store = store
        self._directory = directory
        self._key = key
        self._enrolled: Enrolled | None = None
        self._told: dict[str, bytes] = {}
        self._last_arrival_ms: dict[tuple[str, str], int] = {}

    def take(self, arrivals: Sequence[Arrival], now_ms: int) -> list[Outgoing]:
        """Commit what counts of ``arrivals``; returns the receipts that may now go out.

        Raises:
            sqlite3.Error: the disk refused; nothing of the batch is committed, and none of it
                may be acknowledged.
        """
        batch = _Batch(now_ms, self._directory.look())
        with self._store.transaction():
            if batch.enrolled is not self._enrolled:
                self._tell_enrolment(batch)
            for arrival in arrivals:
                self._take_one(arrival, batch)
            for terminal, epoch in sorted(batch.grown):
                self._advance(terminal, epoch, now_ms)
        self._enrolled = batch.enrolled
        outgoing = {}
        for terminal, epoch in batch.asked:
            receipt = self._store.receipt(terminal, epoch)
            if receipt is not None:
                outgoing[terminal] = receipt.payload
        self._told.update(outgoing)
        return [Outgoing(terminal, payload) for terminal, payload in outgoing.items()]

    def all_receipts(self) -> list[Outgoing]:
        """The last receipt of every terminal, for a broker that may have lost them."""
        for receipt in self._store.receipts():
            self._told[receipt.terminal] = receipt.payload
        return [Outgoing(terminal, payload) for terminal, payload in sorted(self._told.items())]

    def look_for_missing(self, now_ms: int) -> None:
        """Raise or end the alarm for records that were announced and do not arrive.

        Raises:
            sqlite3.Error: the disk refused.
        """
        with self._store.transaction():
            for announced in list(self._store.heads()):
                epoch = (announced.terminal, announced.epoch)
                upto, _ = self._contiguous(*epoch)
                raised = judge_silence(announced, upto, self._last_arrival_ms.get(epoch, 0), now_ms)
                if raised is not None:
                    self._raise(raised, now_ms)
                elif announced.seq <= upto:
                    self._store.end_alarm(LedgerAlarm.RECORDS_MISSING, *epoch, now_ms)

    def _tell_enrolment(self, batch: _Batch) -> None:
        """Raise and end the alarms about certificates, once for each reading of them."""
        for terminal in batch.enrolled.keys:
            alarm = LedgerAlarm.ENROLMENT_UNREADABLE
            self._store.end_alarm(alarm, terminal, "", batch.now_ms)
        for terminal, fault in batch.enrolled.faults:
            self._raise(
                Raised(LedgerAlarm.ENROLMENT_UNREADABLE, terminal, detail=fault), batch.now_ms
            )

    def _take_one(self, arrival: Arrival, batch: _Batch) -> None:
        if arrival.terminal not in batch.enrolled.terminals:
            # Whoever can publish can invent names; they must not become rows without an end.
            detail = f"the last of them: {arrival.terminal}"
            self._raise(Raised(LedgerAlarm.UNKNOWN_TERMINAL, "", detail=detail), batch.now_ms)
            return
        try:
            with self._store.part():
                if arrival.is_head:
                    self._take_head(arrival, batch)
                else:
                    self._take_record(arrival, batch)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - logged whole, and told as an alarm
            # Our own mistake; it must not stop the records behind this one.
            _LOG.exception("a message of terminal %s could not be taken", arrival.terminal)
            detail = type(error).__name__
            raised = Raised(LedgerAlarm.LEDGER_FAULT, arrival.terminal, detail=detail)
            self._put_aside(Quarantined(arrival.payload, raised), batch.now_ms)

    def _take_record(self, arrival: Arrival, batch: _Batch) -> None:
        held_in = self._store.epoch_of(arrival.terminal, hash_of(arrival.payload))
        if held_in is not None:
            # Sent again: the receipt did not reach the terminal, or not yet.
            batch.asked[arrival.terminal, held_in] = None
            return
        keys = batch.enrolled.of(arrival.terminal)
        verdict = admit(arrival.terminal, arrival.payload, keys, batch.now_ms)
        if isinstance(verdict, Counted):
            self._commit(verdict, batch)
        elif isinstance(verdict, Quarantined):
            self._put_aside(verdict, batch.now_ms)
        else:
            self._drop(verdict, batch.now_ms)

    def _commit(self, record: Counted, batch: _Batch) -> None:
        self._store.add(record, batch.now_ms)
        if record.declares is not None:
            self._store.declare(record, *record.declares)
        for raised in (*record.alarms, *self._out_of_chain(record)):
            self._raise(raised, batch.now_ms)
        epoch = (record.terminal, record.epoch)
        self._last_arrival_ms[epoch] = batch.now_ms
        batch.grown.add(epoch)
        # Taken out and put back, so that the epoch that was heard last comes last.
        batch.asked.pop(epoch, None)
        batch.asked[epoch] = None

    def _take_head(self, arrival: Arrival, batch: _Batch) -> None:
        keys = batch.enrolled.of(arrival.terminal)
        head = admit_head(arrival.terminal, arrival.payload, keys, batch.now_ms)
        if isinstance(head, Dropped):
            self._drop(head, batch.now_ms)
            return
        for raised in judge_head(head, self._store):
            self._raise(raised, batch.now_ms)
        self._store.keep_head(head, batch.now_ms, arrival.payload)
        receipt = self._store.receipt(head.terminal, head.epoch)
        if receipt is not None and self._told.get(head.terminal) != receipt.payload:
            # The terminal's present epoch is not the one whose receipt the broker holds.
            batch.asked[head.terminal, head.epoch] = None

    def _out_of_chain(self, record: Counted) -> Iterator[Raised]:
        """What is wrong between a record that was just added and its neighbours."""
        about = (record.terminal, record.epoch)
        before: list[str] = [GENESIS] if record.seq == 1 else []
        for link in self._store.links(*about, record.seq - 1, record.seq + 1):
            if link.seq < record.seq:
                before.append(link.hash)
            elif link.seq == record.seq:
                if link.hash != record.hash:
                    detail = "two different valid records have this number"
                    yield Raised(LedgerAlarm.CLONE, *about, record.seq, detail)
            elif link.prev != record.hash:
                yield Raised(LedgerAlarm.CHAIN_BROKEN, *about, link.seq)
        if before and record.prev not in before:
            yield Raised(LedgerAlarm.CHAIN_BROKEN, *about, record.seq)

    def _advance(self, terminal: str, epoch: str, now_ms: int) -> None:
        """Sign a receipt for everything that is now contiguous from number 1 on."""
        last = self._store.receipt(terminal, epoch)
        _, held = self._contiguous(terminal, epoch)
        if held is None or (last is not None and held[0] <= last.upto):
            return
        receipt = Receipt(terminal, epoch, held[0], held[1], now_ms)
        self._store.keep_receipt(receipt, sign(RECEIPT, receipt_members(receipt), self._key))

    def _contiguous(self, terminal: str, epoch: str) -> tuple[int, tuple[int, str] | None]:
        """How far numbers are held or declared lost, and the last one that is held, with hash.

        Of two records with one number the one that carries on the chain counts, else the first.
        """
        last = self._store.receipt(terminal, epoch)
        upto, digest = (0, GENESIS) if last is None else (last.upto, last.hash)
        held = None if last is None else (upto, digest)
        declared = self._store.declared(terminal, epoch)
        links = self._store.links(terminal, epoch, upto + 1)
        for seq, same in groupby(links, key=lambda link: link.seq):
            upto, digest = _pass_declared(upto, digest, declared, seq)
            if seq != upto + 1:
                break
            clones = list(same)
            chosen = next((link for link in clones if link.prev == digest), clones[0])
            upto, digest = seq, chosen.hash
            held = (upto, digest)
        upto, _ = _pass_declared(upto, digest, declared, _NO_RECORD)
        return upto, held

    def _put_aside(self, aside: Quarantined, now_ms: int) -> None:
        self._raise(aside.raised, now_ms)
        if not self._store.quarantine(aside, now_ms):
            self._raise(Raised(LedgerAlarm.QUARANTINE_FULL, aside.raised.terminal), now_ms)

    def _drop(self, dropped: Dropped, now_ms: int) -> None:
        self._raise(dropped.raised, now_ms)

    def _raise(self, raised: Raised, now_ms: int) -> None:
        count = self._store.raise_alarm(raised, now_ms)
        if count == 1:
            # Later ones are only counted: whoever sends rubbish must not fill the log.
            _LOG.warning(
                "%s: terminal %s epoch %s number %s: %s",
                *(raised.alarm.value, raised.terminal, raised.epoch, raised.seq, raised.detail),
            )


def _pass_declared(
    upto: int, digest: str, declared: Mapping[int, str], before: int
) -> tuple[int, str]:
    """Go on from ``upto`` over numbers below ``before`` that were declared lost."""
    while upto + 1 < before and upto + 1 in declared:
        upto += 1
        digest = declared[upto]
    return upto, digest
