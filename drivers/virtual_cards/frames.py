"""What runs between a reader and a virtual card: frames over a stream socket.

The protocol is that of vsmartcard's vpcd driver. Each frame is a length (2 bytes, most
significant first) and as many bytes. The reader sends one-byte frames to control the card
(cut the power, give it, reset, tell the answer to reset; only the last is answered) and
longer ones as command APDUs, each answered by one frame. Closing the connection takes the
card away. A command of one byte cannot exist, so the two never mix up.
"""

import socket

POWER_OFF = b"\x00"
POWER_ON = b"\x01"
RESET = b"\x02"
ANSWER_TO_RESET = b"\x04"

LONGEST = 0xFFFF
_LENGTH = 2
# Linux only; elsewhere a reader that writes length and body apart costs 40 ms per command.
_QUICK_ACK: int | None = getattr(socket, "TCP_QUICKACK", None)


def frame(body: bytes) -> bytes:
    """Put the length before a body of at most 65,535 bytes; ValueError if it is longer."""
    if len(body) > LONGEST:
        raise ValueError(f"a frame holds at most {LONGEST} bytes, not {len(body)}")
    return len(body).to_bytes(_LENGTH, "big") + body


def receive(link: socket.socket) -> bytes | None:
    """Wait for one frame and give its body; None when the other side has closed.

    Raises:
        OSError: the connection broke.
    """
    length = _exactly(link, _LENGTH)
    if length is None:
        return None
    return _exactly(link, int.from_bytes(length, "big"))


def _exactly(link: socket.socket, size: int) -> bytes | None:
    """Receive `size` bytes; None if the connection ends before them."""
    received = b""
    while len(received) < size:
        _hurry(link)
        piece = link.recv(size - len(received))
        if not piece:
            return None
        received += piece
    return received


def _hurry(link: socket.socket) -> None:
    """Ask for an acknowledgement at once: the system forgets this wish, so before each read."""
    if _QUICK_ACK is not None and link.family == socket.AF_INET:
        link.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
