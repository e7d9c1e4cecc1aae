"""The zoo of faulty cards: how each is made, and what a tap of it must come to.

Written down by hand from what the terminal promises: `TOLD` says what people hear, see and read
for each reason, `FAULTS` which reason each card may be given. Steps are the commands of a
conversation, counted from 1: select, certificate, its rest, signature; with RSA the last two take
more commands.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from time import monotonic_ns

from drivers.virtual_cards import faults, others
from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.card_key import CardKey
from drivers.virtual_cards.faults import Moment, Wrapped
from drivers.virtual_cards.piv import PivCard
from provisioning import authority
from provisioning.authority import StaffCard
from provisioning.town import Town
from terminal.core.reasons import Reason
from tests.walk.wall import AGAIN_HZ, REFUSED_HZ, SUCCESS_HZ

OWNER = "suzuki"
REVOKED = "taken-back"
RSA_OWNER = "sato"
STEPS = (1, 2, 3, 4)
RSA_STEPS = (1, 2, 3, 4, 5, 6, 7, 8)
SECURITY_STATUS = 0x6982


@dataclass(frozen=True, slots=True)
class Told:
    """First tone in hertz, the lamps that light up, the screen's text key."""

    hertz: int
    lamps: frozenset[str]
    screen: str


def _again(screen: str) -> Told:
    return Told(AGAIN_HZ, frozenset({"ring", "cross"}), screen)


def _stop(screen: str) -> Told:
    return Told(REFUSED_HZ, frozenset({"cross"}), screen)


TOLD = {
    Reason.TORN: _again("again"),
    Reason.MUTE: _again("again_ask"),
    Reason.GARBLED: _again("again_ask"),
    Reason.CARD_FAULT: _again("again_ask"),
    Reason.NO_APPLICATION: _stop("unknown_card"),
    Reason.FOREIGN_ISSUER: _stop("foreign_card"),
    Reason.CERTIFICATE_EXPIRED: _stop("card_expired"),
    Reason.CERTIFICATE_NOT_YET_VALID: _stop("outside_validity"),
    Reason.CERTIFICATE_REVOKED: _stop("card_stopped"),
    Reason.WRONG_KEY: _stop("card_unconfirmed"),
    Reason.REPLAYED: _stop("card_unconfirmed"),
    Reason.PERMITTED: Told(SUCCESS_HZ, frozenset({"ring"}), "permitted"),
}


class Watched(Wrapped):
    """Notes when the card got its first power and when it left the field (monotonic ns)."""

    def __init__(self, inner: VirtualCard) -> None:
        super().__init__(inner)
        self.came_ns = 0
        self.left_ns = 0

    def power_on(self) -> None:
        """Take the power together; the card inside may fall mute at it."""
        self.came_ns = self.came_ns or monotonic_ns()
        super().power_on()
        self.inner.power_on()

    def leave_field(self) -> None:
        """Leave, whoever makes it leave, and look at the clock."""
        self.left_ns = monotonic_ns()
        super().leave_field()

    def answer(self, command: bytes) -> bytes:
        """Answer as the card inside."""
        return self.inner.answer(command)


@dataclass
class Office:
    """Makes cards for the zoo; all that needs a key belongs to somebody who may enter."""

    town: Town
    tap: Callable[[VirtualCard], bool]
    seed: int = 0

    def good(self) -> PivCard:
        return _card(authority.load_card(self.town, OWNER))

    def rsa(self) -> PivCard:
        """The card of somebody who may not enter here, with an RSA key."""
        return _card(authority.load_card(self.town, RSA_OWNER))

    def expired(self) -> PivCard:
        return _card(authority.ensure_expired_card(self.town, "zoo-expired"))

    def future(self) -> PivCard:
        return _card(authority.ensure_future_card(self.town, "zoo-future"))

    def foreign(self) -> PivCard:
        return _card(authority.ensure_foreign_card(self.town, "zoo-foreign"))

    def revoked(self) -> PivCard:
        return _card(authority.ensure_card(self.town, REVOKED))

    def copied(self) -> PivCard:
        return _card(authority.ensure_copied_card(self.town, "zoo-copied", OWNER))

    def garbage(self, step: int) -> VirtualCard:
        self.seed += 1
        return faults.garbage(self.good(), step, self.seed)

    def replayed(self) -> VirtualCard:
        """A card that has been heard once, when it was good, and only repeats that."""
        card = faults.Replayed(self.good())
        assert self.tap(card), "the conversation to be repeated must be a good one"
        return card

    def swapped(self, step: int) -> VirtualCard:
        """Two good cards; the second one answers from `step` on."""
        other = _card(authority.ensure_card(self.town, "zoo-other"))
        return faults.SwappedCard(self.good(), other, step)


def _card(made: StaffCard) -> PivCard:
    return PivCard(CardKey(made.certificate, made.key))


