"""What every virtual card is: an answer to reset, a power state, answers and counters.

A card knows nothing of sockets. `vpcd.insert` puts it on a reader; tests and the demo may
also call it directly. It counts what tests must be able to say of a whole run:

- `taps`: presences in which the reader powered the card on at least once. A presence lasts
  from `enter_field` to `leave_field`, however often a reader dies and comes back meanwhile;
- `trace`, `apdus`: every command that reached the card, in order, and their number;
- `verifies`: commands that carried a PIN (a query of the retry counter carries none);
- `forbidden_selects`: attempts to select one of the national applications that hold the
  individual number, the printed data, the resident record or the citizen's own keys.

Two things no answer can say are raised: `MuteError` (nothing comes, now or later, until the power
is cut) and `TornError` (the card leaves the field at this moment).

Rules: one presence at a time; one thread at a time talks to a card; counters are only ever
added to. What a card answers is left to its kind.
"""

import secrets
from abc import ABC, abstractmethod

from drivers.virtual_cards import apdu

READER_CLASS = 0xFF
SELECT = 0xA4
VERIFY = 0x20
BY_NAME = 0x04

# The providers of the national applications on an individual number card; the last bytes of
# the full names tell resident record, printed data, input aid, common data and citizen's
# certificates apart, but none of them is any business of a wall terminal.
FORBIDDEN_PROVIDERS = (bytes.fromhex("D392100031"), bytes.fromhex("D392F00026"))


class MuteError(Exception):
    """The card gives no answer, and none to anything that follows, until it loses power."""


class TornError(Exception):
    """The card leaves the field now.

    `answer` still goes out where given: wholly, or its first half if not `whole`.
    """

    def __init__(self, answer: bytes | None = None, *, whole: bool = True) -> None:
        super().__init__("the card was taken away")
        self.answer = answer
        self.whole = whole


class VirtualCard(ABC):
    """One card as software; a kind of card fills in `answer`."""

    def __init__(self, atr: bytes) -> None:
        self.taps = 0
        self.verifies = 0
        self.forbidden_selects = 0
        self.trace: list[bytes] = []
        self._atr = atr
        self._in_field = False
        self._tapped = False

    @property
    def apdus(self) -> int:
        """The number of commands that reached the card."""
        return len(self.trace)

    def enter_field(self) -> None:
        """Begin a presence; ValueError if the card already lies on a reader."""
        if self._in_field:
            raise ValueError("this card lies on a reader already: remove it there first")
        self._in_field, self._tapped = True, False

    def leave_field(self) -> None:
        """End the presence; the card has no power any more."""
        self.power_off()
        self._in_field = False

    def power_on(self) -> None:
        """The reader gives power (or resets): whatever was selected or verified is gone."""
        if not self._tapped:
            self._tapped = True
            self.taps += 1
        self.forget()

    def power_off(self) -> None:
        """The reader cuts the power."""
        self.forget()

    def answer_to_reset(self) -> bytes:
        """Give the answer to reset that the reader shows for this card."""
        return self._atr

    def exchange(self, command: bytes) -> bytes:
        """Count one command APDU and give its answer; raises `MuteError` or `TornError`."""
        self.trace.append(command)
        ins = command[1] if len(command) > 1 else None
        if ins == VERIFY and len(command) > apdu.SHORTEST_COMMAND + 1:
            self.verifies += 1
        if ins == SELECT and command[2:3] == bytes([BY_NAME]):
            name = command[5 : 5 + command[4]] if len(command) > apdu.SHORTEST_COMMAND else b""
            self.forbidden_selects += is_forbidden(name)
        return self.answer(command)

    @abstractmethod
    def answer(self, command: bytes) -> bytes:
        """Give data and status word for one command APDU, without counting it."""

    def forget(self) -> None:  # noqa: B027  (a card without state has nothing to forget)
        """Drop what does not outlive a loss of power."""


def is_forbidden(name: bytes) -> bool:
    """Tell whether an application name belongs to, or may reach, a national application."""
    if not name:
        return False
    return any(name.startswith(each) or each.startswith(name) for each in FORBIDDEN_PROVIDERS)


def contactless_atr(historical: bytes) -> bytes:
    """Make the answer to reset that a contactless reader composes (PC/SC part 3, 3.1.3.2.3).

    `historical`: 0 to 15 bytes; the last byte of the result is the check byte.
    """
    body = bytes([0x80 | len(historical), 0x80, 0x01]) + historical
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes([check])


def type_b_atr(application: bytes, protocol: bytes) -> bytes:
    """Make a Type B card's answer to reset: 4 bytes of application data, 3 of protocol."""
    return contactless_atr(application + protocol + b"\x00")


def pupi() -> bytes:
    """Draw the 4 bytes by which a Type B card calls itself until it loses power."""
    return secrets.token_bytes(4)


def reader_answer(command: bytes, number: bytes) -> bytes | None:
    """Answer for the reader where it, not the card, would: FF CA asks for the card's number.

    `number` is the IDm, UID or PUPI; None means that the command is one for the card
    (PC/SC part 3, 3.2.2.1.3).
    """
    if command[:1] != bytes([READER_CLASS]):
        return None
    if command == bytes.fromhex("FFCA000000"):
        return number + apdu.status(apdu.SUCCESS)
    return apdu.status(apdu.FUNCTION_NOT_SUPPORTED)
