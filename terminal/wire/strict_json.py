"""The one JSON parser for everything that comes from outside (RFC 8259, RFC 7493 I-JSON).

JSON leaves open what hostile senders use: members named twice, numbers past any machine type,
half characters, nesting that exhausts the stack. Here all of that is refused, and size and depth
are looked at before anything is parsed.
"""

import json
import math
import re
from typing import NoReturn

MOST = 2**63 - 1
"""The largest integer either side accepts; -MOST - 1 is the smallest."""

_LONGEST_INTEGER = len(str(-MOST - 1))

_STRINGS_AND_BRACKETS = re.compile(rb'"(?s:[^"\\]++|\\.)*+"?|[\[\]{}]')
"""An unfinished string matches too, so that no input is scanned twice."""


class Malformed(ValueError):
    """Bytes that are not what was agreed. ``place`` says where, ``reason`` what is wrong there."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place = place
        self.reason = reason


def parse(data: bytes, *, longest: int, depth: int = 8) -> object:
    """The JSON value that ``data`` holds: at most ``longest`` bytes, nested at most ``depth``.

    Raises:
        Malformed: too long or too deep, not UTF-8, not JSON, a member named twice, NaN or
            Infinity, a number past 64 bits, or half of a surrogate pair.
    """
    if len(data) > longest:
        raise Malformed("", f"{len(data)} bytes are more than the {longest} allowed")
    _check_depth(data, depth)
    try:
        value: object = json.loads(
            data.decode(),
            object_pairs_hook=_members,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise Malformed(f"byte {error.start}", "not UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise Malformed(place, f"not JSON ({error.msg})") from error
    if b"\\u" in data:
        _check_characters(value)
    return value


def _check_depth(data: bytes, depth: int) -> None:
    """Count brackets outside strings; in UTF-8 their bytes occur nowhere else."""
    level = 0
    for found in _STRINGS_AND_BRACKETS.finditer(data):
        sign = found[0]
        if sign in b"[{":
            level += 1
            if level > depth:
                raise Malformed(f"byte {found.start()}", f"nested deeper than {depth}")
        elif sign in b"]}":
            level -= 1


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Malformed(_shown(twice), "named twice")
    return members


def _integer(digits: str) -> int:
    # Checked by length first: Python refuses, or takes long over, thousands of digits.
    if len(digits) <= _LONGEST_INTEGER:
        number = int(digits)
        if -MOST - 1 <= number <= MOST:
            return number
    raise Malformed(digits[:_LONGEST_INTEGER], "an integer past 64 bits")


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Malformed(digits[:_LONGEST_INTEGER], "a number past what a double can hold")
    return number


def _constant(name: str) -> NoReturn:
    raise Malformed(name, "not a number that JSON knows")


def _check_characters(value: object) -> None:
    """Refuse strings that no UTF-8 can carry; escapes can spell half a surrogate pair."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise Malformed(_shown(value), "half of a surrogate pair") from error
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_characters(name)
            _check_characters(member)
    elif isinstance(value, list):
        for item in value:
            _check_characters(item)


def _shown(text: str) -> str:
    """``text`` cut and made fit for a log line."""
    return ascii(text[:40])
