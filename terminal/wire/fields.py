"""Reading a JSON object member by member, with an error that names place, fault and remedy.

``Fields`` hands out each member once, checked; ``finish`` refuses what nobody asked for, because
an unknown key is most often a misspelt one, and a misspelt limit must not silently mean "none".
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time
from enum import StrEnum
from typing import TypeVar

from terminal.core.credential import Assurance
from terminal.core.moment import from_ms
from terminal.wire.strict_json import MOST, Malformed

IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Ids of holders, portals, schedules and profiles: plain ASCII, fit for records and files."""

_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_Word = TypeVar("_Word", bound=StrEnum)
_Item = TypeVar("_Item")


class Fields:
    """The members of one JSON object at ``place``."""

    def __init__(self, value: object, place: str = "") -> None:
        if not isinstance(value, dict):
            raise Malformed(place, "must be an object { }")
        self._members: dict[str, object] = value
        self._asked: set[str] = set()
        self.place = place

    def at(self, name: str) -> str:
        """Where the member ``name`` stands."""
        return f"{self.place}.{name}" if self.place else name

    def raw(self, name: str) -> object:
        """The member as it is; None when it is missing or null."""
        self._asked.add(name)
        return self._members.get(name)

    def need(self, name: str) -> object:
        """The member as it is, which must be there."""
        value = self.raw(name)
        if value is None:
            raise Malformed(self.at(name), "is missing")
        return value

    def text(self, name: str, *, longest: int = 200, default: str | None = None) -> str:
        """A string without control characters; ``default`` when it may be missing."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        return checked_text(self.need(name), self.at(name), longest)

    def identifier(self, name: str) -> str:
        """An id: 1 to 64 of A-Z a-z 0-9 _ . and -."""
        return checked_identifier(self.need(name), self.at(name))

    def optional_identifier(self, name: str) -> str | None:
        """An id, or None when it is missing or null."""
        return None if self.raw(name) is None else self.identifier(name)

    def number(
        self, name: str, *, least: int = 0, most: int = MOST, default: int | None = None
    ) -> int:
        """An integer from ``least`` to ``most``; ``default`` when it may be missing."""
        if self.raw(name) is None and default is not None:
            return default
        value = self.need(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Malformed(self.at(name), f"must be an integer from {least} to {most}")
        return value

    def moment(self, name: str) -> datetime:
        """An instant given in UTC milliseconds since 1970."""
        ms = self.number(name)
        try:
            return from_ms(ms)
        except OverflowError as error:
            raise Malformed(self.at(name), "is past the year 9999; give milliseconds") from error

    def optional_moment(self, name: str) -> datetime | None:
        """An instant, or None when it is missing or null."""
        return None if self.raw(name) is None else self.moment(name)

    def word(self, name: str, words: type[_Word], *, default: _Word | None = None) -> _Word:
        """One of the words of an enumeration."""
        if self.raw(name) is None and default is not None:
            return default
        value = self.need(name)
        try:
            return words(value)  # type: ignore[arg-type]  # any object is looked up, and refused
        except ValueError as error:
            raise Malformed(self.at(name), f"must be one of {', '.join(words)}") from error

    def clock(self, name: str, *, default: time | None = None) -> time:
        """A time of day, to the minute."""
        value = self.raw(name)
        if value is None and default is not None:
            return default
        found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise Malformed(self.at(name), 'must be a time of day such as "07:30"')
        return time(int(found[1]), int(found[2]))

    def assurance(self, name: str) -> Assurance:
        """A level, ``authenticated`` where none is given: less must be asked for by name."""
        try:
            return Assurance.from_word(self.text(name, default=Assurance.AUTHENTICATED.word))
        except ValueError as error:
            raise Malformed(self.at(name), str(error)) from error

    def items(self, name: str, read: Callable[[object, str], _Item]) -> tuple[_Item, ...]:
        """A list, each item read by ``read(value, place)``."""
        value = self.need(name)
        if not isinstance(value, list):
            raise Malformed(self.at(name), "must be a list [ ]")
        return tuple(read(item, f"{self.at(name)}[{nth}]") for nth, item in enumerate(value))

    def objects(self, name: str) -> Iterator["Fields"]:
        """A list of objects."""
        return iter(self.items(name, Fields))

    def members(self) -> Iterator[tuple[str, object]]:
        """All members, where the names are data; none is left for ``finish``."""
        self._asked.update(self._members)
        return iter(self._members.items())

    def finish(self) -> None:
        """Refuse members that were never asked for."""
        unknown = sorted(self._members.keys() - self._asked)
        if unknown:
            accepted = ", ".join(sorted(self._asked))
            raise Malformed(self.at(unknown[0]), f"is not known here; known are {accepted}")


def checked_text(value: object, place: str, longest: int = 200) -> str:
    """``value`` if it is a string of at most ``longest`` characters without control characters."""
    if not isinstance(value, str):
        raise Malformed(place, "must be a string")
    if len(value) > longest:
        raise Malformed(place, f"is longer than {longest} characters")
    if _CONTROL.search(value):
        raise Malformed(place, "holds a control character")
    return value


def checked_identifier(value: object, place: str) -> str:
    """``value`` if it is an id."""
    if not isinstance(value, str) or IDENTIFIER.fullmatch(value) is None:
        raise Malformed(place, "must be an id: 1 to 64 of A-Z a-z 0-9 _ . -")
    return value


def unique(ids: Iterable[str], place: str) -> None:
    """Refuse an id that names two things."""
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise Malformed(place, f"{one} is there twice")
        seen.add(one)
