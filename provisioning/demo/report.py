"""What a check found: counts for each card, findings in words, and the last line.

A finding's kind is the name of what was done to the records or by the terminal; the six that
``plants`` can plant have the plant's own name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What can be wrong."""

    DROP = "drop"
    EDIT = "edit"
    REORDER = "reorder"
    FORGE = "forge"
    EARLY_BEEP = "early-beep"
    OFF_LIST_APDU = "off-list-apdu"
    CHAIN = "chain"
    """The records do not prove for another reason; the text names it."""
    LOST_TAP = "lost-tap"
    DOUBLED_TAP = "doubled-tap"
    STRAY_RECORD = "stray-record"
    """A record of a tap that nobody made."""
    TAP_COUNT = "tap-count"
    """A card counted more or fewer taps than were made with it."""
    WRONG_OUTCOME = "wrong-outcome"
    NO_ANSWER = "no-answer"
    """A tap without its tone, its lamp or its open door."""
    WRONG_ANSWER = "wrong-answer"
    """A lamp or an open door for a tap that may have none."""
    PIN = "pin"
    UNRECEIVED = "unreceived"
    """The town hall has not given a receipt for every record."""
    DEAF = "deaf"
    """The terminal does not take the receipts that it is given."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    kind: Kind
    text: str


@dataclass(slots=True)
class CardCount:
    """Taps that a card counted, and records that the ledger has of them."""

    taps: int = 0
    records: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """The whole check. ``taps`` by the cards, ``records`` and ``received`` by the ledger."""

    records: int
    received: int
    cards: Mapping[str, CardCount]
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def taps(self) -> int:
        """All taps, as the cards counted them."""
        return sum(card.taps for card in self.cards.values())

    @property
    def last_line(self) -> str:
        """The check in one line."""
        if not self.findings:
            state = "chain ok"
        else:
            state = ", ".join(dict.fromkeys(finding.kind.value for finding in self.findings))
            state = f"NOT proven: {state}"
        counts = f"{self.taps} taps, {self.records} records, {self.received} received"
        return f"demo: {counts}, {state}"

    def as_json(self) -> dict[str, object]:
        """The same as plain values."""
        return {
            "taps": self.taps,
            "records": self.records,
            "received": self.received,
            "chain": "ok" if not self.findings else "broken",
            "cards": {
                key: {"taps": one.taps, "records": one.records, "outcomes": one.outcomes}
                for key, one in self.cards.items()
            },
            "findings": [
                {"kind": finding.kind.value, "text": finding.text} for finding in self.findings
            ],
            "seconds": round(self.seconds, 1),
        }
