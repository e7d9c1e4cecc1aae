"""Faulty cards: wrappers around a good one that spoil it at one command, or throughout.

Commands are counted from 1 since the card last got power, so a fault comes back with every
new conversation. Each wrapper is a card itself, with counters of its own; the card inside is
asked but not counted.

Rules: chance is seeded; nothing here knows what the commands mean, except `Replayed` and
`Slow`, which must know a signature when they see one.
"""

import random
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from drivers.virtual_cards import apdu, frames
from drivers.virtual_cards.card import MuteError, TornError, VirtualCard
from drivers.virtual_cards.card_key import CardKey, PrivateKey
from drivers.virtual_cards.piv import CARD_AUTHENTICATION, PivCard

GENERAL_AUTHENTICATE = 0x87
CHAINED = 0x10


class Wrapped(VirtualCard):
    """A card inside another."""

    def __init__(self, inner: VirtualCard) -> None:
        super().__init__(inner.answer_to_reset())
        self.inner = inner

    def forget(self) -> None:
        """Lose power together."""
        self.inner.forget()


class Stepped(Wrapped):
    """A card whose fault depends on the number of commands since it got power."""

    def __init__(self, inner: VirtualCard) -> None:
        super().__init__(inner)
        self._step = 0

    def forget(self) -> None:
        """Lose power together, and start counting anew."""
        super().forget()
        self._step = 0

    def answer(self, command: bytes) -> bytes:
        """Count the step and let the fault decide."""
        self._step += 1
        return self.answer_at(self._step, command)

    @abstractmethod
    def answer_at(self, step: int, command: bytes) -> bytes:
        """Answer the command number `step`."""


class MuteCard(Stepped):
    """Falls silent at command `at`; with `at` = 0 as soon as it gets power."""

    def __init__(self, inner: VirtualCard, at: int) -> None:
        super().__init__(inner)
        self._at = at

    def power_on(self) -> None:
        """Take the power, and at `at` = 0 not even answer to reset."""
        super().power_on()
        if self._at == 0:
            raise MuteError

    def answer_at(self, step: int, command: bytes) -> bytes:
        """Answer until command `at`."""
        if step >= self._at:
            raise MuteError
        return self.inner.answer(command)


class Moment(Enum):
    """When, at a command, a card is torn away."""

    BEFORE = "before the answer"
    WITHIN = "within the answer"
    AFTER = "after the answer"


class TornCard(Stepped):
    """Is torn away at command `at`, at a chosen moment."""

    def __init__(self, inner: VirtualCard, at: int, moment: Moment = Moment.BEFORE) -> None:
        super().__init__(inner)
        self._at, self._moment = at, moment

    def answer_at(self, step: int, command: bytes) -> bytes:
        """Answer until command `at`, then leave."""
        if step < self._at:
            return self.inner.answer(command)
        if self._moment is Moment.BEFORE:
            raise TornError
        raise TornError(self.inner.answer(command), whole=self._moment is Moment.AFTER)


class SpoiledCard(Stepped):
    """Sends `spoil(good answer)` instead of the good answer at command `at`.

    With `onward` also at every command after it. The functions below make the usual ones.
    """

    def __init__(
        self,
        inner: VirtualCard,
        at: int,
        spoil: Callable[[bytes], bytes],
        *,
        onward: bool = False,
    ) -> None:
        super().__init__(inner)
        self._at, self._spoil, self._onward = at, spoil, onward

    def answer_at(self, step: int, command: bytes) -> bytes:
        """Answer, spoiled where it is time to."""
        answer = self.inner.answer(command)
        if step == self._at or (self._onward and step > self._at):
            return self._spoil(answer)
        return answer


def empty_answer(inner: VirtualCard, at: int) -> SpoiledCard:
    """Make a card that answers command `at` with no byte at all."""
    return SpoiledCard(inner, at, lambda _: b"")


def one_byte_answer(inner: VirtualCard, at: int) -> SpoiledCard:
    """Make a card that answers command `at` with half a status word."""
    return SpoiledCard(inner, at, lambda _: b"\x90")


def garbage(inner: VirtualCard, at: int, seed: int) -> SpoiledCard:
    """Make a card that answers command `at` with 0 to 300 random bytes, the same for a seed."""
    chance = random.Random(seed)  # noqa: S311  (garbage, not a secret)
    return SpoiledCard(inner, at, lambda _: chance.randbytes(chance.randrange(301)))


