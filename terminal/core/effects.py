"""What a terminal can do. ``service`` performs effects in the order ``step`` gave them.

``Record`` guards the list: the new state and every effect behind it count only once it has been
committed to disk. Effects before it (an exit request's release) are performed regardless.
"""

from dataclasses import dataclass

from terminal.core.reasons import Alarm
from terminal.core.records import Entry
from terminal.core.signals import Screen, Signal


@dataclass(frozen=True, slots=True)
class Record:
    """Write these entries in one commit, synced to disk."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ReleaseStrike:
    """Release the strike of ``portal`` for ``duration_ms``; it re-locks by itself."""

    portal: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Indicate:
    """Let buzzer and lamps say ``signal``."""

    signal: Signal


@dataclass(frozen=True, slots=True)
class Show:
    """Show ``screen`` on the display."""

    screen: Screen


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send TimerDue(timer) after ``after_ms`` of monotonic time; replaces one of that name."""

    timer: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class CancelTimer:
    """Forget the timer of that name, if it runs."""

    timer: str


@dataclass(frozen=True, slots=True)
class SetAlarm:
    """Start or end an alarm at operations; ``detail`` is machine-readable and names no person."""

    alarm: Alarm
    on: bool
    detail: str = ""


Effect = Record | ReleaseStrike | Indicate | Show | SetTimer | CancelTimer | SetAlarm
