"""What the demo shows at one moment: plain values that the stage makes and the page draws."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Way(IntEnum):
    """How far a record has come. Each step is seen where it happens, never assumed."""

    JOURNALLED = 1
    """Synced to the terminal's disk: read from its journal."""
    SENT = 2
    """Committed by the town hall: read from the ledger's database."""
    RECEIVED = 3
    """Under a receipt of the ledger, whose signature and hash were checked as the terminal does."""


class Switch(StrEnum):
    """What one may do to the town."""

    RUSH = "rush"
    LAN = "lan"
    BROKER = "broker"
    POWER = "power"
    PERMIT = "permit"


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the page lists it; ``holder`` is the roster's id, "" where nobody is known."""

    epoch: str
    seq: int
    at_ms: int
    mono_ms: int
    kind: str
    result: str
    reason: str
    holder: str
    detail: str
    way: Way


@dataclass(frozen=True, slots=True)
class Counts:
    """Records on the terminal's disk, of them proven, and those still on their way."""

    recorded: int = 0
    received: int = 0

    @property
    def waiting(self) -> int:
        """Recorded, but not yet under a receipt."""
        return self.recorded - self.received


@dataclass(frozen=True, slots=True)
class PanelState:
    """The terminal's pins and display; ``frame`` is base64 of 1,024 bytes, 1 bit a dot."""

    power: bool = False
    frame: str = ""
    ring: bool = False
    cross: bool = False
    strike: bool = False
    hertz: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the terminal answered to one tap: a tone, the ring lamp, the strike.

    ``green`` is a ring lamp that was lit by the decision, not before it.
    """

    sounded: bool = False
    ring: bool = False
    green: bool = False
    released: bool = False


UNANSWERED = Answer()


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything the page draws."""

    panel: PanelState
    lying: str
    lan: bool
    broker: bool
    permitted: bool
    publishing: bool
    mending: bool
    """Plugged in again, but the terminal has not yet come back or not yet sent all it kept."""
    rush_left: int
    rows: tuple[Row, ...]
    counts: Counts
    done: frozenset[int]
    reader: bool = True
    """Whether the terminal has a reader; a missing one is only told with a real reader."""
    said: tuple[int, str, str] = (0, "", "")
    """Number, text key and detail of the last thing to be told; the number tells a new one."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A publication before it is signed: holders who gain or lose, and how many do neither.

    ``permitted`` is what it makes of the sample permit.
    """

    number: int
    permitted: bool
    gains: tuple[str, ...]
    loses: tuple[str, ...]
    others: int
