"""What a terminal knows between two events. Frozen: ``step`` makes a new one."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from terminal.core.attendance import LastPunch
from terminal.core.moment import ClockState
from terminal.core.reasons import Reason
from terminal.core.records import Entry, Punch, RecordKind
from terminal.core.rules import Portal, Rules, Use


@dataclass(frozen=True, slots=True)
class State:
    """All state of the loop.

    ``chosen`` is the punch of a pressed button, for one tap or eight seconds. ``showing`` names
    what the display shows: starting, idle, reading, outcome, card-left or fault. ``unwritten``
    are notes about the terminal itself that wait for the journal; a tap's entries never wait.
    ``notes_lost`` counts those that no longer found room. ``synced_at`` is the time of the newest
    record made while the clock was synced, ``published`` the highest publication on record.
    """

    rules: Rules
    punches: Mapping[str, LastPunch] = field(default_factory=dict)
    chosen: Punch | None = None
    showing: str = "starting"
    card_present: bool = False
    reader_ok: bool = False
    reader_blocked: bool = False
    link_up: bool = False
    clock_known: bool = False
    cannot_record: bool = False
    failed_devices: frozenset[str] = frozenset()
    unwritten: tuple[Entry, ...] = ()
    notes_lost: int = 0
    synced_at: datetime | None = None
    published: int = 0

    @property
    def portal(self) -> Portal | None:
        """The door that this terminal guards, if it guards one that is published."""
        return self.rules.portals.get(self.rules.settings.portal or "")

    @property
    def entered(self) -> Portal | None:
        """The door that the next tap is for; None where it is a punch."""
        by_default = self.rules.settings.default_use is Use.ACCESS
        return self.portal if self.chosen is None and by_default else None

    @property
    def ready(self) -> bool:
        """Whether cards can be read: the reader is there and no mute card lies on it."""
        return self.reader_ok and not self.reader_blocked


def recall(state: State, entry: Entry) -> State:
    """The state after ``entry`` was recorded, for what must outlive a restart.

    Applied to each new record by the controller and to the whole journal at start, so both roads
    lead to the same state. Duplicates and denials are no punches.
    """
    stamp = entry.stamp
    if stamp.quality.state is ClockState.SYNCED:
        newest = stamp.at if state.synced_at is None else max(state.synced_at, stamp.at)
        state = replace(state, synced_at=newest)
    if entry.publication > state.published:
        state = replace(state, published=entry.publication)
    if entry.kind is not RecordKind.ATTENDANCE or entry.punch is None or entry.holder is None:
        return state
    if entry.reason is Reason.ALREADY_PUNCHED:
        return state
    punches = {**state.punches, entry.holder: LastPunch(entry.punch, entry.stamp)}
    return replace(state, punches=punches)
