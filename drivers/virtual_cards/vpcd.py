"""A virtual card on a reader: the card's side of the connection.

`insert` connects a card to a reader, which is either pcscd's vpcd driver (TCP) or a
`SocketSlot` (a Unix socket), and serves it from a thread until `Presence.remove`. A card that
lies on a reader stays there when the reader's process dies, and is found again by the next
one, as with real cards; all of it is one presence and one tap.

Rules: the reader may cut the power, give it, or ask for the answer to reset at any time. What
the card raises as `MuteError` or `TornError` becomes silence or a closed connection.
"""

import errno
import os
import socket
import threading
import time
from pathlib import Path
from typing import Self

from drivers.virtual_cards import frames
from drivers.virtual_cards.card import MuteError, TornError, VirtualCard

Address = tuple[str, int] | Path
"""Where a reader waits for cards: host and port, or the path of a Unix socket."""

RETRY_S = 0.02
JOIN_S = 5.0
# pcscd asks vpcd every 0.4 s whether a card is there. A card changed for another in between
# is taken for the first one: never announced, and in the worst case never powered on.
UNNOTICED_S = 0.5

_vacated: dict[Address, float] = {}
"""When the last card of this process left a TCP reader, on the monotonic clock."""


class NoReaderError(Exception):
    """No reader waits at the address."""


class Presence:
    """A card in a reader's field, from `insert` to `remove`.

    `powered` is set once the reader has given power, `finished` once it has cut it again
    after at least one command: the conversation is over.
    """

    def __init__(self, card: VirtualCard, address: Address, patience_s: float) -> None:
        self.card = card
        self.address = address
        self.powered = threading.Event()
        self.finished = threading.Event()
        self._removed = threading.Event()
        self._mute = False
        self._talked = False
        self._link = self._found(time.monotonic() + patience_s)
        self._thread = threading.Thread(target=self._lie_there, name="virtual card", daemon=True)
        self._thread.start()

    @property
    def present(self) -> bool:
        """Whether the card still lies there; false too once it was torn away."""
        return not self._removed.is_set()

    def remove(self) -> None:
        """Take the card away; idempotent."""
        self._removed.set()
        _hang_up(self._link)
        self._thread.join(JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()

    def _found(self, deadline: float) -> socket.socket:
        """Connect to the reader, waiting for it until `deadline` on the monotonic clock."""
        while True:
            try:
                return _connect(self.address)
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise NoReaderError(
                        f"no reader waits for cards at {_spell(self.address)}: {error.strerror};"
                        " start pcscd with vpcd, or the terminal that owns this socket"
                    ) from error
            time.sleep(RETRY_S)

    def _lie_there(self) -> None:
        """Serve the reader, and the ones after it, until the card is taken away."""
        while self.present:
            try:
                self._serve()
            except OSError:  # the reader's process died in the middle of something
                pass
            finally:
                self._link.close()
            self._find_again()
        self._link.close()
        _vacated[self.address] = time.monotonic()
        self.card.leave_field()

    def _find_again(self) -> None:
        """Wait until a reader is there again or the card is taken away."""
        while not self._removed.wait(RETRY_S):
            try:
                self._link = _connect(self.address)
            except OSError:
                continue
            if self._removed.is_set():  # taken away while connecting
                self._link.close()
            return

    def _serve(self) -> None:
        """Answer one reader until it goes away or the card leaves."""
        self._mute = False
        while (body := frames.receive(self._link)) is not None:
            try:
                answer = self._control(body) if len(body) <= 1 else self._command(body)
            except MuteError:
                self._mute = True
                continue
            except TornError as torn:
                self._tear(torn)
                return
            if answer is not None:
                self._link.sendall(frames.frame(answer))

    def _control(self, body: bytes) -> bytes | None:
        """Follow the reader's control of the power; only the answer to reset is answered."""
        if body in (frames.POWER_ON, frames.RESET):
            self._mute = False
            self.powered.set()
            self.card.power_on()
        elif body == frames.POWER_OFF:
            self.card.power_off()
            if self._talked:
                self.finished.set()
        elif body == frames.ANSWER_TO_RESET and not self._mute:
            return self.card.answer_to_reset()
        return None

    def _command(self, body: bytes) -> bytes | None:
        self._talked = True
        self.finished.clear()
        if self._mute:
            raise MuteError
        return self.card.exchange(body)

    def _tear(self, torn: TornError) -> None:
        """Let what is left of the answer go out, then leave."""
        self._removed.set()
        if torn.answer is not None:
            wire = frames.frame(torn.answer)
            self._link.sendall(wire if torn.whole else wire[: len(wire) // 2])


def insert(card: VirtualCard, address: Address, *, patience_s: float = 5.0) -> Presence:
    """Lay a card on the reader at `address`, waiting up to `patience_s` for the reader.

    On a TCP reader at least half a second lies between one card and the next.

    Raises:
        NoReaderError: nothing waits there; the text says what to start.
        ValueError: the card lies on a reader already.
    """
    card.enter_field()
    if not isinstance(address, Path):
        free = _vacated.get(address, -UNNOTICED_S) + UNNOTICED_S
        time.sleep(max(0.0, free - time.monotonic()))
    try:
        return Presence(card, address, patience_s)
    except NoReaderError:
        card.leave_field()
        raise


def _connect(address: Address) -> socket.socket:
    if isinstance(address, Path):
        link = socket.socket(socket.AF_UNIX)
        target: str | tuple[str, int] = os.fspath(address)
    else:
        link = socket.socket(socket.AF_INET)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        target = address
    try:
        link.connect(target)
        # With nobody listening, the system may pick the reader's own port for our end and so
        # connect the socket to itself, which would also keep the reader from coming back.
        if link.family == socket.AF_INET and link.getsockname() == link.getpeername():
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    except BaseException:
        link.close()
        raise
    return link


def _hang_up(link: socket.socket) -> None:
    """Wake the thread that reads from this connection; it closes the socket itself."""
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed or never connected: nobody reads
        return


def _spell(address: Address) -> str:
    return str(address) if isinstance(address, Path) else f"{address[0]}:{address[1]}"
