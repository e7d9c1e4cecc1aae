"""A reader without hardware: the reader's side of the connection to a virtual card.

For the demo, where neither pcscd nor vpcd runs. A slot listens on a Unix socket that only its
own user can open; a card that connects lies on the reader, a card that hangs up has been taken
away. One card at a time: others wait in front of the reader.

Rules: one thread uses a slot. `transmit` and `connect` have no time limit, like SCardTransmit
and SCardConnect: with a mute card they hang, and whoever needs a limit ends the process from
outside. A slot passes bytes on; which ones may pass is decided by its owner.
"""

import contextlib
import select
import socket
import stat
import time
from enum import Enum
from pathlib import Path
from typing import Self

from drivers.virtual_cards import frames

BACKLOG = 4
SHORTEST_COMMAND = 4
LONGEST_PATH = 107


class SlotError(Exception):
    """The slot cannot work, or was used in the wrong order; the text says which."""


class CardRemovedError(Exception):
    """The card was taken away."""


class Change(Enum):
    """What happened in front of the reader."""

    PRESENT = "present"
    ABSENT = "absent"


class SocketSlot:
    """A reader that waits for virtual cards at `path`.

    Raises:
        SlotError: the path is too long, not free, or its directory is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._card: socket.socket | None = None
        self._connected = False
        self._listener = _listen(path)

    @property
    def present(self) -> bool:
        """Whether a card lies there, as far as `wait` and the commands have seen."""
        return self._card is not None

    def fileno(self) -> int:
        """The descriptor that becomes readable when `wait` would report a change."""
        return (self._card or self._listener).fileno()

    def wait(self, timeout_s: float) -> Change | None:
        """Wait for a card to come, or for the present one to go; None after `timeout_s`."""
        end = time.monotonic() + timeout_s
        while True:
            left = max(0.0, end - time.monotonic())
            if not select.select([self], [], [], left)[0]:
                return None
            if self._card is None:
                self._card, _ = self._listener.accept()
                return Change.PRESENT
            # A card never speaks first: whatever can be read here is its farewell.
            self._drop()
            return Change.ABSENT

    def connect(self) -> bytes:
        """Power the card on and give its answer to reset.

        Raises:
            CardRemovedError: the card is gone (and `wait` need not report it any more).
            SlotError: no card lies there.
        """
        self._send(frames.POWER_ON)
        self._connected = True
        self._send(frames.ANSWER_TO_RESET)
        return self._receive()

    def transmit(self, command: bytes) -> bytes:
        """Send one command APDU of 4 bytes or more and give the answer as received.

        Raises:
            CardRemovedError: the card is gone.
            SlotError: not connected, or the command's length cannot be one.
        """
        if not self._connected:
            raise SlotError("transmit needs a connected card: call connect first")
        if not SHORTEST_COMMAND <= len(command) <= frames.LONGEST:
            raise SlotError(f"a command APDU cannot have {len(command)} bytes")
        self._send(command)
        return self._receive()

    def disconnect(self) -> None:
        """Cut the power; idempotent. A card that has gone meanwhile is no error here."""
        if self._connected:
            self._connected = False
            with contextlib.suppress(CardRemovedError):
                self._send(frames.POWER_OFF)

    def close(self) -> None:
        """Stop listening and forget the card; idempotent."""
        self._drop()
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _send(self, body: bytes) -> None:
        if self._card is None:
            raise SlotError("no card lies on this reader: wait for one first")
        try:
            self._card.sendall(frames.frame(body))
        except OSError as error:
            self._drop()
            raise CardRemovedError("the card was taken away") from error

    def _receive(self) -> bytes:
        body = None
        if self._card is not None:
            with contextlib.suppress(OSError):  # a reset connection is a removed card too
                body = frames.receive(self._card)
        if body is None:
            self._drop()
            raise CardRemovedError("the card was taken away")
        return body

    def _drop(self) -> None:
        """Forget the card that lay here."""
        self._connected = False
        if self._card is not None:
            self._card.close()
            self._card = None


def _listen(path: Path) -> socket.socket:
    """Listen at `path`, readable and writable by this user only."""
    if len(str(path).encode()) > LONGEST_PATH:
        raise SlotError(f"{path} is too long for a socket: at most {LONGEST_PATH} bytes")
    with contextlib.suppress(FileNotFoundError):
        # A slot whose process was killed leaves its socket behind; a plain file is not ours.
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SlotError(f"{path} is in the way: it is not a socket; move it elsewhere")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)  # before listening: until then nobody can connect
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SlotError(f"cannot wait for cards at {path}: {error.strerror}") from error
    return listener
