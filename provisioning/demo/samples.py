"""The sample cards and people of the demo: who they are, and what the terminal must say to each.

The outcomes are written down here by hand, from what the town's rules mean, and the check holds
the ledger's records against them.

Rules: surnames only, nobody in particular. A holder's id is drawn for the demo and tells nothing,
as in a real roster.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from drivers.virtual_cards.tray import Kind
from provisioning.demo.texts import Words, words
from terminal.core.reasons import Reason
from terminal.core.rules import Language

PERMITTED = "suzuki"
"""Whose permit the page changes."""

RUSH_PEOPLE = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """One card in the tray: its key in all tables, what kind it is, what a tap of it must give.

    ``holder`` says whether the card stands in the roster; ``algorithm`` is "" for cards without
    a key of the town's.
    """

    key: str
    kind: Kind
    outcome: Reason
    holder: bool = False
    algorithm: str = ""


SAMPLES = (
    Sample("suzuki", Kind.GOOD, Reason.PERMITTED, holder=True, algorithm="p256"),
    Sample("sato", Kind.GOOD, Reason.NO_PERMIT, holder=True, algorithm="rsa2048"),
    Sample("expired", Kind.EXPIRED, Reason.CERTIFICATE_EXPIRED, holder=True, algorithm="p256"),
    Sample("stopped", Kind.STOPPED, Reason.CREDENTIAL_STOPPED, holder=True, algorithm="p256"),
    Sample("copied", Kind.COPIED, Reason.WRONG_KEY, algorithm="p256"),
    Sample("unknown", Kind.UNKNOWN, Reason.NO_APPLICATION),
    Sample("felica", Kind.FELICA, Reason.NO_APPLICATION),
    Sample("foreign", Kind.UNKNOWN, Reason.FOREIGN_ISSUER, algorithm="p256"),
    Sample("mute", Kind.MUTE, Reason.MUTE, holder=True, algorithm="p256"),
)
"""In the order of the tray and of the number keys."""


@dataclass(frozen=True, slots=True)
class Person:
    """One of the queue: Japanese surname, its reading, and in Latin letters."""

    key: str
    surname: str
    kana: str
    latin: str


@cache
def people() -> tuple[Person, ...]:
    """The people of the 8:25 queue."""
    text = Path(__file__).with_name("staff.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["people"]
    return tuple(Person(f"staff-{place:02}", *row) for place, row in enumerate(rows, 1))


def holder_id(key: str) -> str:
    """The roster's id of a person: opaque, the same in every demo."""
    return "h" + hashlib.sha256(b"kazasu demo " + key.encode()).hexdigest()[:8]


def name_of(holder: str, said: Mapping[str, Words]) -> str:
    """The name on the page behind a roster's id; "" for one that the demo does not know."""
    names = _names(Language.JA if said is words(Language.JA) else Language.EN)
    return names.get(holder, "")


@cache
def _names(language: Language) -> Mapping[str, str]:
    cards = words(language)["cards"]
    named = {holder_id(one.key): str(cards[one.key]["name"]) for one in SAMPLES if one.holder}
    for person in people():
        named[holder_id(person.key)] = person.surname if language is Language.JA else person.latin
    return named
