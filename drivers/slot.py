"""The place where a card lies, as the reader process uses it; one class for each way to a card.

Rules: ``watch`` runs in a thread of its own and never returns; the other calls come from one
other thread and may hang for as long as a card likes.
"""

from collections.abc import Callable
from typing import Protocol

from drivers.pcsc_frames import Event

Tell = Callable[[Event], None]


class SlotFault(Exception):
    """A card or a reader failed; ``cause`` is one of the causes of a FAILED frame."""

    def __init__(self, cause: bytes, text: str) -> None:
        super().__init__(text)
        self.cause = cause


class Slot(Protocol):
    """A reader's field and the card in it."""

    def watch(self, tell: Tell) -> None:
        """Tell of every change in the field, for ever; at the start, of what is found."""
        ...

    def connect(self, presence: int) -> None:
        """Give power to the card of that presence; SlotFault if it is gone or another one."""
        ...

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU, give the answer as received; SlotFault if there is none."""
        ...

    def disconnect(self) -> None:
        """Cut the power; SlotFault SWAPPED if another card lies there by now."""
        ...
