"""Card profiles: which card applications a town reads, as data in its publication.

A profile is one TOML table named after itself::

    [piv-town]
    kind = "piv-cak"
    aid = "A000000308000010000100"
    algorithms = ["p256", "rsa2048"]
    assurance = "authenticated"
    budget_ms = 3000
    order = 1

Rules: every key is required and no other is known; a refusal names line, key and what would be
accepted. From the profiles follows the allow-list of commands, and nothing else may ever be
sent. An application of the national card that holds printed data, the individual number or the
citizen's own keys cannot be named by a profile of a kind that is not made for it.
"""

import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from terminal.cards import piv
from terminal.core.credential import Assurance
from terminal.ports import ApduPattern
from terminal.wire.x509 import KeyAlgorithm

LONGEST = 64 * 1024
MOST_PROFILES = 8
SHORTEST_AID, LONGEST_AID = 5, 16
LEAST_BUDGET_MS, MOST_BUDGET_MS = 100, 10_000
MOST_ORDER = 999

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_AID = re.compile(r"(?:[0-9A-Fa-f]{2}){5,16}")
# The providers of the national applications on an individual number card.
_NATIONAL = (bytes.fromhex("D392100031"), bytes.fromhex("D392F00026"))


class Kind(StrEnum):
    """The protocols that the terminal speaks."""

    PIV_CAK = "piv-cak"


class ProfileRefused(ValueError):
    """The profiles cannot be used; the text names the place and what would be accepted."""


@dataclass(frozen=True, slots=True)
class CardProfile:
    """How one kind of card is read.

    ``aid`` has 5 to 16 bytes, ``budget_ms`` is the whole conversation's time, ``order`` tells
    which profile is tried first (lowest), ``assurance`` what a successful reading is worth.
    """

    name: str
    kind: Kind
    aid: bytes
    algorithms: frozenset[KeyAlgorithm]
    assurance: Assurance
    budget_ms: int
    order: int


def parse_profiles(data: bytes) -> tuple[CardProfile, ...]:
    """Read the card profiles of a publication, lowest order first.

    Raises:
        ProfileRefused: anything that is not exactly as described above.
    """
    if len(data) > LONGEST:
        raise ProfileRefused(f"card profiles: {len(data)} bytes; at most {LONGEST} are accepted")
    try:
        text = data.decode("utf-8")
        tables = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileRefused(f"card profiles: no valid TOML: {error}") from error
    if not 1 <= len(tables) <= MOST_PROFILES:
        raise ProfileRefused(
            f"card profiles: {len(tables)} of them; 1 to {MOST_PROFILES} are accepted"
        )
    profiles = [_Table(text, name, table).profile() for name, table in tables.items()]
    profiles.sort(key=lambda profile: profile.order)
    for before, after in pairwise(profiles):
        if before.order == after.order:
            raise ProfileRefused(
                f"card profiles: [{before.name}] and [{after.name}] both have order "
                f"{after.order}; give each its own"
            )
    return tuple(profiles)


def allow_list(profiles: Iterable[CardProfile]) -> tuple[ApduPattern, ...]:
    """List the only commands that conversations with cards of these profiles may contain."""
    patterns: dict[ApduPattern, None] = {}
    for profile in profiles:
        patterns.update(dict.fromkeys(_ALLOWED[profile.kind](profile.aid, profile.algorithms)))
    return tuple(patterns)


_ALLOWED: dict[Kind, Callable[[bytes, frozenset[KeyAlgorithm]], tuple[ApduPattern, ...]]] = {
    Kind.PIV_CAK: piv.allowed,
}


class _Table:
    """One profile's table while it is read; refusals name its place."""

    def __init__(self, text: str, name: str, table: object) -> None:
        self._lines = text.splitlines()
        self._name = name
        if not _NAME.fullmatch(name):
            raise self._refused("", "a name of 1 to 32 of a-z, 0-9 and -")
        if not isinstance(table, dict):
            raise self._refused("", f"a table, written [{name}]")
        self._table: dict[str, object] = table

    def profile(self) -> CardProfile:
        known = CardProfile.__dataclass_fields__.keys() - {"name"}
        for key in self._table:
            if key not in known:
                raise self._refused(key, "one of the keys " + ", ".join(sorted(known)))
        return CardProfile(
            name=self._name,
            kind=Kind(self._word("kind", Kind)),
            aid=self._aid(),
            algorithms=self._algorithms(),
            # What a signature without PIN is worth; less may be stated, more may not.
            assurance=Assurance.from_word(self._word("assurance", ("identified", "authenticated"))),
            budget_ms=self._number("budget_ms", LEAST_BUDGET_MS, MOST_BUDGET_MS),
            order=self._number("order", 0, MOST_ORDER),
        )

    def _word(self, key: str, accepted: Iterable[str]) -> str:
        words = list(accepted)
        value = self._value(key)
        if not isinstance(value, str) or value not in words:
            raise self._refused(key, " or ".join(f'"{word}"' for word in words))
        return value

    def _number(self, key: str, least: int, most: int) -> int:
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._refused(key, f"a whole number from {least} to {most}")
        return value

    def _aid(self) -> bytes:
        value = self._value("aid")
        if not isinstance(value, str) or not _AID.fullmatch(value):
            raise self._refused("aid", f"{SHORTEST_AID} to {LONGEST_AID} bytes as hex digits")
        aid = bytes.fromhex(value)
        if aid.startswith(_NATIONAL):
            raise self._refused("aid", "an application that is not the national card's own")
        return aid

    def _algorithms(self) -> frozenset[KeyAlgorithm]:
        value = self._value("algorithms")
        words = [each.value for each in KeyAlgorithm]
        if not isinstance(value, list) or not value or any(each not in words for each in value):
            raise self._refused("algorithms", "a list of " + ", ".join(words))
        return frozenset(KeyAlgorithm(each) for each in value)

    def _value(self, key: str) -> object:
        if key not in self._table:
            raise ProfileRefused(f"card profiles: [{self._name}] lacks the key {key}")
        return self._table[key]

    def _refused(self, key: str, accepted: str) -> ProfileRefused:
        place = f"[{self._name}] {key}".rstrip()
        line = self._line(key)
        where = f"line {line}, {place}" if line else place
        return ProfileRefused(f"card profiles: {where}: accepted is {accepted}")

    def _line(self, key: str) -> int:
        """Find the line of the table, or of ``key`` in it; 0 if it is written otherwise."""
        inside = False
        for number, line in enumerate(self._lines, 1):
            stripped = line.strip()
            if stripped.startswith("["):
                inside = stripped.strip("[]").strip(" \"'") == self._name
                if inside and not key:
                    return number
            if inside and key and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*=", stripped):
                return number
        return 0