def over_long_answer(inner: VirtualCard, at: int) -> SpoiledCard:
    """Make a card that answers command `at` with 65,535 bytes that end in 9000."""
    size = frames.LONGEST - 2
    return SpoiledCard(inner, at, lambda _: bytes(size) + apdu.status(apdu.SUCCESS))


def status_word(inner: VirtualCard, at: int, word: int) -> SpoiledCard:
    """Make a card that refuses command `at` with a chosen status word."""
    return SpoiledCard(inner, at, lambda _: apdu.status(word))


def endless_more(inner: VirtualCard, at: int) -> SpoiledCard:
    """Make a card that from command `at` on always has 256 more bytes (61 00) to give."""
    return SpoiledCard(inner, at, lambda _: bytes(256) + b"\x61\x00", onward=True)


def endless_wrong_length(inner: VirtualCard, at: int) -> SpoiledCard:
    """Make a card that from command `at` on always wants another length (6C xx)."""
    return SpoiledCard(inner, at, lambda _: b"\x6c\x10", onward=True)


def copied(original: PivCard, other_key: PrivateKey) -> PivCard:
    """Make a card that shows the original's certificate but holds a key of its own."""
    shown = original.keys[CARD_AUTHENTICATION].certificate
    return PivCard(CardKey(shown, other_key))


class Replayed(Wrapped):
    """Repeats its first signature for ever, as a recording of one conversation would."""

    def __init__(self, inner: VirtualCard) -> None:
        super().__init__(inner)
        self._recorded: bytes | None = None

    def answer(self, command: bytes) -> bytes:
        """Answer, with the recorded signature where one is asked for."""
        answer = self.inner.answer(command)
        if not asks_signature(command):
            return answer
        if self._recorded is None:
            self._recorded = answer
        return self._recorded


class SwappedCard(Stepped):
    """From command `at` on another card answers, which has heard everything before it too."""

    def __init__(self, inner: VirtualCard, other: VirtualCard, at: int) -> None:
        super().__init__(inner)
        self._other, self._at = other, at

    def forget(self) -> None:
        """Both cards lose power."""
        super().forget()
        self._other.forget()

    def answer_at(self, step: int, command: bytes) -> bytes:
        """Ask both, and pass on one."""
        first, second = self.inner.answer(command), self._other.answer(command)
        return first if step < self._at else second


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a contactless card takes for one command.

    The bits run at `bitrate` (kbit/s: 106, 212, 424 or 848), 11 to a byte as in Type B
    framing (ISO/IEC 14443-3, 7.1), in blocks of `block` bytes of which three are protocol
    (14443-4, 7.1: PCB and CRC) and each opened and closed by 24 bits' time. Between two blocks
    pass `turn_around_ms`. Reader and host cost `host_ms` for a command, a signature
    `crypto_ms` more.
    """

    bitrate: int = 106
    crypto_ms: float = 60.0
    turn_around_ms: float = 0.17
    host_ms: float = 3.0
    block: int = 256

    def command_ms(self, command: bytes, answer: bytes) -> float:
        """Tell the milliseconds from sending the command to having its whole answer."""
        bits, blocks = 0, 0
        for message in (command, answer):
            count = max(1, -(-len(message) // (self.block - 3)))
            # Each further block of a message is called for by a short one the other way.
            blocks += 2 * count - 1
            bits += 11 * len(message)
        bits += blocks * (3 * 11 + 24)
        crypto = self.crypto_ms if asks_signature(command) else 0.0
        return bits / self.bitrate + blocks * self.turn_around_ms + self.host_ms + crypto


class Slow(Wrapped):
    """Takes as long as a real card would."""

    def __init__(self, inner: VirtualCard, timing: Timing) -> None:
        super().__init__(inner)
        self.timing = timing

    def answer(self, command: bytes) -> bytes:
        """Answer when the time is up; what computing took already counts as part of it."""
        begun = time.monotonic()
        answer = self.inner.answer(command)
        left = self.timing.command_ms(command, answer) / 1000 - (time.monotonic() - begun)
        time.sleep(max(0.0, left))
        return answer


def asks_signature(command: bytes) -> bool:
    """Tell whether this command makes the card sign (the last one of a chain, if chained)."""
    return len(command) > 1 and command[1] == GENERAL_AUTHENTICATE and not command[0] & CHAINED
