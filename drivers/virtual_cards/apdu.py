"""Commands as a card reads them: short APDUs, status words and BER-TLV.

A command is parsed once into a `Command`; whatever a card refuses is raised as `RefusedError`
with the status word that goes back to the reader (ISO/IEC 7816-4, clause 5.6). Only short
commands exist here (up to 255 bytes in, 256 bytes out): the terminal promises to use no
others, so a card that refuses extended ones shows a broken promise at once.

Rules: written from the standards, not from the terminal's own card layer, so that an error
in one of the two cannot hide in the other. What a command means is the card's business.
"""

from dataclasses import dataclass

SHORTEST_COMMAND = 4
LONGEST_ANSWER = 256

SUCCESS = 0x9000
SECURITY_STATUS_NOT_SATISFIED = 0x6982
METHOD_BLOCKED = 0x6983
CONDITIONS_NOT_SATISFIED = 0x6985
WRONG_LENGTH = 0x6700
WRONG_DATA = 0x6A80
FUNCTION_NOT_SUPPORTED = 0x6A81
NOT_FOUND = 0x6A82
WRONG_P1_P2 = 0x6A86
REFERENCE_NOT_FOUND = 0x6A88
UNKNOWN_INSTRUCTION = 0x6D00
UNKNOWN_CLASS = 0x6E00
BYTES_REMAIN = 0x6100
TRIES_LEFT = 0x63C0

LONG_FORM = 0x80
TAG_CONTINUES = 0x1F


class RefusedError(Exception):
    """A command that the card turns down; `word` is the status word, 0x0000 to 0xFFFF."""

    def __init__(self, word: int) -> None:
        super().__init__(f"refused with {word:04X}")
        self.word = word


@dataclass(frozen=True, slots=True)
class Command:
    """One short command APDU; `le` is the number of bytes the reader takes, 0 to 256."""

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int


def parse(command: bytes) -> Command:
    """Read a short command APDU (ISO/IEC 7816-3, clause 12.1.3, cases 1 to 4).

    Raises `RefusedError` 6700 for a length that fits no case, and for the extended form.
    """
    if len(command) < SHORTEST_COMMAND:
        raise RefusedError(WRONG_LENGTH)
    header, body = command[:SHORTEST_COMMAND], command[SHORTEST_COMMAND:]
    data, tail = b"", body
    if len(body) > 1:
        data, tail = body[1 : 1 + body[0]], body[1 + body[0] :]
        if body[0] == 0 or len(data) != body[0] or len(tail) > 1:
            raise RefusedError(WRONG_LENGTH)
    le = (tail[0] or LONGEST_ANSWER) if tail else 0
    cla, ins, p1, p2 = header
    return Command(cla, ins, p1, p2, data, le)


def status(word: int) -> bytes:
    """Give the two bytes of a status word as they end an answer."""
    return word.to_bytes(2, "big")


def tlv(tag: int, value: bytes) -> bytes:
    """Make one BER-TLV object with the shortest definite length (ISO/IEC 8825-1, 8.1.3)."""
    size = len(value)
    if size < LONG_FORM:
        length = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        length = bytes([LONG_FORM | len(digits)]) + digits
    return tag.to_bytes((tag.bit_length() + 7) // 8, "big") + length + value


def read_tlv(data: bytes) -> dict[int, bytes]:
    """Read a row of BER-TLV objects into tag → value.

    Raises `RefusedError` 6A80 where a tag or a length is cut off, a length is indefinite, or a
    tag comes twice: a card does not guess what the reader meant.
    """
    found: dict[int, bytes] = {}
    rest = data
    while rest:
        tag, rest = _take_tag(rest)
        length, rest = _take_length(rest)
        if length > len(rest) or tag in found:
            raise RefusedError(WRONG_DATA)
        found[tag], rest = rest[:length], rest[length:]
    return found


def _take_tag(data: bytes) -> tuple[int, bytes]:
    """Take one tag of one or more bytes off the front (ISO/IEC 8825-1, 8.1.2)."""
    size = 1
    if data[0] & TAG_CONTINUES == TAG_CONTINUES:
        while size < len(data) and data[size] & 0x80:
            size += 1
        size += 1
    if size > len(data):
        raise RefusedError(WRONG_DATA)
    return int.from_bytes(data[:size], "big"), data[size:]


def _take_length(data: bytes) -> tuple[int, bytes]:
    """Take one definite length of at most three bytes off the front."""
    if not data:
        raise RefusedError(WRONG_DATA)
    if data[0] < LONG_FORM:
        return data[0], data[1:]
    digits = data[0] - LONG_FORM
    if digits not in (1, 2) or len(data) < 1 + digits:
        raise RefusedError(WRONG_DATA)
    return int.from_bytes(data[1 : 1 + digits], "big"), data[1 + digits :]
