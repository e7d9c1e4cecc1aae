"""A small town hall for the core's tests: one archive door, a few people, a clock to be moved."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from terminal.core.credential import Assurance, Credential
from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.roster import CredentialState, Holder, Roster, RosterEntry
from terminal.core.rules import Permit, Portal, Rules, TerminalSettings, Use
from terminal.core.schedule import ALWAYS, Interval, Schedule

PROFILE = "piv-town"
OFFICE_HOURS = Schedule("office", (Interval(frozenset(range(5)), time(7, 30), time(19)),))
ARCHIVE = Portal("archive", name="第1書庫", strike_ms=3000, purpose="archive-access")

WEDNESDAY_8_24 = datetime(2026, 11, 24, 23, 24, 5, tzinfo=UTC)
"""Wednesday 25 November 2026, 8:24:05 in the town."""

SYNCED = ClockQuality(ClockState.SYNCED)
UNKNOWN = ClockQuality(ClockState.UNKNOWN)


def stamp(
    at: datetime = WEDNESDAY_8_24,
    *,
    later: timedelta = timedelta(0),
    boot: str = "boot-a",
    quality: ClockQuality = SYNCED,
    floor: datetime | None = None,
) -> Stamp:
    """A moment ``later`` than ``at``, the monotonic clock having moved as far."""
    mono = timedelta(seconds=1000) + later
    return Stamp(at + later, boot, mono // timedelta(milliseconds=1), quality, floor)


def card(number: str = "suzuki-card", assurance: Assurance = Assurance.AUTHENTICATED) -> Credential:
    return Credential(PROFILE, "town-card-ca", number, assurance)


SUZUKI = Holder("h-suzuki", "鈴木 花子", "スズキ", "税務課", frozenset({"tax"}))
SATO = Holder("h-sato", "佐藤 次郎", "サトウ", "住民課")


def roster(*, suzuki: Holder = SUZUKI, state: CredentialState = CredentialState.ACTIVE) -> Roster:
    return Roster(
        {
            (PROFILE, "suzuki-card"): RosterEntry(suzuki, state),
            (PROFILE, "sato-card"): RosterEntry(SATO),
        }
    )


def rules(**changes: object) -> Rules:
    """Suzuki may enter the archive in office hours; the terminal's default use is access."""
    plain = Rules(
        publication=7,
        issued=WEDNESDAY_8_24 - timedelta(days=1),
        settings=TerminalSettings("t-archive", portal="archive"),
        roster=roster(),
        portals={"archive": ARCHIVE},
        permits=(Permit("archive", "office", holder="h-suzuki"),),
        schedules={"office": OFFICE_HOURS, "always": ALWAYS},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # any field, by name


def attendance_rules() -> Rules:
    plain = rules()
    settings = replace(plain.settings, default_use=Use.ATTENDANCE)
    return replace(plain, settings=settings)
