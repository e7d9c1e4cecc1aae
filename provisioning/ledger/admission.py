"""What a message on a terminal's topic is: a record that counts, quarantined, or dropped.

Pure: bytes and keys in, a value out. The signature is looked at before anything that the bytes
say. What counts and what does not stands in the package's docstring.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioning.ledger.alarms import LedgerAlarm, Raised
from provisioning.ledger.enrolled import EnrolledKey
from provisioning.ledger.vouched import Vouched, read_vouched, who_signed
from terminal.core.reasons import Note
from terminal.wire.chain import GENESIS, declared_in, hash_of
from terminal.wire.messages import Head, entry_of, head_of
from terminal.wire.signed import HEAD, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed

_MEMBERS = frozenset(
    {
        *("v", "terminal", "epoch", "seq", "prev", "boot", "mono_ms", "at_ms"),
        *("clock", "clock_age_s", "clock_err_ms", "kind", "result", "reason", "purpose"),
        *("publication", "holder", "profile", "assurance", "portal", "punch"),
        *("elapsed_ms", "detail"),
    }
)
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Counted:
    """A record that counts. ``payload`` are its bytes as received, ``hash`` their SHA-256.

    What it says (``kind`` to ``at_ms``) is taken from it for lists and totals, None where it does
    not say so in a form that is known; ``declares`` is number and hash of a record that it says
    is lost.
    """

    terminal: str
    epoch: str
    seq: int
    prev: str | None
    hash: str
    payload: bytes
    key: str
    kind: str | None
    result: str | None
    reason: str | None
    holder: str | None
    boot: str | None
    mono_ms: int | None
    at_ms: int | None
    declares: tuple[int, str] | None
    alarms: tuple[Raised, ...] = ()


@dataclass(frozen=True, slots=True)
class Quarantined:
    """It is kept aside and never takes a number."""

    payload: bytes
    raised: Raised


@dataclass(frozen=True, slots=True)
class Dropped:
    """It is only counted."""

    raised: Raised


def admit(
    terminal: str, payload: bytes, keys: Iterable[EnrolledKey], received_ms: int
) -> Counted | Quarantined | Dropped:
    """Judge a message on the topic of ``terminal``'s records; ``keys`` are that terminal's."""
    try:
        vouched = read_vouched(payload, keys, received_ms)
    except Malformed as error:
        return Dropped(Raised(LedgerAlarm.MALFORMED, terminal, detail=f"record: {error}"))
    except SignatureInvalid:
        detail = "no enrolled key of this terminal signed it"
        return _quarantined(payload, LedgerAlarm.SIGNATURE_INVALID, terminal, detail)
    if not vouched.key.counts_at(received_ms):
        detail = f"key {vouched.key.id}"
        return _quarantined(payload, LedgerAlarm.KEY_REVOKED, terminal, detail)
    if vouched.place is None:
        detail = f"validly signed, but its place is not certain; {vouched.strange}".rstrip("; ")
        return _quarantined(payload, LedgerAlarm.NUMBERLESS, terminal, detail)
    if vouched.place[0] != terminal:
        detail = "validly signed, but for another terminal"
        return _quarantined(payload, LedgerAlarm.TERMINAL_MISMATCH, terminal, detail)
    return _counted(payload, vouched, *vouched.place[1:], received_ms)


def admit_head(
    terminal: str, payload: bytes, keys: Iterable[EnrolledKey], received_ms: int
) -> Head | Dropped:
    """Judge a message on the topic of ``terminal``'s heads; what is not one is dropped."""
    try:
        key = who_signed(HEAD, payload, keys, received_ms)
        head = head_of(verify(HEAD, payload, [key.public]))
    except Malformed as error:
        return Dropped(Raised(LedgerAlarm.MALFORMED, terminal, detail=f"head: {error}"))
    except SignatureInvalid:
        detail = "a head that no enrolled key of this terminal signed"
        return Dropped(Raised(LedgerAlarm.SIGNATURE_INVALID, terminal, detail=detail))
    if not key.counts_at(received_ms):
        detail = f"a head by key {key.id}"
        return Dropped(Raised(LedgerAlarm.KEY_REVOKED, terminal, detail=detail))
    if head.terminal != terminal:
        detail = "a head of another terminal"
        return Dropped(Raised(LedgerAlarm.TERMINAL_MISMATCH, terminal, detail=detail))
    return head


def _counted(payload: bytes, vouched: Vouched, epoch: str, seq: int, received_ms: int) -> Counted:
    members, key = vouched.members, vouched.key
    alarms: list[Raised] = []
    if not key.in_span(received_ms):
        alarms.append(
            Raised(LedgerAlarm.KEY_OUT_OF_SPAN, key.terminal, epoch, detail=f"key {key.id}")
        )
    strange = vouched.strange or _not_understood(members)
    if strange:
        alarms.append(Raised(LedgerAlarm.NOT_UNDERSTOOD, key.terminal, epoch, detail=strange))
    declares = None
    if members.get("reason") == Note.RECORD_UNREADABLE.value:
        declares = declared_in(str(members.get("detail")))
    if declares is not None and declares[0] >= seq:
        declares = None
    if declares is not None:
        alarms.append(
            Raised(LedgerAlarm.RECORD_UNREADABLE, key.terminal, epoch, declares[0], declares[1])
        )
    return Counted(
        terminal=key.terminal,
        epoch=epoch,
        seq=seq,
        prev=_text(members, "prev"),
        hash=hash_of(payload),
        payload=payload,
        key=key.id,
        kind=_text(members, "kind"),
        result=_text(members, "result"),
        reason=_text(members, "reason"),
        holder=_text(members, "holder"),
        boot=_text(members, "boot"),
        mono_ms=_integer(members, "mono_ms"),
        at_ms=_integer(members, "at_ms"),
        declares=declares,
        alarms=tuple(alarms),
    )


def _not_understood(members: Mapping[str, object]) -> str:
    """What this software does not know in a record, "" when it knows all of it."""
    unknown = sorted(members.keys() - _MEMBERS)
    if unknown:
        return f"member {unknown[0][:40]!a}"
    prev = members.get("prev")
    if not isinstance(prev, str) or len(prev) != len(GENESIS) or not _HEX.issuperset(prev):
        return "prev: must be 64 hex digits"
    try:
        entry_of(members)
    except Malformed as error:
        return str(error)
    return ""


def _quarantined(payload: bytes, alarm: LedgerAlarm, terminal: str, detail: str) -> Quarantined:
    return Quarantined(payload, Raised(alarm, terminal, detail=detail))


def _integer(members: Mapping[str, object], name: str) -> int | None:
    value = members.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) else None
