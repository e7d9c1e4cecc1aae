"""The documents of the next publication, made from the plain files that people edit.

``documents/`` in the town directory holds roster, access, terminals and texts, each as .json or
.toml, and profiles.toml. They look as terminals read them (``terminal.wire.documents``), without
what nobody should have to write: version, number, time of issue and salt are added here, the same
ones to all. In TOML ``not_before`` and ``not_after`` may be dates (a last day counts to its end)
or times, in the town's time unless they say otherwise; they become ``_ms``.

trust.json is made from what the authority has: the card CAs for every card profile, the ledger's
key, and the serials of revoked cards from an optional trust file::

    [[revoked]]
    profile = "piv-town"
    serial = "1f3a..."

The salt is drawn for each document and publication, because the hashes of sealed documents are
public: without it whoever guesses a roster could check the guess.
"""

import json
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from provisioning import authority_files as files
from provisioning.authority import CARD_CAS
from provisioning.town import Town, TownError, decoded
from terminal.core.moment import EPOCH
from terminal.core.rules import TOWN_TIME
from terminal.wire import documents as wire
from terminal.wire.strict_json import Malformed, parse

EDITED = ("roster", "access", "terminals", "texts")
TRUST = "trust"
SUFFIXES = (".json", ".toml")
_ENDS = {"not_before": timedelta(0), "not_after": timedelta(days=1)}
_EMPTY_LIST = re.compile(
    r"^[ \t]*(holders|portals|schedules|permits|revoked)[ \t]*=[ \t]*\[[ \t]*\]", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A publication before anybody signed it: its documents' bytes by name."""

    number: int
    issued: datetime
    documents: Mapping[str, bytes]


def draft(town: Town, number: int, issued: datetime) -> Draft:
    """Make the documents of publication ``number`` from the town's files.

    ``issued`` is aware and is cut to whole milliseconds.

    Raises:
        TownError: a file is missing, twice there, or not JSON or TOML.
    """
    issued_ms = (issued - EPOCH) // timedelta(milliseconds=1)
    edited = {name: read_edited(town, name) for name in EDITED}
    profiles = _profiles(town)
    edited[TRUST] = _trust(town, _profile_names(town, profiles), number, issued_ms)
    documents = {
        f"{name}.json": _document(town, name, content, number, issued_ms)
        for name, content in edited.items()
    }
    documents[wire.PROFILES] = profiles
    return Draft(number, EPOCH + timedelta(milliseconds=issued_ms), documents)


def read_edited(town: Town, name: str) -> dict[str, object]:
    """What people wrote into ``documents/<name>.json`` or ``.toml``.

    Raises:
        TownError: none or both are there, or it cannot be read.
    """
    found = [path for path in _candidates(town, name) if path.exists()]
    if not found:
        raise _missing(town, f"{name}.toml")
    if len(found) > 1:
        raise TownError(f"{town.documents / name} is there as .json and as .toml; keep one")
    content = _parse(found[0])
    if name == "roster" and found[0].suffix == ".toml":
        # Before the first person, TOML has no other way to write the list than the one that
        # stands in the way of the first person.
        content.setdefault("holders", [])
    return content


def in_edited_names(town: Town, text: str) -> str:
    """``text`` about documents as they are published, with the names of the files people edit."""
    for name in (*EDITED, TRUST):
        as_json, as_toml = _candidates(town, name)
        if as_toml.exists() and not as_json.exists():
            text = text.replace(as_json.name, as_toml.name)
    return text


def write_edited(town: Town, name: str, content: Mapping[str, object]) -> None:
    """Write ``documents/<name>.json`` in one step, indented for people.

    Raises:
        TownError: it is kept as .toml, which only people write.
    """
    as_json, as_toml = _candidates(town, name)
    if as_toml.exists():
        raise TownError(f"{as_toml} is there; edit it, or remove it and write {as_json.name}")
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    files.replace(as_json, text.encode("utf-8"), files.PRIVATE)


def ensure_first(town: Town) -> None:
    """Lay out files to begin with, with examples in their comments; none is ever replaced."""
    for example in sorted((Path(__file__).parent / "first_documents").glob("*.toml")):
        there = [town.documents / f"{example.stem}{suffix}" for suffix in SUFFIXES]
        if not any(path.exists() for path in there):
            files.write_once(town.documents / example.name, files.read(example), files.PRIVATE)


def _candidates(town: Town, name: str) -> tuple[Path, Path]:
    first, second = (town.documents / f"{name}{suffix}" for suffix in SUFFIXES)
    return first, second


def _edited_path(town: Town, name: str) -> Path:
    return next((path for path in _candidates(town, name) if path.exists()), town.documents / name)


def _missing(town: Town, name: str) -> TownError:
    return TownError(
        f"{town.documents / name} is missing; put it back, or lay out one to begin with: "
        f"./kazasu town init {town.folder} --site {town.site}"
    )


def _parse(path: Path) -> dict[str, object]:
    text = decoded(path, files.read(path))
    try:
        if path.suffix == ".toml":
            _refuse_empty_list(path, text)
            content: object = _dated(tomllib.loads(text))
        else:
            content = parse(text.encode("utf-8"), longest=wire.LONGEST)
    except (Malformed, ValueError) as error:
        raise TownError(f"{path}: {error}") from None
    if not isinstance(content, dict):
        raise TownError(f"{path}: an object is expected, {{...}}")
    taken = {"v", "number", "issued_ms", "salt"} & set(content)
    if taken:
        raise TownError(f"{path}: remove {min(taken)!r}; it is added when published")
    return content


def _refuse_empty_list(path: Path, text: str) -> None:
    """TOML refuses a list that is written empty and then filled, in words that help nobody."""
    for found in _EMPTY_LIST.finditer(text):
        name = found[1]
        if re.search(rf"^[ \t]*\[\[{name}\]\]", text, re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 1
            raise TownError(f'{path}: remove line {line}, "{name} = []": there is a [[{name}]] now')


def _dated(value: object) -> object:
    """Turn TOML's dates and times into the milliseconds and words that documents have."""
    if isinstance(value, dict):
        members = (_dated_member(name, member) for name, member in value.items())
        return dict(members)
    if isinstance(value, list):
        return [_dated(item) for item in value]
    if isinstance(value, time):
        return value.strftime("%H:%M")
    return value


def _dated_member(name: str, value: object) -> tuple[str, object]:
    if name in _ENDS and isinstance(value, date):
        if isinstance(value, datetime):
            at = value if value.tzinfo is not None else value.replace(tzinfo=TOWN_TIME)
        else:
            at = datetime.combine(value, time(0), TOWN_TIME) + _ENDS[name]
        return f"{name}_ms", (at.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)
    if name in _ENDS and isinstance(value, str):
        raise ValueError(
            f'{name} = "{value}": write the date without quotes, for example {name} = 2027-03-31'
        )
    return name, _dated(value)


def _document(
    town: Town, name: str, content: Mapping[str, object], number: int, issued_ms: int
) -> bytes:
    common = {"v": 1, "number": number, "issued_ms": issued_ms, "salt": secrets.token_hex(16)}
    try:
        text = json.dumps({**common, **content}, ensure_ascii=False, separators=(",", ":"))
    except TypeError as error:
        raise TownError(
            f"{_edited_path(town, name)}: a date stands where none belongs ({error})"
        ) from None
    return text.encode("utf-8")


def _profiles(town: Town) -> bytes:
    path = town.documents / wire.PROFILES
    if not path.exists():
        raise _missing(town, wire.PROFILES)
    return decoded(path, files.read(path)).encode("utf-8")


def _profile_names(town: Town, profiles: bytes) -> list[str]:
    try:
        return sorted(tomllib.loads(profiles.decode("utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise TownError(f"{town.documents / wire.PROFILES}: {error}") from None


def _trust(town: Town, profiles: list[str], number: int, issued_ms: int) -> dict[str, object]:
    edited: dict[str, object] = {}
    if any(path.exists() for path in _candidates(town, TRUST)):
        edited = read_edited(town, TRUST)
    unknown = sorted(set(edited) - {"revoked"})
    if unknown:
        raise TownError(
            f"{_edited_path(town, TRUST)}: unknown key {unknown[0]!r}; known is revoked"
        )
    authorities = [
        files.read(town.authority / f"{name}.crt").decode("ascii") for name in CARD_CAS.values()
    ]
    return {
        "card_cas": [
            {"profile": profile, "certificate": pem} for profile in profiles for pem in authorities
        ],
        "revocation": {
            "number": number,
            "issued_ms": issued_ms,
            "serials": edited.get("revoked", []),
        },
        "ledger_keys": [files.read(town.client("ledger") / "ledger.pub").decode("ascii")],
    }
