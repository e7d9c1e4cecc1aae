"""A reader made of a socket, where virtual cards come to lie. Runs in the reader process.

For the demo and for tests without pcscd. The slot itself (``drivers.virtual_cards.slot``) is used
by one thread at a time, which a lock sees to.
"""

import contextlib
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

from drivers import pcsc_frames as wire
from drivers.pcsc_frames import Event
from drivers.slot import SlotFault, Tell
from drivers.virtual_cards.slot import CardRemovedError, Change, SlotError, SocketSlot

LOOK_S = 0.05
FIRST_LOOK_S = 0.2
"""How long a card that lay here before gets to find the new process."""


class VirtualSlot:
    """The slot at ``path``."""

    def __init__(self, path: Path) -> None:
        try:
            self._slot = SocketSlot(path)
        except SlotError as error:
            raise SlotFault(wire.BROKEN, str(error)) from error
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self._presence = 0
        self._lies_there = False

    def watch(self, tell: Tell) -> None:
        """Follow the slot between conversations."""
        tell(Event("back", time.monotonic_ns()))
        with self._lock:
            found = self._slot.wait(FIRST_LOOK_S) is Change.PRESENT
            self._note(tell, present=found, first=True)
        while True:
            self._idle.wait()
            with self._lock:
                if self._idle.is_set():
                    self._look(tell)
            # A conversation that begins meanwhile may take the socket away under our eyes.
            with contextlib.suppress(OSError, ValueError):
                select.select([self._slot], [], [], LOOK_S)

    def connect(self, presence: int) -> None:
        """Give power to the card."""
        self._idle.clear()
        with self._lock:
            if presence != self._presence:
                raise SlotFault(wire.SWAPPED, "another card lies there by now")
            self._guard(self._slot.connect)

    def transmit(self, apdu: bytes) -> bytes:
        """Pass one command on."""
        return self._guard(lambda: self._slot.transmit(apdu))

    def disconnect(self) -> None:
        """Cut the power."""
        with self._lock:
            self._slot.disconnect()
        self._idle.set()

    def _look(self, tell: Tell) -> None:
        """Tell what has changed; a card that left during a conversation comes first."""
        if self._lies_there and not self._slot.present:
            self._note(tell, present=False)
        change = self._slot.wait(0)
        if change is not None:
            self._note(tell, present=change is Change.PRESENT)

    def _note(self, tell: Tell, *, present: bool, first: bool = False) -> None:
        self._lies_there = present
        if present:
            self._presence += 1
        kind = "present" if present else "gone"
        tell(Event(kind, time.monotonic_ns(), self._presence, first))

    def _guard(self, act: Callable[[], bytes]) -> bytes:
        """Do what a card takes part in."""
        try:
            return act()
        except CardRemovedError as error:
            raise SlotFault(wire.TORN, str(error)) from error
        except SlotError as error:
            cause = wire.BROKEN if self._slot.present else wire.TORN
            raise SlotFault(cause, str(error)) from error
