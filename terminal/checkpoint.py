"""What a restart must know of the journal, kept aside so that a start need not read all of it.

The journal is the truth; this is only a shortcut. A checkpoint counts if it is of this journal's
epoch and its record still has the hash it had then; otherwise everything is folded anew. Missing,
damaged or foreign, it costs a slower start and nothing else.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from terminal.core.attendance import LastPunch
from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms, ms_of
from terminal.core.records import Punch
from terminal.core.state import State, recall
from terminal.journal import Journal, Stored
from terminal.store import Documents, StoreDamagedError, StoreError

log = logging.getLogger(__name__)

NAME = "checkpoint"
VERSION = 1
REMEMBERED = timedelta(days=3)
"""No punch decides about a later day; leavers' names need not stay."""


def opened(path: Path) -> Documents:
    """The documents at ``path``; damaged ones are set aside, because they are only a shortcut.

    Raises:
        StoreError: the folder cannot be made or read.
    """
    try:
        return Documents(path)
    except StoreDamagedError as error:
        log.warning("set aside: %s", error)
        for file in list(path.parent.glob(f"{path.name}*")):
            file.rename(file.with_name(f"damaged-{file.name}"))
        return Documents(path)


def restore(state: State, journal: Journal, documents: Documents) -> State:
    """``state`` with what the journal's records have made of it."""
    after = 0
    try:
        content = documents.get(NAME)
        if content is not None and _fits(content, journal):
            state = _state_of(content, state)
            after = int(content["seq"])
    except (StoreError, AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("the checkpoint cannot be used, reading the whole journal: %s", error)
        after = 0
    for _, entry in journal.entries(after):
        state = recall(state, entry)
    return state


def keep(state: State, journal: Journal, documents: Documents) -> None:
    """Write down what ``restore`` would otherwise fold from the journal; a failure is logged."""
    seq, digest = journal.head()
    newest = max((last.stamp.at for last in state.punches.values()), default=None)
    punches = {
        holder: _members(last)
        for holder, last in state.punches.items()
        if newest is not None and newest - last.stamp.at <= REMEMBERED
    }
    content = {
        "v": VERSION,
        "epoch": journal.epoch,
        "seq": seq,
        "hash": digest,
        "published": state.published,
        "synced_ms": None if state.synced_at is None else ms_of(state.synced_at),
        "punches": punches,
    }
    try:
        documents.put(NAME, content)
    except StoreError as error:
        log.warning("no checkpoint was written: %s", error)


def _fits(content: Mapping[str, Any], journal: Journal) -> bool:
    seq = content["seq"]
    if content["v"] != VERSION or content["epoch"] != journal.epoch or not isinstance(seq, int):
        return False
    if not 0 < seq <= journal.head()[0]:
        return False
    record = next(journal.records(seq - 1), None)
    return isinstance(record, Stored) and record.hash == content["hash"]


def _members(last: LastPunch) -> dict[str, object]:
    stamp = last.stamp
    return {
        "punch": last.punch.value,
        "at_ms": stamp.at_ms,
        "boot": stamp.boot,
        "mono_ms": stamp.mono_ms,
        "clock": stamp.quality.state.value,
        "age_s": stamp.quality.age_s,
        "error_ms": stamp.quality.error_ms,
    }


def _state_of(content: Mapping[str, Any], state: State) -> State:
    synced_ms = content["synced_ms"]
    return replace(
        state,
        punches=_punches_of(content),
        published=int(content["published"]),
        synced_at=None if synced_ms is None else from_ms(int(synced_ms)),
    )


def _punches_of(content: Mapping[str, Any]) -> dict[str, LastPunch]:
    return {str(holder): _last_punch(one) for holder, one in content["punches"].items()}


def _last_punch(one: Mapping[str, Any]) -> LastPunch:
    quality = ClockQuality(ClockState(one["clock"]), int(one["age_s"]), int(one["error_ms"]))
    stamp = Stamp(from_ms(int(one["at_ms"])), str(one["boot"]), int(one["mono_ms"]), quality)
    return LastPunch(Punch(one["punch"]), stamp)
