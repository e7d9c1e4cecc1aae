"""What goes over the town hall's connection, as values and errors; no library behind it.

A delivery counts only with reason code 0x00; 0x10 (nobody listens) counts for retained messages,
which the broker keeps for whoever comes later.
"""

import threading
from dataclasses import dataclass

DELIVERED, NOBODY_LISTENS = 0x00, 0x10
NO_REASON_CODE = 0x80
"""MQTT 5's "unspecified error": stands for an answer that never came."""


class BrokerUnreachable(Exception):
    """No connection, or it was lost; the text says to where and what was answered."""


class DeliveryRefused(Exception):
    """The broker did not take a message; the text names topic and reason code."""


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker listens; ``host`` must be a name or address in its certificate."""

    host: str
    port: int = 8883


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us if we vanish."""

    topic: str
    payload: bytes
    retained: bool = True


@dataclass(frozen=True, slots=True)
class Message:
    """A received message. ``session`` and ``number`` are for ``Connection.acknowledge``."""

    topic: str
    payload: bytes
    retained: bool
    session: int
    number: int
    qos: int


class Delivery:
    """One message on its way to the broker."""

    def __init__(self, topic: str, *, retained: bool) -> None:
        self._topic = topic
        self._retained = retained
        self._answered = threading.Event()
        self._code = NO_REASON_CODE

    def wait(self, patience_s: float = 10) -> None:
        """Return once the broker has taken the message.

        Raises:
            DeliveryRefused: it has not, or no answer came within ``patience_s``.
        """
        if not self._answered.wait(patience_s):
            raise DeliveryRefused(f"{self._topic}: no answer from the broker in {patience_s} s")
        taken = {DELIVERED, NOBODY_LISTENS} if self._retained else {DELIVERED}
        if self._code not in taken:
            raise DeliveryRefused(
                f"{self._topic}: refused by the broker with reason code 0x{self._code:02x}"
            )

    def answer(self, code: int) -> None:
        """Note the broker's reason code; called by the connection."""
        self._code = code
        self._answered.set()
