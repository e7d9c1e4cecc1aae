"""What a card proved, or why it could not be read. Whose card it is, only the roster says."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum


class Assurance(IntEnum):
    """How sure a reading is. Higher includes lower."""

    IDENTIFIED = 1
    """A number that can be copied."""
    AUTHENTICATED = 2
    """The card signed our own challenge."""
    TWO_FACTOR = 3
    """The card signed, after its PIN."""

    @property
    def word(self) -> str:
        """The level's name on the wire and in documents."""
        return self.name.lower().replace("_", "-")

    @classmethod
    def from_word(cls, word: str) -> "Assurance":
        """The level named ``word``.

        Raises:
            ValueError: no such level; the text names the three there are.
        """
        for level in cls:
            if level.word == word:
                return level
        levels = ", ".join(level.word for level in cls)
        raise ValueError(f"assurance {word!r} is none of {levels}")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verdict rests on: certificate validity, revocation list number and age in seconds."""

    not_before: datetime | None = None
    not_after: datetime | None = None
    revocation_number: int | None = None
    revocation_age_s: int | None = None
    elapsed_ms: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A card that could be read: its profile, who vouches for it, its own id, how sure we are.

    ``id`` is the card's random id from its certificate; it stays on the terminal and never goes
    into a record.
    """

    profile: str
    issuer: str
    id: str
    assurance: Assurance
    evidence: Evidence = Evidence()


class Unreadable(StrEnum):
    """Why a tap gave no credential. The order is that of a conversation."""

    NO_APPLICATION = "no_application"
    """None of the configured card profiles is on the card."""
    TORN = "torn"
    """The card left the field during the conversation."""
    MUTE = "mute"
    """The card did not answer within the profile's time budget."""
    GARBLED = "garbled"
    """The answers are not what the card application's standard allows."""
    CARD_FAULT = "card_fault"
    """The card reported an error status of its own."""
    FOREIGN_ISSUER = "foreign_issuer"
    """The certificate does not chain to one of the town's card CAs."""
    CERTIFICATE_UNFIT = "certificate_unfit"
    """Ours, but not for this: wrong key usage, weak algorithm, a CA certificate, no card id."""
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_NOT_YET_VALID = "certificate_not_yet_valid"
    CERTIFICATE_REVOKED = "certificate_revoked"
    WRONG_KEY = "wrong_key"
    """The signature is not by the certificate's key: the certificate was copied."""
    REPLAYED = "replayed"
    """The signature answers an earlier challenge of ours."""
    CARD_SWAPPED = "card_swapped"
    """Another card lay there at the end than at the beginning."""
