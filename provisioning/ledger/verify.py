"""The ledger read again from its bytes: is every record there, in place, and its terminal's own?

Believes nothing that the collector concluded: no column, no table but the payloads. What counts is
what the enrolled keys and the ledger's own keys vouch for. For each terminal and epoch the first
thing that is wrong is named, with the number it is at:

dropped           a number is missing that was neither declared lost nor is still to come
edited            the bytes under a number are not those that the chain or a receipt speaks of
reordered         a record lies under another number, epoch or terminal than it was signed for
forged signature  none of the terminal's keys signed it, or only one that was revoked before
chain broken      validly signed, but it does not carry the hash of the record before it
cloned            two different valid records have one number
receipt           a receipt that our key did not sign, or for another record, or too few or none
withheld          a valid record lies in quarantine and nowhere else
no certificate    nothing can be said: the terminal's certificates are not there

An emptied database holds nothing that could be wrong: ``nothing_held`` names whose records should
be there. A record that is edited, cut from the end, and whose receipts and heads were replaced by
older true ones cannot be told from one that never arrived; its terminal keeps it for five weeks.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from provisioning.ledger.enrolled import Enrolled, EnrolledKey
from provisioning.ledger.store import Reading
from provisioning.ledger.tables import StoredHead, StoredReceipt, StoredRecord
from provisioning.ledger.vouched import Vouched, read_vouched
from terminal.core.reasons import Note
from terminal.wire.chain import GENESIS, declared_in, hash_of
from terminal.wire.messages import head_of, receipt_of
from terminal.wire.signed import HEAD, RECEIPT, PublicKey, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed

STILL_TO_COME_MS = 60_000
"""How much younger than the ledger's last activity an announcement may be without its records."""


class Fault(StrEnum):
    """What can be wrong; see the module docstring."""

    DROPPED = "dropped"
    EDITED = "edited"
    REORDERED = "reordered"
    FORGED = "forged signature"
    CHAIN_BROKEN = "chain broken"
    CLONED = "cloned"
    RECEIPT = "receipt"
    WITHHELD = "withheld"
    NO_CERTIFICATE = "no certificate"


@dataclass(frozen=True, slots=True)
class Break:
    """Something that is wrong at number ``seq``."""

    seq: int
    fault: Fault
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """One terminal's epoch: how many records are proven, up to which number, the first fault."""

    terminal: str
    epoch: str
    records: int
    upto: int
    broken: Break | None


@dataclass(frozen=True, slots=True)
class Proven:
    """A record whose signature holds: its hash, what it says, its bytes, when it was committed."""

    hash: str
    members: dict[str, object]
    payload: bytes
    received_ms: int


@dataclass(slots=True)
class _Place:
    """What is found under one number: hashes and prevs of valid records, and the others."""

    valid: dict[str, str] = field(default_factory=dict)
    invalid: list[tuple[str, str, str]] = field(default_factory=list)
    """(hash of the bytes, hash in the table, why)."""


@dataclass(slots=True)
class _Chain:
    """Everything that speaks of one terminal's epoch."""

    terminal: str
    epoch: str
    places: dict[int, _Place] = field(default_factory=dict)
    declared: dict[int, str] = field(default_factory=dict)
    breaks: list[Break] = field(default_factory=list)
    announced: int = 0
    named: dict[int, str] = field(default_factory=dict)
    """Numbers and hashes that receipts and heads speak of."""
    receipt: int = 0

    def place(self, seq: int) -> _Place:
        return self.places.setdefault(seq, _Place())

    def wrong(self, seq: int, fault: Fault, detail: str = "") -> None:
        self.breaks.append(Break(seq, fault, detail))


