"""Commands and answers between terminal and card, in four small layers.

``ShortForm`` turns a command into the bytes of a short APDU and an answer's bytes into data and
status word, ``Continued`` fetches the rest of a long answer, ``Chained`` sends long data in
pieces. Each has the same one method, ``send``, and wraps the one before; ``over`` stacks them on
a channel. Beside them stands a strict reader of BER-TLV data objects.

Rules: short APDUs only (many readers fail at extended ones). A card may ask for at most
``MOST_FOLLOW_UPS`` more commands per command and give at most ``LONGEST_ANSWER`` bytes. What no
card may send raises ``Garbled``; what a status word means is left to the card application.
Standards: ISO/IEC 7816-3 clause 12.1 (short APDUs), 7816-4 clause 5.3 (chaining, GET RESPONSE)
and 5.6 (status words), 8825-1 clause 8.1 (BER).
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Protocol

from terminal.ports import Channel

MOST_FOLLOW_UPS = 8
LONGEST_ANSWER = 8192
LONGEST_PIECE = 255
MOST_OBJECTS = 64
"""Data objects in one row; the longest one of a PIV card has eight."""

_WHOLE = 256
_BYTES_REMAIN = 0x61
_WRONG_LENGTH = 0x6C
_CHAINING = 0x10
_GET_RESPONSE = 0xC0
_STATUS_BYTES = 2
_LONG_FORM = 0x80
_MORE_TAG_BYTES = 0x1F


class Garbled(Exception):
    """An answer that no card may give. The text says which rule it breaks, never its bytes."""


class StatusWord(IntEnum):
    """The status words that mean something to the terminal (ISO/IEC 7816-4, table 6)."""

    SUCCESS = 0x9000
    NOT_FOUND = 0x6A82
    FUNCTION_NOT_SUPPORTED = 0x6A81
    INSTRUCTION_NOT_SUPPORTED = 0x6D00
    CLASS_NOT_SUPPORTED = 0x6E00
    NO_DIAGNOSIS = 0x6F00


@dataclass(frozen=True, slots=True)
class Command:
    """One command; ``le`` is the number of bytes wanted: 1 to 256, or None for no answer data."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes = b""
    le: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer data and status word (0x0000 to 0xFFFF)."""

    data: bytes
    status: int

    @property
    def successful(self) -> bool:
        """Whether the status word is exactly 9000; warnings do not count."""
        return self.status == StatusWord.SUCCESS


class Exchange(Protocol):
    """A layer of the road to the card."""

    def send(self, command: Command) -> Answer:
        """Send ``command``, return the card's answer.

        Raises:
            Garbled: the answer breaks the rules.
            CardTorn, CardMute, ChannelRefused, DeviceError: from the channel.
        """
        ...


class ShortForm:
    """Commands as short APDUs, the four cases of ISO/IEC 7816-3 clause 12.1.2."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, command: Command) -> Answer:
        """Send one APDU; ValueError for a command that has no short form."""
        if len(command.data) > LONGEST_PIECE:
            raise ValueError(f"{len(command.data)} bytes do not fit a short APDU: chain them")
        apdu = bytes((command.cla, command.ins, command.p1, command.p2))
        if command.data:
            apdu += bytes((len(command.data),)) + command.data
        if command.le is not None:
            apdu += bytes((command.le % _WHOLE,))
        received = self._channel.transmit(apdu)
        if len(received) < _STATUS_BYTES:
            raise Garbled("an answer without status word")
        if len(received) > LONGEST_ANSWER + _STATUS_BYTES:
            raise Garbled(f"an answer longer than {LONGEST_ANSWER} bytes")
        return Answer(received[:-2], int.from_bytes(received[-2:], "big"))


