"""Records as the page lists them: a person's name, an outcome in words, a mark, a stage.

A record holds no name, only the roster's code; the demo may show one, because it made the town.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from provisioning.demo.samples import name_of
from provisioning.demo.shown import Row
from provisioning.demo.texts import Words
from terminal.core.moment import from_ms
from terminal.core.rules import TOWN_TIME

FRESH_S = 2.0
LONGEST_VALUE = 24
LISTED = 60

_MARKS = {
    "granted": ("○", "yes"),
    "duplicate": ("○", "yes"),
    "denied": ("×", "no"),
    "unreadable": ("！", "no"),
    "noted": ("・", "own"),
}


def shown_rows(
    rows: Sequence[Row], said: Mapping[str, Words], now: datetime
) -> list[Mapping[str, object]]:
    """The newest records as properties of the page's table, newest first."""
    return [_shown(row, said, now) for row in rows[:LISTED]]


def written(payload: bytes, said: Mapping[str, Words]) -> list[tuple[str, str]]:
    """Every member of a record as (label, value), exactly what was written down and no more."""
    labels = said["members"]
    members: Mapping[str, object] = json.loads(payload)
    return [
        (str(labels.get(name, name)), _shortened(str(value)))
        for name, value in members.items()
        if name != "v" and value != ""
    ]


def _shortened(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else f"{value[:LONGEST_VALUE]}…"


def _shown(row: Row, said: Mapping[str, Words], now: datetime) -> Mapping[str, object]:
    at = from_ms(row.at_ms).astimezone(TOWN_TIME)
    mark, tone = _MARKS.get(row.result, ("？", "no"))
    labels = said["records"]
    own = row.kind == "terminal"
    who = labels["own"] if own else name_of(row.holder, said) or labels["nobody"]
    outcome = str(said["outcomes"].get(row.reason, row.reason))
    return {
        "id": f"{row.epoch}-{row.seq}",
        "seq": row.seq,
        "time": f"{at:%H:%M:%S}",
        "who": who,
        "mark": mark,
        "tone": tone,
        "outcome": outcome.format(detail=row.detail),
        "reason": row.reason,
        "stage": int(row.way),
        "fresh": (now - at).total_seconds() < FRESH_S,
    }
