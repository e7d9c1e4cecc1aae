"""One card's channel (the port ``Channel``), from power to power, within one budget of time.

Rules: past its budget, or once the reader has failed, a conversation is over and passes no command
on, so a late call cannot reach the next card. However it went, its end cuts the power: a process
that kept its card connected could connect to none after it.
"""

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from drivers import pcsc_frames as wire
from terminal.ports import CardMute, CardSwapped, CardTorn, ChannelRefused, DeviceError

log = logging.getLogger(__name__)

FAILURES: dict[bytes, type[DeviceError]] = {
    wire.TORN: CardTorn,
    wire.MUTE: CardMute,
    wire.REFUSED: ChannelRefused,
    wire.SWAPPED: CardSwapped,
    wire.BROKEN: DeviceError,
}
"""What the causes in a FAILED frame are to whoever speaks to the card."""


class Conversation:
    """A channel to the present card.

    ``ask`` puts one request (kind, body, deadline) to the reader process that runs now, and raises
    DeviceError once that one was replaced; ``begin`` gives the number of the presence to be talked
    to, or raises CardMute.
    """

    def __init__(
        self,
        ask: Callable[[bytes, bytes, float], bytes],
        begin: Callable[[], int],
        budget_ms: int,
    ) -> None:
        self._ask = ask
        self._begin = begin
        self._budget_ms = budget_ms
        self._deadline = 0.0
        self._over = True

    def __enter__(self) -> Self:
        self._deadline = time.monotonic() + self._budget_ms / 1000
        presence = self._begin()
        self._over = False
        self._within_time(wire.CONNECT, presence.to_bytes(4, "big"))
        return self

    def transmit(self, apdu: bytes) -> bytes:
        """Send one APDU; see the port."""
        if self._over:
            raise CardMute("this conversation is over")
        return self._within_time(wire.TRANSMIT, apdu)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failed_before = self._over or error is not None
        self._over = True
        try:
            self._ask(wire.DISCONNECT, b"", self._deadline)
        except DeviceError:
            if not failed_before:
                raise
            log.debug("the conversation's end failed after another failure")

    def _within_time(self, kind: bytes, body: bytes) -> bytes:
        try:
            return self._ask(kind, body, self._deadline)
        except (CardTorn, ChannelRefused):
            raise
        except DeviceError:
            self._over = True
            raise
