"""A card that notes when it was first asked and when it had given its last answer.

Both sides of the bench talk to such a card, so both are measured from the same place: the card's
side of the reader. How long the reader took to notice the card is no part of it.
"""

import time

from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.faults import Wrapped


class TimedCard(Wrapped):
    """A good card with a stop watch (monotonic nanoseconds; 0 is "not yet")."""

    def __init__(self, inner: VirtualCard) -> None:
        super().__init__(inner)
        self.first_ns = 0
        self.last_ns = 0
        self.bytes = 0

    def begin(self) -> None:
        """Forget the tap before."""
        self.first_ns = self.last_ns = self.bytes = 0
        self.trace.clear()

    def exchange(self, command: bytes) -> bytes:
        """Pass one command to the card inside and look at the clock before and after."""
        self.first_ns = self.first_ns or time.monotonic_ns()
        answer = super().exchange(command)
        self.bytes += len(command) + len(answer)
        self.last_ns = time.monotonic_ns()
        return answer

    def answer(self, command: bytes) -> bytes:
        """Answer as the card inside."""
        return self.inner.answer(command)