def verify_ledger(
    held: Reading, enrolled: Enrolled, ledger_keys: Iterable[PublicKey]
) -> list[ChainVerdict]:
    """Verify everything in the database, epoch by epoch, in the order of terminals."""
    own_keys = tuple(ledger_keys)
    chains: dict[tuple[str, str], _Chain] = {}
    with held.snapshot():
        last_ms = 0
        for row in held.records():
            last_ms = max(last_ms, row.received_ms)
            _read_record(row, enrolled, chains)
        for receipt in held.receipts():
            _read_receipt(receipt, own_keys, _chain(chains, receipt.terminal, receipt.epoch))
        heads = list(held.heads())
        last_ms = max([last_ms, *(head.received_ms for head in heads)])
        for head in heads:
            chain = _chain(chains, head.terminal, head.epoch)
            _read_head(head, enrolled, chain, last_ms - head.received_ms)
        _read_quarantine(held, enrolled, chains)
    return [_judge(chains[name]) for name in sorted(chains)]


def nothing_held(verdicts: Iterable[ChainVerdict], enrolled: Enrolled) -> list[str]:
    """Enrolled terminals without a proven record: new ones, or somebody has emptied the ledger.

    That cannot be told from the database, which then holds nothing that could be wrong.
    """
    held = {one.terminal for one in verdicts if one.records}
    return sorted({*enrolled.keys, *(terminal for terminal, _ in enrolled.faults)} - held)


def proven(rows: Iterable[StoredRecord], enrolled: Enrolled) -> Iterator[Proven]:
    """Of ``rows`` those whose signature holds, each once, in the order given."""
    seen: set[str] = set()
    for row in rows:
        vouched, _ = _signed(row.payload, enrolled.of(row.terminal), row.received_ms)
        digest = hash_of(row.payload)
        if vouched is not None and digest not in seen:
            seen.add(digest)
            yield Proven(digest, vouched.members, row.payload, row.received_ms)


def _chain(chains: dict[tuple[str, str], _Chain], terminal: str, epoch: str) -> _Chain:
    return chains.setdefault((terminal, epoch), _Chain(terminal, epoch))


def _signed(
    payload: bytes, keys: Iterable[EnrolledKey], received_ms: int
) -> tuple[Vouched | None, str]:
    """A record that a key which counts has signed and "", or None and why it does not hold."""
    try:
        vouched = read_vouched(payload, keys, received_ms)
    except SignatureInvalid:
        return None, "signed by none of the terminal's keys"
    except Malformed as error:
        return None, str(error)
    if not vouched.key.counts_at(received_ms):
        return None, f"its key {vouched.key.id} was revoked before it arrived"
    if vouched.place is None:
        return None, "signed, but its terminal, epoch and number are not certain"
    return vouched, ""


def _read_record(
    row: StoredRecord, enrolled: Enrolled, chains: dict[tuple[str, str], _Chain]
) -> None:
    chain = _chain(chains, row.terminal, row.epoch)
    vouched, why = _signed(row.payload, enrolled.of(row.terminal), row.received_ms)
    own_hash = hash_of(row.payload)
    if vouched is None or vouched.place is None:
        if not enrolled.of(row.terminal):
            chain.wrong(row.seq, Fault.NO_CERTIFICATE)
        chain.place(row.seq).invalid.append((own_hash, row.hash, why))
        return
    members, signed_for = vouched.members, vouched.place
    if signed_for != (row.terminal, row.epoch, row.seq):
        detail = "signed as number {2} of epoch {1} of {0}".format(*signed_for)
        chain.wrong(row.seq, Fault.REORDERED, detail)
    elif own_hash != row.hash:
        chain.wrong(row.seq, Fault.EDITED, "the table names another hash than its bytes have")
    _, epoch, seq = signed_for
    true_chain = _chain(chains, row.terminal, epoch)
    true_chain.place(seq).valid[own_hash] = str(members.get("prev"))
    if members.get("reason") == Note.RECORD_UNREADABLE.value:
        lost = declared_in(str(members.get("detail")))
        if lost is not None and lost[0] < seq:
            true_chain.declared[lost[0]] = lost[1]


def _read_receipt(row: StoredReceipt, keys: tuple[PublicKey, ...], chain: _Chain) -> None:
    try:
        receipt = receipt_of(verify(RECEIPT, row.payload, keys))
    except (SignatureInvalid, Malformed) as error:
        chain.wrong(row.upto, Fault.RECEIPT, f"not the ledger's: {error}")
        return
    if (receipt.terminal, receipt.epoch) != (chain.terminal, chain.epoch):
        chain.wrong(row.upto, Fault.RECEIPT, "it speaks of another terminal or epoch")
        return
    chain.receipt = receipt.upto
    chain.announced = max(chain.announced, receipt.upto)
    chain.named[receipt.upto] = receipt.hash


