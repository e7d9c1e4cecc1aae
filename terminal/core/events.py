"""What can happen to a terminal. Every event says when it happened; ``step`` never asks a clock."""

from dataclasses import dataclass

from terminal.core.credential import Credential, Unreadable
from terminal.core.moment import Stamp
from terminal.core.records import Entry
from terminal.core.rules import Rules


@dataclass(frozen=True, slots=True)
class Started:
    """The service has begun; the first event of every run."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class Stopping:
    """The service was told to end; the last event of a run that ends in order."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A card came into the field. Its verdict follows as CardRead or CardUnreadable."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class CardRead:
    """The conversation ended with a credential; ``seen`` is when the card was first seen."""

    stamp: Stamp
    seen: Stamp
    credential: Credential


@dataclass(frozen=True, slots=True)
class CardUnreadable:
    """The conversation ended without a credential; ``seen`` is when the card was first seen."""

    stamp: Stamp
    seen: Stamp
    reason: Unreadable
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class CardTaken:
    """The card left the field."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ReaderBlocked:
    """A mute card lies on the reader; no other card can be read until it is taken away."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ReaderLost:
    """Reader unplugged or pcscd gone; ``detail`` is the driver's word for it."""

    stamp: Stamp
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReaderBack:
    """The reader can read cards (again)."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class ButtonPressed:
    """One of the attendance buttons, numbered from 1."""

    stamp: Stamp
    button: int


@dataclass(frozen=True, slots=True)
class ExitRequested:
    """Somebody inside pressed the exit button of this terminal's portal."""

    stamp: Stamp


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer set by a SetTimer effect ran out."""

    stamp: Stamp
    timer: str


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """The journal could not commit ``entries``; nothing else of that step took effect."""

    stamp: Stamp
    entries: tuple[Entry, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeviceFailed:
    """``device`` (display, indicator, strike, inputs) does not work; ``detail`` says how."""

    stamp: Stamp
    device: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeviceBack:
    """``device`` works again."""

    stamp: Stamp
    device: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The broker was reached, or lost."""

    stamp: Stamp
    up: bool


@dataclass(frozen=True, slots=True)
class RulesActivated:
    """A verified publication (or, at start, the stored one) is to be in force from now on."""

    stamp: Stamp
    rules: Rules


@dataclass(frozen=True, slots=True)
class PublicationRefused:
    """A publication was not taken; ``reason`` is the attack's name, ``file`` where it showed."""

    stamp: Stamp
    reason: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class PublicationAged:
    """The active publication's signatures have expired (``stale``), or are fresh again."""

    stamp: Stamp
    stale: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MessageDropped:
    """A message from the broker was not understood and was dropped."""

    stamp: Stamp
    topic: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReceiptRefused:
    """A receipt did not fit our journal or was not signed by a ledger we know."""

    stamp: Stamp
    reason: str


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """The broker did not take a message of ours; ``code`` is its reason (MQTT 5, 3.4.2.1)."""

    stamp: Stamp
    topic: str
    code: int


@dataclass(frozen=True, slots=True)
class RecordLost:
    """A record on disk can no longer be read: its number, and its hash where it is known."""

    stamp: Stamp
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class JournalFilling:
    """The journal's disk is ``percent`` full of records without receipt, or has room again."""

    stamp: Stamp
    percent: int


Event = (
    Started
    | Stopping
    | CardSeen
    | CardRead
    | CardUnreadable
    | CardTaken
    | ReaderBlocked
    | ReaderLost
    | ReaderBack
    | ButtonPressed
    | ExitRequested
    | TimerDue
    | RecordFailed
    | DeviceFailed
    | DeviceBack
    | LinkChanged
    | RulesActivated
    | PublicationRefused
    | PublicationAged
    | MessageDropped
    | ReceiptRefused
    | PublishRefused
    | RecordLost
    | JournalFilling
)