class Continued:
    """Whole answers: 61xx is followed by GET RESPONSE, 6Cxx by the same command with that length.

    A command that wants no data is never followed up, whatever the card says.
    """

    def __init__(self, inner: Exchange) -> None:
        self._inner = inner

    def send(self, command: Command) -> Answer:
        """Send ``command`` and collect its answer; Garbled for more than the caps allow."""
        answer = self._inner.send(command)
        data = answer.data
        asked = command
        for _ in range(MOST_FOLLOW_UPS):
            more, length = divmod(answer.status, 0x100)
            if command.le is None or more not in {_BYTES_REMAIN, _WRONG_LENGTH}:
                return Answer(data, answer.status)
            if more == _BYTES_REMAIN:
                asked = Command(0x00, _GET_RESPONSE, 0x00, 0x00, le=length or _WHOLE)
            else:
                asked = replace(asked, le=length or _WHOLE)
            answer = self._inner.send(asked)
            data += answer.data
            if len(data) > LONGEST_ANSWER:
                raise Garbled(f"an answer longer than {LONGEST_ANSWER} bytes")
        if answer.status >> 8 in {_BYTES_REMAIN, _WRONG_LENGTH}:
            raise Garbled(f"an answer not complete after {MOST_FOLLOW_UPS} follow-ups")
        return Answer(data, answer.status)


class Chained:
    """Long command data in pieces of 255 bytes; all but the last carry the chaining bit."""

    def __init__(self, inner: Exchange) -> None:
        self._inner = inner

    def send(self, command: Command) -> Answer:
        """Send ``command``; a piece that is not answered 9000 ends the chain with that answer."""
        rest = command.data
        while len(rest) > LONGEST_PIECE:
            piece = replace(
                command, cla=command.cla | _CHAINING, data=rest[:LONGEST_PIECE], le=None
            )
            answer = self._inner.send(piece)
            if not answer.successful:
                return answer
            rest = rest[LONGEST_PIECE:]
        return self._inner.send(replace(command, data=rest))


def over(channel: Channel) -> Exchange:
    """Stack the layers on ``channel``."""
    return Chained(Continued(ShortForm(channel)))


def select(exchange: Exchange, aid: bytes) -> Answer:
    """Select an application by its name (ISO/IEC 7816-4, clause 7.1.1)."""
    return exchange.send(Command(0x00, 0xA4, 0x04, 0x00, aid, _WHOLE))


def tlv(tag: int, value: bytes) -> bytes:
    """Make one data object with the shortest definite length."""
    size = len(value)
    length = bytes((size,)) if size < _LONG_FORM else _long_form(size)
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + length + value


def data_objects(data: bytes) -> dict[int, bytes]:
    """Read a row of BER-TLV data objects, one level deep, as tag -> value.

    Nothing recurses: the caller names what to open next, so a card's nesting costs nothing.
    Zero bytes between objects are filler (ISO/IEC 7816-4, clause 5.2.2.1).

    Raises:
        Garbled: cut off, a length that is indefinite or has more than three bytes, a tag of more
            than two bytes or given twice, more than MOST_OBJECTS objects.
    """
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        if data[at] == 0:
            at += 1
            continue
        tag, at = _tag(data, at)
        length, at = _length(data, at)
        if length > len(data) - at:
            raise Garbled("a data object is cut off")
        if tag in found or len(found) == MOST_OBJECTS:
            raise Garbled("a data object comes twice, or too many come")
        found[tag] = data[at : at + length]
        at += length
    return found


def data_object(data: bytes, tag: int) -> bytes:
    """Give the value of the object ``tag``, which must be there; else Garbled."""
    value = data_objects(data).get(tag)
    if value is None:
        raise Garbled(f"data object {tag:02X} is missing")
    return value


def _long_form(size: int) -> bytes:
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((_LONG_FORM | len(digits),)) + digits


def _tag(data: bytes, at: int) -> tuple[int, int]:
    """Read a tag of one or two bytes; give it and where the length begins."""
    if data[at] & _MORE_TAG_BYTES != _MORE_TAG_BYTES:
        return data[at], at + 1
    if at + 1 >= len(data) or data[at + 1] & 0x80:
        raise Garbled("a tag is cut off or longer than two bytes")
    return int.from_bytes(data[at : at + 2], "big"), at + 2


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a definite length of one to three bytes; give it and where the value begins."""
    if at >= len(data):
        raise Garbled("a length is missing")
    first = data[at]
    if first < _LONG_FORM:
        return first, at + 1
    size = first - _LONG_FORM
    if size not in {1, 2} or at + 1 + size > len(data):
        raise Garbled("a length is indefinite, too long or cut off")
    return int.from_bytes(data[at + 1 : at + 1 + size], "big"), at + 1 + size
