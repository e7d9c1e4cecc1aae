"""What other threads have done between two events on the loop's thread, besides events.

A letter is a small thing to do that needs the loop's belongings: the journal's pen, the state.
"""

from dataclasses import dataclass
from datetime import datetime

from terminal.clock import Clock
from terminal.core import events
from terminal.core.moment import from_ms
from terminal.link_receipts import ReceiptArrived
from terminal.service import Service


@dataclass(frozen=True, slots=True)
class TakeReceipt:
    """A proven receipt: the journal says whether its hash is its own."""

    receipt: ReceiptArrived
    clock: Clock

    def open(self, loop: Service) -> None:
        """Move the cursor, or tell that the receipt does not fit."""
        if loop.journal.receive(self.receipt.upto, self.receipt.hash):
            self.clock.nudge_floor(from_ms(self.receipt.commit_ms))
        else:
            stamp = self.clock.stamp()
            loop.take(events.ReceiptRefused(stamp, f"no such record: {self.receipt.upto}"))


@dataclass(frozen=True, slots=True)
class RaiseFloor:
    """Something signed says that it is at least ``moment``."""

    moment: datetime
    clock: Clock

    def open(self, _loop: Service) -> None:
        """Wall time never runs back behind it."""
        self.clock.raise_floor(self.moment)
