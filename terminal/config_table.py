"""Taking values out of one table of a TOML file, each with its check, none left over.

Every refusal names the file, the line, the value and what is accepted.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

UNITS_MS = {"ms": 1, "s": 1000, "min": 60_000}
IDENTIFIER = re.compile(r"[a-z0-9-]{1,32}")


class SettingsError(Exception):
    """A settings file cannot be used; the text names file, line and what is accepted."""


class Table:
    """One table of the file: values are taken out one by one, what remains is unknown."""

    def __init__(self, path: Path, source: str, name: str, values: object) -> None:
        self._path, self._source, self.name = path, source, name
        if not isinstance(values, dict):
            raise SettingsError(f"{path}: {name} must be a table: write [{name}]")
        self._values: dict[str, object] = dict(values)
        self._known: list[str] = []

    def line_of(self, key: str) -> int:
        """The line on which ``key`` of this table is set, for error texts; 1 if not found."""
        current = ""
        for number, line in enumerate(self._source.splitlines(), start=1):
            header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
            if header is not None:
                current = header[1]
            elif current == self.name and re.match(rf'\s*"?{re.escape(key)}"?\s*=', line):
                return number
        return 1

    def refuse(self, key: str, accepted: str) -> SettingsError:
        """The error for a bad value of ``key``."""
        where = f"{self._path}, line {self.line_of(key)}"
        value = self._values.get(key)
        return SettingsError(f"{where}: [{self.name}] {key} = {value!r} is refused; {accepted}")

    def take(self, key: str, default: T | None, check: Callable[[object], T], accepted: str) -> T:
        """The value of ``key``; ``check`` raises ValueError or TypeError to refuse it."""
        self._known.append(key)
        if key not in self._values:
            if default is None:
                where = f"{self._path}: [{self.name}] {key}"
                raise SettingsError(f"{where} is missing; {accepted}")
            return default
        try:
            return check(self._values[key])
        except (ValueError, TypeError):
            raise self.refuse(key, accepted) from None

    def text(self, key: str, default: str | None = None, *, among: str = "") -> str:
        """A text; ``among`` names the accepted values, separated by blanks."""
        choices = among.split()

        def check(value: object) -> str:
            if not isinstance(value, str) or (choices and value not in choices):
                raise ValueError(key)
            return value

        return self.take(key, default, check, f"accepted: {', '.join(choices) or 'a text'}")

    def slot(self, key: str, default: str) -> str:
        """A reader's slot."""

        def check(value: object) -> str:
            if not isinstance(value, str) or not (value == "pcsc" or value[:7] == "socket:"):
                raise ValueError(key)
            return value

        return self.take(key, default, check, 'accepted: "pcsc" or "socket:PATH"')

    def identifier(self, key: str) -> str:
        """A name that is valid in topics, certificates and host names."""

        def check(value: object) -> str:
            if not isinstance(value, str) or IDENTIFIER.fullmatch(value) is None:
                raise ValueError(key)
            return value

        return self.take(key, None, check, "accepted: 1 to 32 of a-z, 0-9 and -")

    def number(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""

        def check(value: object) -> int:
            return _bounded(value, least, most)

        return self.take(key, default, check, f"accepted: a whole number {least} to {most}")

    def choice(self, key: str, default: int, among: tuple[int, ...]) -> int:
        """One of a few whole numbers."""

        def check(value: object) -> int:
            if isinstance(value, bool) or value not in among:
                raise ValueError(key)
            return int(str(value))

        return self.take(key, default, check, f"accepted: {', '.join(map(str, among))}")

    def duration_ms(self, key: str, default: int) -> int:
        """A duration with its unit."""

        def check(value: object) -> int:
            found = re.fullmatch(r"(\d{1,6}) ?([a-z]+)", value if isinstance(value, str) else "")
            if found is None or found[2] not in UNITS_MS:
                raise ValueError(key)
            return int(found[1]) * UNITS_MS[found[2]]

        units = ", ".join(f'"5 {unit}"' for unit in UNITS_MS)
        return self.take(key, default, check, f"accepted: a text with a unit, such as {units}")

    def pins(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """A list of BCM pin numbers."""

        def check(value: object) -> tuple[int, ...]:
            if not isinstance(value, list):
                raise TypeError(key)
            return tuple(_bounded(pin, 0, 27) for pin in value)

        return self.take(key, default, check, "accepted: a list of BCM numbers 0 to 27")

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of commands, each a list of words."""

        def check(value: object) -> tuple[tuple[str, ...], ...]:
            if not isinstance(value, list):
                raise TypeError(key)
            for command in value:
                if not isinstance(command, list) or not command:
                    raise TypeError(key)
                if not all(isinstance(word, str) for word in command):
                    raise TypeError(key)
            return tuple(tuple(command) for command in value)

        return self.take(key, (), check, 'accepted: lists of words, such as [["reboot"]]')

    def end(self) -> None:
        """Refuse what nobody asked for."""
        for key in self._values:
            if key not in self._known:
                where = f"{self._path}, line {self.line_of(key)}"
                accepted = ", ".join(self._known)
                raise SettingsError(
                    f"{where}: [{self.name}] has no setting {key!r}; accepted: {accepted}"
                )


def _bounded(value: object, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(value)
    return value
