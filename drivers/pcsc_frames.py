"""What the terminal and its reader process say to each other: frames over two pipes.

A frame is four bytes of length (big-endian), then one byte that says what it is, then its body.
The first frame to the process is its SETUP. Then the terminal asks: ALLOW (the patterns that
count from now on), CONNECT (the number of the presence, four bytes), TRANSMIT (a command APDU),
DISCONNECT. The process answers each with OK, ANSWER (answer APDU) or FAILED (one byte of cause,
then text), and in between tells of the field with EVENT. Events, patterns and setup are JSON.

Rules: both ends are ours, yet a length beyond LONGEST ends the conversation with that process.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

SETUP, ALLOW, CONNECT, TRANSMIT, DISCONNECT = b"s", b"l", b"c", b"t", b"d"
OK, ANSWER, FAILED, EVENT = b"k", b"a", b"f", b"e"
TORN, MUTE, REFUSED, SWAPPED, BROKEN = b"t", b"m", b"r", b"s", b"b"

LONGEST = 64 * 1024
LONGEST_ANSWER = 8192 + 3
"""An answer's first bytes that are passed on: more than any card application accepts."""

_HEADER = 4


class FrameError(Exception):
    """The other end does not keep to the frames."""


Patterns = tuple[tuple[str, int, int], ...]
"""Commands that may pass: (head as hex with .. for any byte, shortest, longest)."""


@dataclass(frozen=True, slots=True)
class Event:
    """What the process saw: present, gone, lost or back, and when on the monotonic clock.

    ``presence`` numbers the card's stay in the field. ``first`` marks what was found at the first
    look, without having seen it come or go.
    """

    kind: str
    mono_ns: int
    presence: int = 0
    first: bool = False
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a reader process is told at its start.

    ``slot`` is ``pcsc`` or ``socket:PATH``, ``reader_name`` part of a reader's name (empty: the
    first).
    """

    slot: str
    reader_name: str
    allow: Patterns


def frame(kind: bytes, body: bytes = b"") -> bytes:
    """Make one frame."""
    return (1 + len(body)).to_bytes(_HEADER, "big") + kind + body


def event_frame(event: Event) -> bytes:
    """Make the frame that tells of ``event``."""
    return frame(EVENT, json.dumps(asdict(event)).encode())


def event_of(body: bytes) -> Event:
    """Read the body of an EVENT frame; FrameError if it is none."""
    try:
        return Event(**json.loads(body))
    except (ValueError, TypeError) as error:
        raise FrameError("an event that cannot be read") from error


def setup_frame(setup: Setup) -> bytes:
    """Make the first frame to a process."""
    return frame(SETUP, json.dumps(asdict(setup)).encode())


def setup_of(body: bytes) -> Setup:
    """Read the body of a SETUP frame; FrameError if it is none."""
    try:
        members = json.loads(body)
        allow = _patterns(members["allow"])
        return Setup(str(members["slot"]), str(members["reader_name"]), allow)
    except (ValueError, TypeError, KeyError) as error:
        raise FrameError("a setup that cannot be read") from error


def patterns_body(patterns: Patterns) -> bytes:
    """Make the body of an ALLOW frame."""
    return json.dumps(patterns).encode()


def patterns_of(body: bytes) -> Patterns:
    """Read the body of an ALLOW frame; FrameError if it is none."""
    try:
        return _patterns(json.loads(body))
    except (ValueError, TypeError) as error:
        raise FrameError("patterns that cannot be read") from error


def _patterns(rows: Iterable[tuple[str, int, int]]) -> Patterns:
    return tuple((str(head), int(low), int(high)) for head, low, high in rows)


class Frames:
    """Takes bytes as they come, gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes from the pipe."""
        self._buffer += data

    def take(self) -> tuple[bytes, bytes] | None:
        """Give the next frame as (kind, body), or None while it is not whole.

        Raises:
            FrameError: an impossible length.
        """
        if len(self._buffer) < _HEADER:
            return None
        length = int.from_bytes(self._buffer[:_HEADER], "big")
        if not 1 <= length <= LONGEST:
            raise FrameError(f"a frame of {length} bytes")
        if len(self._buffer) < _HEADER + length:
            return None
        content = bytes(self._buffer[_HEADER : _HEADER + length])
        del self._buffer[: _HEADER + length]
        return content[:1], content[1:]
