"""The reader process: it passes APDUs between the terminal and one reader, and nothing else.

``SCardTransmit`` and ``SCardConnect`` have no time limit, and a card may keep a reader waiting
for ever. So they run here, where the terminal can end them with a signal. Started by
``drivers.pcsc`` as ``python -m drivers.pcsc_child``; standard input and output carry the frames
of ``drivers.pcsc_frames``, standard error carries plain text for the log.

Three threads: one reads the terminal's frames (and ends the process when the terminal is gone,
even while a card keeps another thread waiting), one watches the field, the main one talks to the
card.

Rules: a command that the allow-list does not hold is not sent, whoever asks for it. No card
bytes on standard error. What a command means, the process does not know.
"""

import contextlib
import os
import queue
import sys
import threading
import traceback
from pathlib import Path

from drivers import pcsc_frames as wire
from drivers.pcsc_frames import Frames, Patterns, Setup
from drivers.slot import Slot, SlotFault, Tell

_READ_SIZE = 65536
_WILD = ".."


class AllowList:
    """The commands that may pass: fixed bytes from the start, and a length."""

    def __init__(self, patterns: Patterns) -> None:
        self.refused = 0
        self.replace(patterns)

    def replace(self, patterns: Patterns) -> None:
        """Let these commands pass from now on, and no other."""
        self._patterns = [(_bytes_of(head), low, high) for head, low, high in patterns]

    def holds(self, apdu: bytes) -> bool:
        """Tell whether ``apdu`` fits one of the patterns; count it if not."""
        for head, shortest, longest in self._patterns:
            if shortest <= len(apdu) <= longest and len(apdu) >= len(head):
                pairs = zip(head, apdu, strict=False)
                if all(wanted is None or wanted == byte for wanted, byte in pairs):
                    return True
        self.refused += 1
        return False


def _bytes_of(head: str) -> list[int | None]:
    pairs = [head[at : at + 2] for at in range(0, len(head), 2)]
    return [None if pair == _WILD else int(pair, 16) for pair in pairs]


class Desk:
    """Serves the terminal's requests, one at a time."""

    def __init__(self, slot: Slot, allow: AllowList) -> None:
        self._slot = slot
        self._allow = allow
        self._open = False

    def serve(self, kind: bytes, body: bytes) -> bytes:
        """Do what one frame asks and give the frame that answers it."""
        try:
            if kind == wire.ALLOW and not self._open:
                self._allow.replace(wire.patterns_of(body))
                return wire.frame(wire.OK)
            if kind == wire.CONNECT:
                self._connect(int.from_bytes(body, "big"))
                return wire.frame(wire.OK)
            if kind == wire.TRANSMIT:
                return self._transmit(body)
            if kind == wire.DISCONNECT:
                self._disconnect()
                return wire.frame(wire.OK)
        except wire.FrameError as error:
            return wire.frame(wire.FAILED, wire.BROKEN + str(error).encode())
        except SlotFault as fault:
            return wire.frame(wire.FAILED, fault.cause + str(fault).encode())
        return wire.frame(wire.FAILED, wire.BROKEN + b"a request that nobody knows")

    def _connect(self, presence: int) -> None:
        """Open a conversation; one that cannot begin is over."""
        self._open = True
        try:
            self._slot.connect(presence)
        except SlotFault:
            with contextlib.suppress(SlotFault):
                self._disconnect()
            raise

    def _disconnect(self) -> None:
        self._open = False
        self._slot.disconnect()

    def _transmit(self, apdu: bytes) -> bytes:
        if not self._allow.holds(apdu):
            _say(f"refused a command outside the allow-list, {self._allow.refused} so far")
            text = f"a command outside the allow-list, {self._allow.refused} so far"
            return wire.frame(wire.FAILED, wire.REFUSED + text.encode())
        return wire.frame(wire.ANSWER, self._slot.transmit(apdu)[: wire.LONGEST_ANSWER])


class Pipe:
    """The process's end of the two pipes. Written by several threads, one frame at a time."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._frames = Frames()
        self._lock = threading.Lock()

    def read(self) -> tuple[bytes, bytes]:
        """Wait for the next frame; EOFError when the terminal has gone."""
        while True:
            whole = self._frames.take()
            if whole is not None:
                return whole
            data = os.read(self._incoming, _READ_SIZE)
            if not data:
                raise EOFError
            self._frames.feed(data)

    def write(self, frame: bytes) -> None:
        """Write a whole frame; a terminal that has gone ends the process."""
        with self._lock:
            try:
                while frame:
                    frame = frame[os.write(self._outgoing, frame) :]
            except BrokenPipeError:
                os._exit(0)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  (standard error is the log's pipe)


def _slot_of(setup: Setup) -> Slot:
    """Make the slot that the setup names; its library is loaded only here."""
    kind, _, path = setup.slot.partition(":")
    if kind == "socket" and path:
        from drivers.socket_slot import VirtualSlot  # noqa: PLC0415  (only where it is used)

        return VirtualSlot(Path(path))
    if setup.slot == "pcsc":
        from drivers.pcsc_slot import PcscSlot  # noqa: PLC0415  (only where it is used)

        return PcscSlot(setup.reader_name)
    raise SlotFault(wire.BROKEN, f'slot "{setup.slot}": accepted is pcsc or socket:PATH')


def _listen(pipe: Pipe, requests: "queue.SimpleQueue[tuple[bytes, bytes]]") -> None:
    """Take the terminal's requests; its end is ours too, whatever a card is doing."""
    try:
        while True:
            requests.put(pipe.read())
    except (EOFError, OSError, wire.FrameError):
        os._exit(0)


def main() -> int:
    """Serve until the terminal goes; 1 if the slot cannot be made."""
    # Whatever a library prints must not get between the frames.
    outgoing = os.dup(1)
    os.dup2(2, 1)
    pipe = Pipe(0, outgoing)
    try:
        setup = wire.setup_of(pipe.read()[1])
        slot = _slot_of(setup)
    except (EOFError, SlotFault, wire.FrameError, ImportError) as error:
        _say(f"{type(error).__name__}: {error}")
        return 1
    requests: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
    tell: Tell = lambda event: pipe.write(wire.event_frame(event))  # noqa: E731  (typed)
    threading.Thread(target=_listen, args=(pipe, requests), daemon=True).start()
    threading.Thread(target=_watch, args=(slot, tell), daemon=True).start()
    desk = Desk(slot, AllowList(setup.allow))
    while True:
        pipe.write(desk.serve(*requests.get()))


def _watch(slot: Slot, tell: Tell) -> None:
    """Watch the field; without that the process is of no use."""
    try:
        slot.watch(tell)
    finally:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
