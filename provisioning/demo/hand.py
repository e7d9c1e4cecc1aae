"""Holds cards to the reader, one at a time, as a hand does.

Rules: a card is held until it is taken away or the next one comes; two cards never lie there
together. Waiting for the terminal is left to the caller.
"""

import threading

from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.vpcd import Address, NoReaderError, Presence, insert


class Hand:
    """A hand in front of the reader at ``address``. Any thread may call."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._presence: Presence | None = None
        self._lying = ""

    @property
    def lying(self) -> str:
        """The key of the card that is held there, "" for none."""
        presence = self._presence
        return self._lying if presence is not None and presence.present else ""

    def hold(self, key: str, card: VirtualCard, patience_s: float = 3.0) -> Presence:
        """Hold ``card`` to the reader, taking away what is held there.

        Raises:
            NoReaderError: no reader waits there within ``patience_s``.
        """
        with self._lock:
            self._drop()
            presence = insert(card, self._address, patience_s=patience_s)
            self._presence, self._lying = presence, key
            return presence

    def take(self, presence: Presence | None = None) -> None:
        """Take the card away; with ``presence`` only if it is still that one."""
        with self._lock:
            if presence is None or presence is self._presence:
                self._drop()

    def _drop(self) -> None:
        if self._presence is not None:
            self._presence.remove()
            self._presence = None
            self._lying = ""


__all__ = ["Hand", "NoReaderError", "Presence"]
