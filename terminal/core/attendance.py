"""Which punch is this tap? Recorded with the moment the card was first seen, never rounded.

A button pressed before the tap decides. Without one the holder's last punch of the same working
day decides: none yet is "in", after "away" comes "back", anything else is "out". After "out" it
is "out" again, because the last one counts: who turns back for an umbrella must not be at work
all night. Shift calendars join here later, before the last punch.

The same punch again within the guard time is a duplicate: a record of its own that changes
nothing. Attendance is accepted whatever the clock's quality; the record carries it, and the town
hall maps the time later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from terminal.core.access import recognise
from terminal.core.credential import Credential
from terminal.core.moment import Stamp
from terminal.core.reasons import Reason
from terminal.core.records import Punch
from terminal.core.roster import Holder
from terminal.core.rules import TOWN_TIME, Rules, TerminalSettings

PUNCHED = {
    Punch.IN: Reason.PUNCHED_IN,
    Punch.OUT: Reason.PUNCHED_OUT,
    Punch.AWAY: Reason.PUNCHED_AWAY,
    Punch.BACK: Reason.PUNCHED_BACK,
}


@dataclass(frozen=True, slots=True)
class LastPunch:
    """A holder's newest punch at this terminal."""

    punch: Punch
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the tap is: ``punch`` is None where it was denied.

    ``repeats`` is the earlier punch that this one duplicates.
    """

    reason: Reason
    holder: Holder | None = None
    punch: Punch | None = None
    repeats: LastPunch | None = None


def decide(
    rules: Rules,
    credential: Credential,
    seen: Stamp,
    chosen: Punch | None,
    punches: Mapping[str, LastPunch],
) -> Verdict:
    """The punch that this tap makes; ``chosen`` is the button's, None for automatic."""
    known = recognise(rules, credential, seen)
    holder = known.holder
    if not known.granted or holder is None:
        return Verdict(known.reason, holder)
    if credential.assurance < rules.settings.attendance_least:
        return Verdict(Reason.ASSURANCE_TOO_LOW, holder)
    last = punches.get(holder.id)
    if last is not None and chosen in (None, last.punch) and _within_guard(rules, last, seen):
        return Verdict(Reason.ALREADY_PUNCHED, holder, last.punch, repeats=last)
    punch = chosen or _automatic(rules.settings, last, seen)
    return Verdict(PUNCHED[punch], holder, punch)


def _within_guard(rules: Rules, last: LastPunch, seen: Stamp) -> bool:
    guard_ms = rules.settings.duplicate_guard_s * 1000
    if last.stamp.boot == seen.boot:
        # Within one boot the monotonic clock knows; a stepped wall clock must not fool the guard.
        return seen.mono_ms - last.stamp.mono_ms < guard_ms
    if not (seen.quality.known and last.stamp.quality.known):
        # Two unknown times say nothing of how far apart they are; rather record once too often.
        return False
    return 0 <= seen.at_ms - last.stamp.at_ms < guard_ms


def _automatic(settings: TerminalSettings, last: LastPunch | None, seen: Stamp) -> Punch:
    if last is None or _working_day(settings, last.stamp) != _working_day(settings, seen):
        return Punch.IN
    if last.punch is Punch.AWAY:
        return Punch.BACK
    return Punch.OUT


def _working_day(settings: TerminalSettings, stamp: Stamp) -> date:
    start = timedelta(hours=settings.day_start.hour, minutes=settings.day_start.minute)
    return (stamp.at.astimezone(TOWN_TIME) - start).date()
