"""What the terminal says besides its records: birth, state, alarms, health, head.

Each is a retained message with the newest content, said when it changes and again on every
connection, because a broker may have lost what it kept. ``live`` is the exception: not retained,
at most once for a tap, only within 10 seconds of it and without the person, so that no outage's
backlog looks like people at the door.
"""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm, Result
from terminal.journal_rows import JournalReader, Stored
from terminal.wire.messages import (
    ONLINE,
    CfgState,
    Health,
    Info,
    alarms_payload,
    cfg_state_payload,
    entry_of,
    health_payload,
    info_payload,
    live_payload,
)
from terminal.wire.signed import LONGEST
from terminal.wire.strict_json import Malformed, parse
from terminal.wire.topics import Name, row

log = logging.getLogger(__name__)

EVERY_S = 60.0
LIVE_MS = 10_000
HEALTH_EXPIRY_S = 300
LIVE_EXPIRY_S = 30

_ORDER = (Name.STATUS, Name.INFO, Name.ALARMS, Name.HEAD, Name.HEALTH, Name.CFG_STATE)


@dataclass(frozen=True, slots=True)
class Statement:
    """One message that is to be said."""

    name: Name
    payload: bytes
    expiry_s: int = 0

    @property
    def qos(self) -> int:
        """As the table says."""
        return row(self.name).qos

    @property
    def retain(self) -> bool:
        """As the table says."""
        return row(self.name).retained


class Voice:
    """Collects what is to be said. Used by the link's thread only."""

    def __init__(self, source: JournalReader, stamp: Callable[[], Stamp]) -> None:
        self._source = source
        self._stamp = stamp
        self._alarms: dict[Alarm, str] = {}
        self._unsaid: set[Name] = set()
        self._cfg_state: CfgState | None = None
        self._regular_at = 0.0
        self._live_upto = source.marks().committed
        self.info: Callable[[], Info] | None = None
        self.health: Callable[[], Health | None] | None = None

    def begin(self, now: float) -> None:
        """A new connection: everything is to be said again."""
        self._unsaid.update(_ORDER)
        self._regular_at = now + EVERY_S

    def alarm(self, alarm: Alarm, *, on: bool, detail: str = "") -> None:
        """An alarm starts, changes or ends."""
        before = dict(self._alarms)
        if on:
            self._alarms[alarm] = detail
        else:
            self._alarms.pop(alarm, None)
        if self._alarms != before:
            self._unsaid.add(Name.ALARMS)

    def cfg_state(self, state: CfgState) -> None:
        """Something became of a publication."""
        self._cfg_state = state
        self._unsaid.add(Name.CFG_STATE)

    def say_info(self) -> None:
        """The birth's content has changed."""
        self._unsaid.add(Name.INFO)

    def due(self, now: float, room: int) -> tuple[Statement, ...]:
        """What is to be said now, at most ``room`` statements; they count as said.

        A head that the journal cannot give just now is left out until the next minute.
        """
        if now >= self._regular_at:
            self._regular_at = now + EVERY_S
            self._unsaid.update((Name.HEAD, Name.HEALTH))
        unsaid = [name for name in _ORDER if name in self._unsaid]
        made = [(name, self._made(name)) for name in unsaid[:room]]
        self._unsaid.difference_update(name for name, _ in made)
        return tuple(statement for _, statement in made if statement is not None)

    def live(self, record: Stored) -> Statement | None:
        """What dashboards may know of a record that is just going out, if it is fresh."""
        if record.seq <= self._live_upto:
            return None
        self._live_upto = record.seq
        try:
            members = parse(record.payload, longest=LONGEST, depth=1)
            entry = entry_of(members if isinstance(members, dict) else {})
        except Malformed:
            return None
        now = self._stamp()
        age_ms = now.mono_ms - entry.stamp.mono_ms
        if entry.result is Result.NOTED or entry.stamp.boot != now.boot or age_ms > LIVE_MS:
            return None
        return Statement(Name.LIVE, live_payload(entry), LIVE_EXPIRY_S)

    def _made(self, name: Name) -> Statement | None:
        match name:
            case Name.STATUS:
                return Statement(name, ONLINE)
            case Name.INFO if self.info is not None:
                return Statement(name, info_payload(self.info()))
            case Name.ALARMS:
                return Statement(name, alarms_payload(self._stamp().at_ms, self._alarms))
            case Name.HEAD:
                return self._head()
            case Name.HEALTH if self.health is not None:
                health = self.health()
                if health is not None:
                    return Statement(name, health_payload(health), HEALTH_EXPIRY_S)
            case Name.CFG_STATE if self._cfg_state is not None:
                return Statement(name, cfg_state_payload(self._cfg_state))
            case _:
                pass
        return None

    def _head(self) -> Statement | None:
        try:
            return Statement(Name.HEAD, self._source.head(self._stamp()))
        except sqlite3.Error as error:
            log.warning("the journal cannot tell its head just now: %s", error)
            return None
