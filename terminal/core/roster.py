"""Whose card it is. The card proves an id; only the published roster makes a person of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from terminal.core.credential import Credential


class CredentialState(StrEnum):
    """What the town has decided about a card."""

    ACTIVE = "active"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Holder:
    """A person as terminals know them: opaque id, screen name with kana, section, validity.

    ``not_before`` and ``not_after`` are aware UTC instants, None where unlimited.
    """

    id: str
    name: str = ""
    kana: str = ""
    section: str = ""
    groups: frozenset[str] = frozenset()
    not_before: datetime | None = None
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """One card of one holder; a holder may have several."""

    holder: Holder
    state: CredentialState = CredentialState.ACTIVE


@dataclass(frozen=True, slots=True)
class Roster:
    """All cards a terminal may know, by (card profile, card id)."""

    entries: Mapping[tuple[str, str], RosterEntry] = field(default_factory=dict)

    def find(self, credential: Credential) -> RosterEntry | None:
        """The entry of that very card, or None: a chain that verifies opens nothing by itself."""
        return self.entries.get((credential.profile, credential.id))
