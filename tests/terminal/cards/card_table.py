"""A card on the table: channels straight to virtual cards, without reader or process."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from drivers.virtual_cards.card import MuteError, TornError, VirtualCard
from drivers.virtual_cards.card_key import CardKey
from drivers.virtual_cards.piv import PivCard
from terminal.cards.identify import identify
from terminal.cards.piv import Challenges, fresh_challenge
from terminal.cards.profile import CardProfile, parse_profiles
from terminal.core.credential import Credential, Unreadable
from terminal.ports import ApduPattern, CardMute, CardTorn, Channel
from terminal.wire.x509 import Instant, Trust
from tests.terminal.wire import card_zoo

PROFILE_TEXT = """
[piv-town]
kind = "piv-cak"
aid = "A000000308000010000100"
algorithms = ["p256", "rsa2048"]
assurance = "authenticated"
budget_ms = 3000
order = 1
"""


class Table:
    """The channel to a virtual card; what the card raises becomes the port's exceptions."""

    def __init__(self, card: VirtualCard) -> None:
        self.card = card
        card.power_on()

    def transmit(self, apdu: bytes) -> bytes:
        try:
            return self.card.exchange(apdu)
        except MuteError as error:
            raise CardMute("no answer") from error
        except TornError as torn:
            if torn.answer is not None and not torn.whole:
                return torn.answer[: len(torn.answer) // 2]
            raise CardTorn("taken away") from torn


@dataclass
class Spoiled:
    """A channel that passes the answer number `step` (from 1) through `spoil`."""

    inner: Table
    step: int
    spoil: Callable[[bytes], bytes]
    count: int = 0

    def transmit(self, apdu: bytes) -> bytes:
        self.count += 1
        answer = self.inner.transmit(apdu)
        return self.spoil(answer) if self.count == self.step else answer


@dataclass
class Scripted:
    """A channel that gives prepared answers and keeps what it was sent."""

    answers: list[bytes]
    sent: list[bytes] = field(default_factory=list)

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return self.answers[min(len(self.sent), len(self.answers)) - 1]


@dataclass
class Recorder:
    """A channel that keeps what it heard."""

    inner: Table
    heard: list[bytes] = field(default_factory=list)

    def transmit(self, apdu: bytes) -> bytes:
        self.heard.append(self.inner.transmit(apdu))
        return self.heard[-1]


def profiles(text: str = PROFILE_TEXT) -> tuple[CardProfile, ...]:
    return parse_profiles(text.encode())


def challenges(terminal: str = "hall-1") -> Challenges:
    numbers = itertools.count(1)
    return Challenges(lambda: fresh_challenge(next(numbers).to_bytes(32, "big"), terminal, 0))


def card(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None) -> PivCard:
    """A good card of the town's."""
    private = key or card_zoo.p256()
    return PivCard(CardKey(card_zoo.issue(private.public_key()), private))


def rsa_card() -> PivCard:
    return card(card_zoo.rsa_key())


def read(
    channel: Channel | VirtualCard,
    *,
    by: tuple[CardProfile, ...] | None = None,
    trust: Trust | None = None,
    at: Instant | None = None,
    asked: Challenges | None = None,
) -> Credential | Unreadable:
    """Hold one whole conversation."""
    return identify(
        Table(channel) if isinstance(channel, VirtualCard) else channel,
        profiles() if by is None else by,
        trust or card_zoo.trust(),
        at or card_zoo.now_known(),
        asked or challenges(),
    )


def fits(patterns: tuple[ApduPattern, ...], apdu: bytes) -> bool:
    """Whether a command is on an allow-list."""
    written = apdu.hex().upper()
    return any(
        each.shortest <= len(apdu) <= each.longest
        and all(
            want in {"..", written[2 * at : 2 * at + 2]}
            for at, want in enumerate(
                each.head[place : place + 2] for place in range(0, len(each.head), 2)
            )
        )
        for each in patterns
    )
