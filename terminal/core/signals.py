"""What people see and hear: values only. ``feedback`` chooses them, the drivers perform them."""

from dataclasses import dataclass
from enum import StrEnum


class Signal(StrEnum):
    """What buzzer and lamps can say. There is none for "card seen": nobody leaves too early."""

    DONE = "done"
    DONE_NOTICE = "done_notice"
    AGAIN = "again"
    REFUSED = "refused"
    CARD_LEFT = "card_left"
    CANNOT_RECORD = "cannot_record"
    QUIET = "quiet"
    """Silence, lamps off."""


@dataclass(frozen=True, slots=True)
class Beep:
    """One piece of a tone: frequency in Hz (0 is a pause), length in ms."""

    hertz: int
    ms: int


@dataclass(frozen=True, slots=True)
class Blink:
    """One lamp's pattern: ``on_ms`` lit and ``off_ms`` dark in turn for ``total_ms``.

    ``off_ms`` 0 is steady light; ``total_ms`` 0 with ``on_ms`` > 0 lasts until the next signal;
    ``on_ms`` 0 is dark.
    """

    on_ms: int = 0
    off_ms: int = 0
    total_ms: int = 0


DARK = Blink()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A signal as the indicator plays it; tone and both lamps start together."""

    tone: tuple[Beep, ...]
    ring: Blink
    cross: Blink


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text; ``otherwise`` is shown where the font lacks a character of ``text``."""

    text: str
    otherwise: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """What the 128x64 display shows.

    Without ``headline``: up to four lines of 16 px (8 full-width characters each). With it: the
    headline at 32 px (4 full-width characters) over up to two lines. ``bar`` (0 to 8) draws a
    progress bar in the last line's place. ``key`` names the text, for tests and replays.
    """

    key: str
    lines: tuple[Line, ...] = ()
    headline: Line | None = None
    bar: int | None = None
