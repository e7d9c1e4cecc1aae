"""One table of everything that is said over the broker: where, by whom, to whom, proven how.

The broker's access list is made from it, the link and the ledger take their topics from it, and a
message on a topic that is not in it is dropped. The access list is only the outer fence: whatever
opens a door or counts as a record carries a signature of its own.

Names: ``site`` and ``terminal`` are 1 to 32 of a-z 0-9 - (they are topic levels, host names and
certificate names at once). A terminal's id is also its client id, user name and certificate CN.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

LEDGER = "ledger"
PUBLISHER = "publisher"
OPERATIONS = "operations"
TERMINAL = "terminal"
"""Who can write and read. The first three are user names at the broker; ``terminal`` stands for
each terminal on the topics that carry its own id."""

TOWN_HALL = (LEDGER, PUBLISHER, OPERATIONS)

CHUNK = 128 * 1024
"""Published files travel in pieces of this many bytes: a longer message would be refused by
brokers with a packet limit, and the connection cut with it."""

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_FILE = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}"
_PATH = re.compile(rf"{_FILE}(/{_FILE})?")
_FIELDS = {
    "site": r"(?P<site>[a-z0-9-]{1,32})",
    "terminal": r"(?P<terminal>[a-z0-9-]{1,32})",
    "path": rf"(?P<path>{_FILE}(~{_FILE})?)",
    "chunk": r"(?P<chunk>0|[1-9][0-9]{0,5})",
}


class Name(StrEnum):
    """The topics, by what is said on them."""

    STATUS = "status"
    INFO = "info"
    HEALTH = "health"
    ALARMS = "alarms"
    REC = "rec"
    LIVE = "live"
    HEAD = "head"
    RECEIPT = "receipt"
    CFG_STATE = "cfg/state"
    INDEX = "index"
    FILE = "file"
    SEALED = "sealed"
    LEDGER_STATUS = "ledger-status"


@dataclass(frozen=True, slots=True)
class Topic:
    """One row: what may be said where.

    ``longest`` is the payload's limit in bytes, past which it is dropped unread; ``signed`` and
    ``sealed`` say by or to whom ("" for nobody).
    """

    name: Name
    pattern: str
    writer: str
    readers: tuple[str, ...]
    longest: int
    retained: bool = True
    qos: int = 1
    signed: str = ""
    sealed: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A topic taken apart; what its row does not have is empty (``chunk`` 0)."""

    row: Topic
    site: str
    terminal: str = ""
    path: str = ""
    chunk: int = 0


_OWN = "kazasu/v1/{site}/{terminal}/"
_PUBLICATION = "kazasu/v1/{site}/_publication/"
_WATCHERS = (LEDGER, OPERATIONS)
_WALL = (TERMINAL, OPERATIONS)
_BY_DEVICE = "the terminal's device key"
_BY_ROLES = "the publication's TUF roles (the plain bytes)"

TABLE = (
    Topic(Name.STATUS, _OWN + "status", TERMINAL, _WATCHERS, 16),
    Topic(Name.INFO, _OWN + "info", TERMINAL, _WATCHERS, 4096),
    Topic(Name.HEALTH, _OWN + "health", TERMINAL, _WATCHERS, 4096),
    Topic(Name.ALARMS, _OWN + "alarms", TERMINAL, _WATCHERS, 16_384),
    Topic(Name.REC, _OWN + "rec", TERMINAL, (LEDGER,), 4096, retained=False, signed=_BY_DEVICE),
    Topic(Name.LIVE, _OWN + "live", TERMINAL, (OPERATIONS,), 1024, retained=False, qos=0),
    Topic(Name.HEAD, _OWN + "head", TERMINAL, _WATCHERS, 4096, signed=_BY_DEVICE),
    Topic(Name.RECEIPT, _OWN + "receipt", LEDGER, _WALL, 4096, signed="a published ledger key"),
    Topic(Name.CFG_STATE, _OWN + "cfg/state", TERMINAL, (PUBLISHER, OPERATIONS), 2048),
    Topic(Name.INDEX, _PUBLICATION + "index", PUBLISHER, (*_WALL, PUBLISHER), 256 * 1024),
    Topic(
        Name.FILE,
        _PUBLICATION + "file/{path}/{chunk}",
        PUBLISHER,
        (*_WALL, PUBLISHER),
        CHUNK,
        signed=_BY_ROLES,
    ),
    Topic(
        Name.SEALED,
        _PUBLICATION + "sealed/{terminal}/{path}/{chunk}",
        PUBLISHER,
        (TERMINAL, PUBLISHER),
        CHUNK,
        signed=_BY_ROLES,
        sealed="the terminal's sealing key",
    ),
    Topic(Name.LEDGER_STATUS, "kazasu/v1/{site}/_ledger/status", LEDGER, _WALL, 16),
)


