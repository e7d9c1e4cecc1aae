"""What is written down. The core makes entries; the journal numbers, chains and signs them."""

from dataclasses import dataclass
from enum import StrEnum

from terminal.core.credential import Assurance
from terminal.core.moment import Stamp
from terminal.core.reasons import Note, Reason, Result


class RecordKind(StrEnum):
    """Which use of the card, or the terminal itself, a record speaks of."""

    ACCESS = "access"
    ATTENDANCE = "attendance"
    TAP = "tap"
    """A tap that came to no use: the card could not be read."""
    TERMINAL = "terminal"


class Punch(StrEnum):
    """One attendance act."""

    IN = "in"
    OUT = "out"
    AWAY = "away"
    BACK = "back"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be written down; flat, because it travels as flat JSON.

    ``stamp`` is the moment the card was first seen (not when its chip had finished). ``holder``
    is the roster's opaque id. ``detail`` is a short machine-readable addition, never a name, a
    card number or a certificate.
    """

    kind: RecordKind
    result: Result
    reason: Reason | Note
    stamp: Stamp
    purpose: str = ""
    publication: int = 0
    holder: str | None = None
    profile: str | None = None
    assurance: Assurance | None = None
    portal: str | None = None
    punch: Punch | None = None
    elapsed_ms: int | None = None
    detail: str = ""
