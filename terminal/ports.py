"""What the terminal asks of its devices. The terminal owns these contracts; drivers fit them.

Drivers translate their library's errors to ``DeviceError``, deliver what they see by calling the
function they were given (which only puts it into the inbox), and close explicitly and
idempotently. ``Display.show`` and ``Indicator.play`` return at once: a worker of the driver's own
takes the latest value, so a dead bus never holds the loop.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from terminal.core.signals import Pattern, Screen


class DeviceError(Exception):
    """A device does not work. The text says which and how; it never holds card data."""


class CardTorn(DeviceError):
    """The card left the field during a conversation."""


class CardSwapped(CardTorn):
    """Another card lay there at the end than at the beginning."""


class CardMute(DeviceError):
    """The card did not answer within the conversation's deadline."""


class ChannelRefused(DeviceError):
    """An APDU that the allow-list does not hold; it was not sent."""


@dataclass(frozen=True, slots=True)
class ApduPattern:
    """One allowed command: its bytes as hex with ``..`` for any byte, and its total length.

    ``head`` is compared byte by byte from the start; the command may be ``shortest`` to
    ``longest`` bytes long (both included).
    """

    head: str
    shortest: int
    longest: int


class Channel(Protocol):
    """The road of APDUs to one card, for one conversation."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send one short APDU (ISO 7816-3, 4 to 261 bytes), return data + SW1 SW2 as received.

        Raises:
            CardTorn, CardMute, ChannelRefused, DeviceError
        """
        ...


@dataclass(frozen=True, slots=True)
class FieldChange:
    """What happened at the reader: ``kind`` is one of present, gone, blocked, lost, back.

    ``mono_ns`` is the system's monotonic clock at that moment, as the reader's process saw it.
    """

    kind: str
    mono_ns: int
    detail: str = ""


class CardReader(Protocol):
    """A contactless reader. Used by one thread."""

    def wait(self, timeout_s: float) -> FieldChange | None:
        """The next change in the field, or None when ``timeout_s`` passed without one."""
        ...

    def converse(self, budget_ms: int) -> AbstractContextManager[Channel]:
        """Open a channel to the present card; past ``budget_ms`` any call raises CardMute.

        Entering and leaving also stay within the budget. Leaving powers the card down.
        """
        ...

    def allow(self, patterns: Sequence[ApduPattern]) -> None:
        """From the next conversation on, pass these commands and no other."""
        ...

    def close(self) -> None:
        """End the reader's process; idempotent, may be called from another thread."""
        ...


class Strike(Protocol):
    """What holds a door. Its own timer re-locks it even if everything else hangs."""

    def release(self, duration_ms: int) -> None:
        """Release now, re-lock after ``duration_ms``; a second call starts the time anew."""
        ...

    def close(self) -> None:
        """Lock and let go; idempotent."""
        ...


class Indicator(Protocol):
    """Buzzer and the two lamps."""

    def play(self, pattern: Pattern) -> None:
        """Start ``pattern``, ending whatever was playing; returns at once."""
        ...

    def close(self) -> None:
        """Silence, dark; idempotent."""
        ...


class Display(Protocol):
    """The OLED, 128x64."""

    def show(self, screen: Screen) -> None:
        """Show ``screen`` as soon as the bus allows; the latest one wins; returns at once."""
        ...

    def close(self) -> None:
        """Clear; idempotent."""
        ...


class Inputs(Protocol):
    """Buttons and the exit button."""

    def listen(self, pressed: Callable[[str], None]) -> None:
        """Call ``pressed`` with ``button-1`` ... or ``exit`` on each debounced press.

        The call comes from the library's thread; it must only hand on.
        """
        ...

    def close(self) -> None:
        """Stop listening; idempotent."""
        ...


DeviceReport = Callable[[str, str], None]
"""How a driver's worker tells of itself: (device, detail); an empty detail means it works again."""