def row(name: Name) -> Topic:
    """The row of that name."""
    return _rows()[name]


def site_id(text: str) -> str:
    """``text`` if it can name a site.

    Raises:
        ValueError: it cannot; the text says what can.
    """
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"the site {text!r} must be 1 to 32 of a-z 0-9 -")
    return text


def terminal_id(text: str) -> str:
    """``text`` if it can name a terminal; the town hall's own user names cannot.

    Raises:
        ValueError: it cannot; the text says what can.
    """
    if _NAME.fullmatch(text) is None:
        raise ValueError(f"the terminal {text!r} must be 1 to 32 of a-z 0-9 -")
    if text in TOWN_HALL:
        raise ValueError(f"no terminal can be called {text}: that is a user of the town hall")
    return text


def topic(name: Name, site: str, terminal: str = "", path: str = "", chunk: int = 0) -> str:
    """The full topic; ``path`` is a published file's ("metadata/1.root.json").

    Raises:
        ValueError: an id or path that cannot stand in a topic.
    """
    pattern = row(name).pattern
    if "{path}" in pattern and _PATH.fullmatch(path) is None:
        raise ValueError(f"the path {path!r} is not one or two names of A-Z a-z 0-9 . _ -")
    return pattern.format(
        site=site_id(site),
        terminal=terminal_id(terminal) if "{terminal}" in pattern else "",
        path=path.replace("/", "~"),
        chunk=chunk,
    )


def topic_filter(name: Name, site: str, terminal: str = "+") -> str:
    """The subscription to that topic of one terminal, or (+) of all."""
    own = terminal if terminal == "+" else terminal_id(terminal)
    return row(name).pattern.format(site=site_id(site), terminal=own, path="+", chunk="+")


def place_of(text: str) -> Place | None:
    """What the topic ``text`` is, or None if it is none of ours."""
    for one, shape in _shapes():
        found = shape.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            return Place(
                one,
                parts["site"],
                parts.get("terminal", ""),
                parts.get("path", "").replace("~", "/"),
                int(parts.get("chunk", "0")),
            )
    return None


def acl(site: str) -> str:
    """The broker's access list (mosquitto's acl_file) for ``site``.

    A terminal's rights hang on its certificate's CN (%u, which needs use_identity_as_username),
    never on the client id, which a client may choose.
    """
    lines = [f"# Access at the broker of {site_id(site)}; made from terminal/wire/topics.py."]
    for who in TOWN_HALL:
        lines += ["", f"user {who}", *_rights(who, site, "topic", "+")]
    lines += ["", "# Each terminal, by the name in its certificate.", *_terminal_rights(site)]
    return "\n".join(lines) + "\n"


def _rights(who: str, site: str, keyword: str, own: str) -> Iterator[str]:
    for one in TABLE:
        what = one.pattern.format(site=site, terminal=own, path="+", chunk="+")
        if one.writer == who:
            yield f"{keyword} write {what}"
        if who in one.readers:
            yield f"{keyword} read {what}"


def _terminal_rights(site: str) -> Iterator[str]:
    return _rights(TERMINAL, site, "pattern", "%u")


@cache
def _rows() -> dict[Name, Topic]:
    return {one.name: one for one in TABLE}


@cache
def _shapes() -> tuple[tuple[Topic, re.Pattern[str]], ...]:
    return tuple((one, re.compile(one.pattern.format_map(_FIELDS))) for one in TABLE)
