"""What terminals and ledger say to each other, as flat JSON; see ``topics`` for where.

Builders give members (to be signed) or finished payloads; readers take members that ``signed``
has verified. None is left out on the way. Privacy: a record names the holder by the roster's
opaque id, never by card number, certificate or name, and ``live`` carries no person at all.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from terminal.core.credential import Assurance
from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms
from terminal.core.reasons import Alarm, Note, Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.wire.fields import Fields
from terminal.wire.strict_json import Malformed

VERSION = 1
ONLINE = b"online"
OFFLINE = b"offline"

Value = str | int | bool | None

_LONGEST_DETAIL = 300
_LONGEST_ALARM = 80


@dataclass(frozen=True, slots=True)
class Receipt:
    """The ledger's word: records of ``epoch`` up to number ``upto`` are committed.

    ``hash`` is that record's; ``commit_ms`` the ledger's UTC time of the commit.
    """

    terminal: str
    epoch: str
    upto: int
    hash: str
    commit_ms: int


@dataclass(frozen=True, slots=True)
class Head:
    """A terminal's word for how far its journal reaches (0 and 64 zeros when it is empty)."""

    terminal: str
    epoch: str
    seq: int
    hash: str
    boot: str
    mono_ms: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Info:
    """The birth: which terminal joined, with which software; ``started_ms`` in UTC."""

    terminal: str
    epoch: str
    software: str
    boot: str
    started_ms: int
    publication: int


@dataclass(frozen=True, slots=True)
class Health:
    """How a terminal is, every minute."""

    at_ms: int
    pending: int
    total: int
    oldest_pending_s: int
    journal_percent: int
    disk_free_mb: int
    clock: ClockState
    clock_error_ms: int
    uptime_s: int
    publication: int
    reader_ok: bool


@dataclass(frozen=True, slots=True)
class CfgState:
    """Which publication is in force, which is on its way, what became of the last one.

    ``state`` is idle, fetching, active or refused; ``error`` is the reason of a refusal.
    """

    at_ms: int
    installed: int
    latest: int
    state: str
    error: str = ""


def record_members(
    entry: Entry, terminal: str, epoch: str, seq: int, prev: str
) -> dict[str, Value]:
    """The members of record ``seq``, ready to be signed."""
    stamp = entry.stamp
    return {
        "v": VERSION,
        "terminal": terminal,
        "epoch": epoch,
        "seq": seq,
        "prev": prev,
        "boot": stamp.boot,
        "mono_ms": stamp.mono_ms,
        "at_ms": stamp.at_ms,
        "clock": stamp.quality.state.value,
        "clock_age_s": stamp.quality.age_s,
        "clock_err_ms": stamp.quality.error_ms,
        "kind": entry.kind.value,
        "result": entry.result.value,
        "reason": entry.reason.value,
        "purpose": entry.purpose,
        "publication": entry.publication,
        "holder": entry.holder,
        "profile": entry.profile,
        "assurance": None if entry.assurance is None else entry.assurance.word,
        "portal": entry.portal,
        "punch": None if entry.punch is None else entry.punch.value,
        "elapsed_ms": entry.elapsed_ms,
        # Machine-made and short; cut, so that a driver's long error cannot stop a record.
        "detail": entry.detail[:_LONGEST_DETAIL],
    }


def entry_of(members: Mapping[str, object]) -> Entry:
    """The entry that a record was made of.

    Raises:
        Malformed: a member is missing or is nothing this software knows.
    """
    fields = Fields(dict(members))
    _version(fields)
    return Entry(
        kind=fields.word("kind", RecordKind),
        result=fields.word("result", Result),
        reason=_reason(fields),
        stamp=_stamp(fields),
        purpose=fields.text("purpose", default=""),
        publication=fields.number("publication"),
        holder=fields.optional_identifier("holder"),
        profile=fields.optional_identifier("profile"),
        assurance=_assurance(fields),
        portal=fields.optional_identifier("portal"),
        punch=None if fields.raw("punch") is None else fields.word("punch", Punch),
        elapsed_ms=None if fields.raw("elapsed_ms") is None else fields.number("elapsed_ms"),
        detail=fields.text("detail", longest=_LONGEST_DETAIL, default=""),
    )


