"""The publication in force, as the core sees it: values, already verified and parsed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from terminal.core.credential import Assurance
from terminal.core.records import Punch
from terminal.core.roster import Roster
from terminal.core.schedule import Schedule

TOWN_TIME = ZoneInfo("Asia/Tokyo")

LONGEST_STRIKE_MS = 30_000
"""The longest a door may be released for. A publication that asks for more is refused; the strike
itself cuts what asks for more all the same."""


class Use(StrEnum):
    """What a tap is for at a terminal when no button was pressed."""

    ACCESS = "access"
    ATTENDANCE = "attendance"


class Language(StrEnum):
    """The language of a terminal's screens."""

    JA = "ja"
    EN = "en"


class NameShown(StrEnum):
    """How much of a name a wall may show."""

    SURNAME = "surname"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Portal:
    """A way through that this terminal guards."""

    id: str
    name: str = ""
    strike_ms: int = 5000
    least: Assurance = Assurance.AUTHENTICATED
    purpose: str = "access"


@dataclass(frozen=True, slots=True)
class Permit:
    """Who (a holder id, or a group's name) may pass which portal, in which schedule."""

    portal: str
    schedule: str
    holder: str | None = None
    group: str | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class TerminalSettings:
    """The published settings of one terminal.

    ``day_start`` is the local time at which a working day begins; ``duplicate_guard_s`` is how
    long the same punch of the same card is a duplicate; ``buttons`` are the punches of buttons
    1 to n. ``portal`` is the door this terminal guards, None for attendance only.
    """

    terminal: str
    default_use: Use = Use.ACCESS
    portal: str | None = None
    language: Language = Language.JA
    name_shown: NameShown = NameShown.SURNAME
    buttons: tuple[Punch, ...] = (Punch.IN, Punch.OUT, Punch.AWAY, Punch.BACK)
    attendance_purpose: str = "attendance"
    attendance_least: Assurance = Assurance.AUTHENTICATED
    duplicate_guard_s: int = 300
    day_start: time = time(4)
    contacts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything ``step`` decides by. ``publication`` only ever rises; 0 is "none yet"."""

    publication: int
    issued: datetime | None
    settings: TerminalSettings
    roster: Roster = field(default_factory=Roster)
    portals: Mapping[str, Portal] = field(default_factory=dict)
    permits: tuple[Permit, ...] = ()
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The town's own wording by text key, for this terminal's language."""


def no_rules(terminal: str) -> Rules:
    """What a terminal has before its first publication: nobody is known, nothing is permitted."""
    return Rules(publication=0, issued=None, settings=TerminalSettings(terminal))
