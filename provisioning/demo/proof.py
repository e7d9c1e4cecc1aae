"""What the ledger can prove of a run, from its database alone.

The ledger's own verifier walks every chain from the bytes; here its verdicts become findings, and
records are told apart by the moment at which the terminal first saw the card, which is compared
with the moments at which the cards were held there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from provisioning.demo.report import CardCount, Finding, Kind
from provisioning.demo.shown import UNANSWERED, Answer
from provisioning.ledger.enrolled import read_enrolled
from provisioning.ledger.store import Reading
from provisioning.ledger.verify import Fault, proven, verify_ledger
from provisioning.town import Town, TownError
from terminal.core.reasons import Result
from terminal.core.records import RecordKind

_KINDS = {
    Fault.DROPPED: Kind.DROP,
    Fault.EDITED: Kind.EDIT,
    Fault.REORDERED: Kind.REORDER,
    Fault.FORGED: Kind.FORGE,
}


@dataclass(frozen=True, slots=True)
class Tap:
    """One presence of a card: its key, from and until when (ms of the monotonic clock).

    ``expected`` are the reasons that the terminal may give for it; ``answer`` is what it did.
    """

    card: str
    from_ms: int
    until_ms: int
    expected: frozenset[str]
    answer: Answer = UNANSWERED


@dataclass(frozen=True, slots=True)
class Proven:
    """What the ledger's database holds and proves; ``broken`` if a chain does not hold."""

    records: int
    received: int
    broken: bool
    members: tuple[Mapping[str, object], ...]
    findings: tuple[Finding, ...]


def prove(town: Town, database: Path) -> Proven:
    """Verify the ledger's database from its bytes."""
    enrolled = read_enrolled(town.folder / "terminals")
    findings = []
    with Reading(database) as held:
        verdicts = verify_ledger(held, enrolled, [_ledger_key(town)])
        rows = tuple(held.records())
        members = tuple(one.members for one in proven(rows, enrolled))
        received = sum(
            min(receipt.upto, verdict.upto)
            for receipt in held.receipts()
            for verdict in verdicts
            if (verdict.terminal, verdict.epoch) == (receipt.terminal, receipt.epoch)
        )
        for aside in held.quarantined():
            text = f"{aside.terminal}: put aside, {aside.reason} {aside.detail}".rstrip()
            findings.append(Finding(Kind.FORGE, text))
    for verdict in verdicts:
        if verdict.broken is not None:
            broken = verdict.broken
            text = f"{verdict.terminal}: record {broken.seq} {broken.fault} {broken.detail}"
            findings.append(Finding(_KINDS.get(broken.fault, Kind.CHAIN), text.rstrip()))
    spoilt = any(verdict.broken is not None for verdict in verdicts)
    return Proven(len(rows), received, spoilt, members, tuple(findings))


def attribute(
    members: Sequence[Mapping[str, object]], taps: Sequence[Tap]
) -> tuple[dict[str, CardCount], list[Finding]]:
    """Give each tap its records; every tap must have exactly one, with an outcome it may have.

    A record that is not the terminal's note about itself must belong to a tap.
    """
    counts: dict[str, CardCount] = {}
    findings = []
    moments = [one for one in members if not _noted(one)]
    for number, tap in enumerate(taps, 1):
        count = counts.setdefault(tap.card, CardCount())
        own = [one for one in moments if tap.from_ms <= _moment(one) <= tap.until_ms]
        count.records += len(own)
        where = f"tap {number} of the check ({tap.card})"
        if not own:
            findings.append(Finding(Kind.LOST_TAP, f"{where} has no record"))
        if len(own) > 1:
            findings.append(Finding(Kind.DOUBLED_TAP, f"{where} has {len(own)} records"))
        for one in own:
            reason = str(one.get("reason"))
            count.outcomes[reason] = count.outcomes.get(reason, 0) + 1
            if reason not in tap.expected:
                wanted = " or ".join(sorted(tap.expected))
                text = f"{where} gave {reason}, expected {wanted}"
                findings.append(Finding(Kind.WRONG_OUTCOME, text))
    for one in moments:
        if not any(tap.from_ms <= _moment(one) <= tap.until_ms for tap in taps):
            text = f"record {one.get('seq')} ({one.get('reason')}) belongs to no tap"
            findings.append(Finding(Kind.STRAY_RECORD, text))
    return counts, findings


def counted(taps: Sequence[Tap], by_cards: Mapping[str, int]) -> list[Finding]:
    """Hold the taps that were made against those that the cards have counted."""
    made = Counter(tap.card for tap in taps)
    return [
        Finding(Kind.TAP_COUNT, f"{key} was tapped {made[key]} times and counted {number}")
        for key, number in by_cards.items()
        if made[key] != number
    ]


def _noted(members: Mapping[str, object]) -> bool:
    """Whether the terminal says something about itself, which grants nobody anything."""
    own = members.get("kind") == RecordKind.TERMINAL.value
    return own and members.get("result") == Result.NOTED.value


def _moment(members: Mapping[str, object]) -> int:
    value = members.get("mono_ms")
    return value if isinstance(value, int) else -1


def _ledger_key(town: Town) -> ec.EllipticCurvePublicKey:
    path = town.client("ledger") / "ledger.pub"
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TownError(f"{path} is no key of a ledger (P-256); have the town made anew")
    return key