def receipt_members(receipt: Receipt) -> dict[str, Value]:
    """The members of a receipt, ready to be signed."""
    return {"v": VERSION, **asdict(receipt)}


def receipt_of(members: Mapping[str, object]) -> Receipt:
    """The receipt that verified ``members`` are.

    Raises:
        Malformed: they are none.
    """
    fields = Fields(dict(members))
    _version(fields)
    receipt = Receipt(
        fields.identifier("terminal"),
        fields.identifier("epoch"),
        fields.number("upto", least=1),
        fields.identifier("hash"),
        fields.number("commit_ms"),
    )
    fields.finish()
    return receipt


def head_members(head: Head) -> dict[str, Value]:
    """The members of a head, ready to be signed."""
    return {"v": VERSION, **asdict(head)}


def head_of(members: Mapping[str, object]) -> Head:
    """The head that verified ``members`` are.

    Raises:
        Malformed: they are none.
    """
    fields = Fields(dict(members))
    _version(fields)
    head = Head(
        fields.identifier("terminal"),
        fields.identifier("epoch"),
        fields.number("seq"),
        fields.identifier("hash"),
        fields.identifier("boot"),
        fields.number("mono_ms"),
        fields.number("at_ms"),
    )
    fields.finish()
    return head


def info_payload(info: Info) -> bytes:
    """The retained birth certificate of a terminal."""
    return _flat({"v": VERSION, **asdict(info)})


def health_payload(health: Health) -> bytes:
    """The retained health of a terminal."""
    return _flat({"v": VERSION, **asdict(health)})


def alarms_payload(at_ms: int, alarms: Mapping[Alarm, str]) -> bytes:
    """Every alarm there is as true or false; those that are on may have a ``<name>_detail``."""
    members: dict[str, Value] = {"v": VERSION, "at_ms": at_ms}
    for alarm in Alarm:
        members[alarm.value] = alarm in alarms
        members[f"{alarm.value}_detail"] = alarms.get(alarm, "")[:_LONGEST_ALARM] or None
    return _flat(members)


def live_payload(entry: Entry) -> bytes:
    """What dashboards may know of a tap at once: no person, no card, no number of the record."""
    return _flat(
        {
            "v": VERSION,
            "at_ms": entry.stamp.at_ms,
            # Home Assistant's event entity reads this very name.
            "event_type": entry.result.value,
            "kind": entry.kind.value,
            "reason": entry.reason.value,
            "portal": entry.portal,
            "publication": entry.publication,
        }
    )


def cfg_state_payload(state: CfgState) -> bytes:
    """The state of configuration, in the shape of Home Assistant's update entity."""
    return _flat(
        {
            "v": VERSION,
            "at_ms": state.at_ms,
            "title": "publication",
            "installed_version": str(state.installed),
            "latest_version": str(state.latest),
            "in_progress": state.state == "fetching",
            "state": state.state,
            "error": state.error[:_LONGEST_DETAIL],
        }
    )


def _flat(members: Mapping[str, Value]) -> bytes:
    present = {name: value for name, value in members.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _version(fields: Fields) -> None:
    if fields.need("v") != VERSION:
        raise Malformed("v", f"this software knows version {VERSION} only")


def _reason(fields: Fields) -> Reason | Note:
    """Reasons and notes share one member; no code belongs to both."""
    code = fields.need("reason")
    if code in set(Note):
        return fields.word("reason", Note)
    return fields.word("reason", Reason)


def _stamp(fields: Fields) -> Stamp:
    quality = ClockQuality(
        fields.word("clock", ClockState),
        fields.number("clock_age_s"),
        fields.number("clock_err_ms"),
    )
    try:
        at = from_ms(fields.number("at_ms", least=-(2**62)))
    except OverflowError as error:
        raise Malformed("at_ms", "is outside the years 1 to 9999") from error
    return Stamp(at, fields.identifier("boot"), fields.number("mono_ms"), quality)


def _assurance(fields: Fields) -> Assurance | None:
    word = fields.raw("assurance")
    if word is None:
        return None
    try:
        return Assurance.from_word(str(word))
    except ValueError as error:
        raise Malformed("assurance", str(error)) from error