def _read_head(row: StoredHead, enrolled: Enrolled, chain: _Chain, waited_ms: int) -> None:
    keys = [key.public for key in enrolled.of(row.terminal)]
    try:
        head = head_of(verify(HEAD, row.payload, keys))
    except (SignatureInvalid, Malformed):
        # A spoilt head takes nothing away from the records.
        return
    if (head.terminal, head.epoch) != (chain.terminal, chain.epoch):
        return
    if head.seq in chain.places or waited_ms >= STILL_TO_COME_MS:
        chain.announced = max(chain.announced, head.seq)
        chain.named.setdefault(head.seq, head.hash)


def _read_quarantine(
    held: Reading, enrolled: Enrolled, chains: dict[tuple[str, str], _Chain]
) -> None:
    for row in held.quarantined():
        vouched, _ = _signed(row.payload, enrolled.of(row.terminal), row.received_ms)
        if vouched is None or vouched.place is None or vouched.place[0] != row.terminal:
            continue
        _, epoch, seq = vouched.place
        chain = _chain(chains, row.terminal, epoch)
        if hash_of(row.payload) not in chain.place(seq).valid:
            chain.wrong(seq, Fault.WITHHELD, "valid, but only in quarantine")


def _judge(chain: _Chain) -> ChainVerdict:
    """Walk the numbers that anything speaks of; whole gaps are one step, however wide."""
    last = max([chain.announced, *chain.places])
    upto, before = 0, {GENESIS}
    known = {*chain.places, *(seq for seq in chain.declared if seq <= last), last} - {0}
    reached = 0
    for previous, seq in pairwise([0, *sorted(known)]):
        if seq > previous + 1:
            chain.wrong(previous + 1, Fault.DROPPED, f"missing up to number {seq - 1}")
            before = set()
        place = chain.places.get(seq, _Place())
        _judge_place(chain, seq, place, before)
        if seq == reached + 1 and (place.valid or seq in chain.declared):
            reached = seq
            upto = seq if place.valid else upto
        before = set(place.valid) or {chain.declared.get(seq, "")}
    if chain.receipt < upto:
        chain.wrong(chain.receipt + 1, Fault.RECEIPT, f"only up to {chain.receipt} receipted")
    first = min(chain.breaks, key=lambda one: one.seq, default=None)
    records = sum(len(place.valid) for place in chain.places.values())
    return ChainVerdict(chain.terminal, chain.epoch, records, upto, first)


def _judge_place(chain: _Chain, seq: int, place: _Place, before: set[str]) -> None:
    if len(place.valid) > 1:
        chain.wrong(seq, Fault.CLONED, f"{len(place.valid)} different valid records")
    for own_hash, in_table, why in place.invalid:
        if not place.valid and _was_another(chain, seq, own_hash, in_table):
            chain.wrong(seq, Fault.EDITED, "its bytes are not those that were committed")
        else:
            chain.wrong(seq, Fault.FORGED, why)
    if not place.valid and not place.invalid and seq not in chain.declared:
        chain.wrong(seq, Fault.DROPPED, "it was announced or receipted")
    # Where the record before is gone, declared without hash or spoilt, that is told already.
    known = {digest for digest in before if digest}
    for prev in place.valid.values():
        if known and prev not in known:
            chain.wrong(seq, Fault.CHAIN_BROKEN, "the record before it was another one")
    named = chain.named.get(seq)
    if named is not None and place.valid and named not in place.valid:
        chain.wrong(seq, Fault.RECEIPT, "receipt or head name another record under this number")


def _was_another(chain: _Chain, seq: int, own_hash: str, in_table: str) -> bool:
    """Whether what is known from elsewhere says that other bytes lay under ``seq``."""
    following = chain.places.get(seq + 1, _Place()).valid.values()
    told = {in_table, *following}
    if seq in chain.named:
        told.add(chain.named[seq])
    return any(digest != own_hash for digest in told)