Make = Callable[[Office, int], VirtualCard]


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of faulty card: made anew for each tap, at each of its steps in turn.

    `everyday` and `all` are how many taps each run makes.
    """

    name: str
    make: Make
    reasons: frozenset[Reason]
    everyday: int
    all: int
    steps: tuple[int, ...] = (1,)

    def cards(self, office: Office, count: int) -> list[Callable[[], VirtualCard]]:
        """How to make `count` of them; each is made just before its tap."""
        steps = itertools.islice(itertools.cycle(self.steps), count)
        return [partial(self.make, office, step) for step in steps]


def _stepped(wrap: Callable[[VirtualCard, int], VirtualCard]) -> Make:
    return lambda office, step: wrap(office.good(), step)


def _torn(moment: Moment) -> Make:
    return lambda office, step: faults.TornCard(office.good(), step, moment)


def _rsa_torn(moment: Moment) -> Make:
    return lambda office, step: faults.TornCard(office.rsa(), step, moment)


def _status(office: Office, step: int) -> VirtualCard:
    return faults.status_word(office.good(), step, SECURITY_STATUS)


def _felica(_office: Office, step: int) -> VirtualCard:
    return others.felica(step.to_bytes(8, "big"))


def _one(*reasons: Reason) -> frozenset[Reason]:
    return frozenset(reasons)


_HALF = _one(Reason.TORN, Reason.GARBLED, Reason.CARD_FAULT)
_NOTHING = _one(Reason.TORN, Reason.GARBLED, Reason.MUTE)
# Who leaves behind the last answer has shown everything, and may be let in.
_LAST = _one(Reason.TORN, Reason.PERMITTED)

FAULTS = (
    Fault("torn before", _torn(Moment.BEFORE), _one(Reason.TORN), 4, 40, STEPS),
    Fault("torn within", _torn(Moment.WITHIN), _HALF, 4, 40, STEPS),
    Fault("torn after", _torn(Moment.AFTER), _one(Reason.TORN), 3, 30, STEPS[:-1]),
    Fault("torn after the last", _torn(Moment.AFTER), _LAST, 3, 10, STEPS[-1:]),
    Fault("RSA torn before", _rsa_torn(Moment.BEFORE), _one(Reason.TORN), 0, 24, RSA_STEPS),
    Fault("RSA torn within", _rsa_torn(Moment.WITHIN), _HALF, 0, 24, RSA_STEPS),
    Fault("RSA torn after", _rsa_torn(Moment.AFTER), _one(Reason.TORN), 0, 21, RSA_STEPS[:-1]),
    Fault("mute", _stepped(faults.MuteCard), _one(Reason.MUTE), 4, 20, STEPS),
    # A reader cannot tell whether a card has nothing to say, is slow or is on its way out.
    Fault("no byte", _stepped(faults.empty_answer), _NOTHING, 4, 20, STEPS),
    Fault("one byte", _stepped(faults.one_byte_answer), _one(Reason.GARBLED), 4, 100, STEPS),
    Fault("error status", _status, _one(Reason.CARD_FAULT), 4, 40, STEPS),
    Fault(
        "garbage",
        lambda office, step: office.garbage(step),
        _one(Reason.GARBLED, Reason.CARD_FAULT),
        4,
        40,
        STEPS,
    ),
    Fault("over-long", _stepped(faults.over_long_answer), _one(Reason.GARBLED), 4, 10, STEPS),
    Fault("endless 61xx", _stepped(faults.endless_more), _one(Reason.GARBLED), 4, 20, STEPS),
    Fault(
        "endless 6Cxx", _stepped(faults.endless_wrong_length), _one(Reason.GARBLED), 4, 20, STEPS
    ),
    Fault(
        "swapped", lambda office, step: office.swapped(step), _one(Reason.WRONG_KEY), 3, 100, (4,)
    ),
    Fault("wrong key", lambda office, _: office.copied(), _one(Reason.WRONG_KEY), 3, 20),
    Fault("replayed", lambda office, _: office.replayed(), _one(Reason.REPLAYED), 3, 20),
    Fault("expired", lambda office, _: office.expired(), _one(Reason.CERTIFICATE_EXPIRED), 3, 10),
    Fault(
        "not yet valid",
        lambda office, _: office.future(),
        _one(Reason.CERTIFICATE_NOT_YET_VALID),
        3,
        10,
    ),
    Fault("revoked", lambda office, _: office.revoked(), _one(Reason.CERTIFICATE_REVOKED), 3, 10),
    Fault("foreign", lambda office, _: office.foreign(), _one(Reason.FOREIGN_ISSUER), 3, 10),
    Fault(
        "unknown",
        lambda _office, _: others.individual_number_card(),
        _one(Reason.NO_APPLICATION),
        3,
        10,
    ),
    Fault("FeliCa", _felica, _one(Reason.NO_APPLICATION), 3, 10, (1, 2, 3)),
)
