"""Which card is this? The configured card profiles are tried, lowest order first.

Detection is by SELECT, never by the answer to reset or a card's radio number: the first belongs
to the reader, the second changes with every tap. ``NO_APPLICATION`` and ``FOREIGN_ISSUER`` leave
room for the next profile; every other outcome is the verdict, so a card that fails as one kind
is not asked again as a weaker one.

Rules: whatever a card answers becomes a value, never an exception. What is wrong with the reader
or with us (``DeviceError``, ``ChannelRefused``) passes through. Whose card it is, is left to the
roster; how long it took, to the caller, who has the clock.
"""

import logging
from collections.abc import Sequence
from functools import partial

from terminal.cards import piv
from terminal.cards.apdu import Exchange, Garbled, over
from terminal.cards.piv import Challenges
from terminal.cards.profile import CardProfile
from terminal.core.credential import Credential, Evidence, Unreadable
from terminal.ports import CardMute, CardTorn, Channel
from terminal.wire.x509 import Instant, Trust, verify_card_certificate

log = logging.getLogger(__name__)

_TRY_NEXT = frozenset({Unreadable.NO_APPLICATION, Unreadable.FOREIGN_ISSUER})


def identify(
    channel: Channel,
    profiles: Sequence[CardProfile],
    trust: Trust,
    instant: Instant,
    challenges: Challenges,
) -> Credential | Unreadable:
    """Hold the conversation over ``channel``; ``profiles`` are in the order to be tried.

    The credential's ``evidence.elapsed_ms`` is 0.

    Raises:
        ChannelRefused: a command was not on the reader's allow-list; the card saw nothing.
        DeviceError: the reader failed.
    """
    exchange = over(channel)
    verdict = Unreadable.NO_APPLICATION
    for profile in profiles:
        outcome = _converse(exchange, profile, trust, instant, challenges)
        if isinstance(outcome, Credential) or outcome not in _TRY_NEXT:
            return outcome
        if outcome is not Unreadable.NO_APPLICATION:
            verdict = outcome
    return verdict


def _converse(
    exchange: Exchange,
    profile: CardProfile,
    trust: Trust,
    instant: Instant,
    challenges: Challenges,
) -> Credential | Unreadable:
    """Try one profile."""
    judge = partial(verify_card_certificate, profile=profile.name, trust=trust, instant=instant)
    try:
        outcome = piv.authenticate(exchange, profile.aid, profile.algorithms, judge, challenges)
    except CardTorn:
        return Unreadable.TORN
    except CardMute:
        return Unreadable.MUTE
    except Garbled as rule:
        log.debug("card profile %s: %s", profile.name, rule)
        return Unreadable.GARBLED
    if isinstance(outcome, Unreadable):
        return outcome
    return Credential(
        profile=profile.name,
        issuer=outcome.issuer,
        id=outcome.id,
        assurance=profile.assurance,
        evidence=Evidence(
            not_before=outcome.not_before,
            not_after=outcome.not_after,
            revocation_number=outcome.revocation_number,
            revocation_age_s=outcome.revocation_age_s,
        ),
    )
