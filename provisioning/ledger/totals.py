"""How many records of each sort the ledger can prove, and the records themselves as lists.

Counted and listed are only records whose signature holds, each once, read from their bytes.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from zoneinfo import ZoneInfo

from provisioning.ledger.enrolled import Enrolled
from provisioning.ledger.store import Reading
from provisioning.ledger.verify import Proven, proven
from provisioning.ledger.words import REASONS, RESULTS, Language, word
from terminal.core.moment import ClockState, from_ms

_TOWN_TIME = ZoneInfo("Asia/Tokyo")
_COLUMNS = (
    *("terminal", "epoch", "seq", "at", "clock", "kind", "result", "reason", "purpose"),
    *("publication", "holder", "portal", "punch", "hash", "received"),
)


class Sort(NamedTuple):
    """What records are counted by; "" where a record does not say it."""

    terminal: str
    epoch: str
    kind: str
    result: str
    reason: str
    holder: str


def count(held: Reading, enrolled: Enrolled) -> Counter[Sort]:
    """How many proven records of each sort there are."""
    found: Counter[Sort] = Counter()
    for one in proven(held.records(), enrolled):
        found[Sort(*(str(one.members.get(name, "")) for name in Sort._fields))] += 1
    return found


def lines(records: Iterable[Proven], language: Language) -> Iterator[str]:
    """Records for people, one line each: time, terminal, number, result, reason, holder."""
    for one in records:
        members = one.members
        unsure = "" if members.get("clock") == ClockState.SYNCED else "~"
        yield "  ".join(
            [
                f"{unsure}{town_time(members.get('at_ms'))}",
                f"{members.get('terminal')} #{members.get('seq')}",
                word(RESULTS, members.get("result"), language),
                word(REASONS, members.get("reason"), language),
                str(members.get("holder", "")),
            ]
        ).rstrip()


def as_csv(records: Iterable[Proven]) -> Iterator[str]:
    """Lines of CSV (RFC 4180), a heading first; times as ISO 8601 in UTC with milliseconds."""
    yield _csv_line(_COLUMNS)
    for one in records:
        shown = {
            **one.members,
            "at": _iso(one.members.get("at_ms")),
            "received": _iso(one.received_ms),
            "hash": one.hash,
        }
        yield _csv_line([_harmless(shown.get(name)) for name in _COLUMNS])


def as_jsonl(records: Iterable[Proven]) -> Iterator[str]:
    """One JSON object a line; ``payload`` holds a record's very bytes, so that it can be proven."""
    for one in records:
        members = {
            "received_ms": one.received_ms,
            "hash": one.hash,
            "payload": one.payload.decode(),
        }
        yield json.dumps(members, ensure_ascii=False) + "\n"


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _harmless(value: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _iso(ms: object) -> str:
    if not isinstance(ms, int):
        return ""
    try:
        return from_ms(ms).isoformat(timespec="milliseconds")
    except OverflowError:
        return str(ms)


def town_time(ms: object) -> str:
    """UTC milliseconds as people write them in the town; as they are where no calendar can."""
    if not isinstance(ms, int):
        return "?"
    try:
        return f"{from_ms(ms).astimezone(_TOWN_TIME):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError):
        return str(ms)
