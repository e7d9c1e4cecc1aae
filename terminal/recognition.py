"""What cards are held against: the published card profiles and trust, and our own challenges.

A publication replaces profiles and trust whole; the very next card is read by the new ones, and
the reader's process has its new allow-list before that card is asked anything.
"""

import secrets
from dataclasses import dataclass

from terminal.cards.identify import identify
from terminal.cards.piv import Challenges, fresh_challenge
from terminal.cards.profile import CardProfile, allow_list
from terminal.clock import Clock
from terminal.core.credential import Credential, Unreadable
from terminal.core.moment import Stamp
from terminal.ports import ApduPattern, CardReader
from terminal.wire.x509 import Instant, Trust

RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True)
class ReadBy:
    """The card profiles in the order to be tried, and whom we trust."""

    profiles: tuple[CardProfile, ...]
    trust: Trust

    @property
    def allowed(self) -> tuple[ApduPattern, ...]:
        """The only commands that these profiles ever need."""
        return allow_list(self.profiles)


class Recognition:
    """Identifies cards. ``renew`` may be called by any thread, ``identify`` by the reader's."""

    def __init__(self, terminal: str, clock: Clock, read_by: ReadBy | None = None) -> None:
        self._terminal = terminal
        self._clock = clock
        self._read_by = read_by
        self._allowed = () if read_by is None else read_by.allowed
        self._challenges = Challenges(self._draw)

    def renew(self, read_by: ReadBy) -> None:
        """From the next card on, read by ``read_by``."""
        self._read_by = read_by

    def identify(self, device: CardReader, seen: Stamp) -> Credential | Unreadable:
        """One conversation with the card that lies there; ``seen`` is when it came.

        Raises:
            DeviceError: the reader failed, or the card was gone before it began.
        """
        read_by = self._read_by
        if read_by is None or not read_by.profiles:
            return Unreadable.NO_APPLICATION
        if self._allowed != read_by.allowed:
            device.allow(read_by.allowed)
            self._allowed = read_by.allowed
        instant = Instant(seen.at, seen.quality.known, seen.passed)
        budget_ms = max(profile.budget_ms for profile in read_by.profiles)
        with device.converse(budget_ms) as channel:
            return identify(channel, read_by.profiles, read_by.trust, instant, self._challenges)

    def _draw(self) -> bytes:
        random = secrets.token_bytes(RANDOM_BYTES)
        return fresh_challenge(random, self._terminal, self._clock.stamp().at_ms)
