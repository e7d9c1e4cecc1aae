"""The simulated panel: pins and display without hardware, seen and worked from outside.

``Panel`` gives the drivers gpiozero's mock pins and a display that looks like luma's. Every edge
of an output and every new picture goes out as one JSON line on a file descriptor that the process
inherited; lines that come in press buttons and move the door. So the demo page draws the
terminal, and a test sees from another process that a tone began, with the system's monotonic
clock beside it, even if the terminal is killed right after.

Out, one object a line, ``mono_ns`` being CLOCK_MONOTONIC::

    {"pin":"strike","value":1,"mono_ns":5}         strike, ring, cross: 0 or 1
    {"pin":"buzzer","value":2000,"mono_ns":5}      Hz, 0 is silent
    {"frame":"<base64>","mono_ns":5}               1,024 bytes: rows from the top, 8 pixels a
                                                   byte, the leftmost in the highest bit, 1 is lit
    {"lost":12}                                    that many edges before this line are missing

In::

    {"press":"button-1","held_ms":100}             button-1 ... button-4, exit
    {"door":"open"}                                or "closed"

Rules. Nobody who reads slowly, or not at all, holds the terminal up: the descriptor is
non-blocking, an edge is written by the very thread that makes it, and only what does not go out
at once waits. Of waiting pictures only the newest is kept (an older one is of no use to anyone);
edges are kept, because each is an event, up to ``EDGES_KEPT``: a demo left open over a weekend
must not fill the memory, so past that the oldest go, and a line tells how many.

Closing the panel closes both descriptors.
"""

import base64
import fcntl
import json
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from gpiozero.pins.mock import MockFactory, MockPWMPin

logger = logging.getLogger(__name__)

PINS: Mapping[str, int] = {
    "strike": 17,
    "ring": 5,
    "cross": 6,
    "buzzer": 18,
    "button-1": 22,
    "button-2": 23,
    "button-3": 27,
    "button-4": 16,
    "exit": 26,
    "door": 13,
}
"""GPIO numbers of the simulated panel's wiring."""

OUTPUTS = frozenset({"strike", "ring", "cross", "buzzer"})
EDGES_KEPT = 100_000
_LONGEST_LINE = 4096
_LONGEST_PRESS_MS = 60_000


class Bitmap(Protocol):
    """The one thing the display needs of a picture (Pillow's image of mode "1" has it)."""

    def tobytes(self) -> bytes:
        """The pixels, packed as in a ``frame`` line."""
        ...


class SimulatedPin(MockPWMPin):  # type: ignore[misc] # gpiozero ships no types
    """A mock pin, PWM included, that tells its factory of each change."""

    def _change_state(self, value: float) -> bool:
        changed = bool(super()._change_state(value))
        if changed:
            self.factory.pin_changed(self)
        return changed

    def _set_frequency(self, value: float | None) -> None:
        super()._set_frequency(value)
        self.factory.pin_changed(self)


class SimulatedFactory(MockFactory):  # type: ignore[misc] # gpiozero ships no types
    """gpiozero's mock pins under the panel's names; changes of outputs go to ``outlet``."""

    def __init__(self, pins: Mapping[str, int], outlet: "Outlet") -> None:
        super().__init__(pin_class=SimulatedPin)
        self._names = {f"GPIO{number}": name for name, number in pins.items()}
        self._values = dict.fromkeys(OUTPUTS, 0)
        self._outlet = outlet

    def pin_changed(self, pin: SimulatedPin) -> None:
        """Send the edge of an output, if there is one to be heard or seen."""
        name = self._names.get(pin.info.name, "")
        if name not in OUTPUTS:
            return
        value = int(pin.state > 0)
        if name == "buzzer" and value:
            value = int(pin.frequency or 0)
        if self._values[name] != value:
            self._values[name] = value
            self._outlet.edge({"pin": name, "value": value, "mono_ns": time.monotonic_ns()})


class Glass:
    """A display with the methods of a luma device that ``oled`` calls."""

    def __init__(self, outlet: "Outlet") -> None:
        self._outlet = outlet
        self._shown = b""

    def display(self, image: Bitmap) -> None:
        """Send the picture, unless it is already shown."""
        self._show(image.tobytes())

    def contrast(self, level: int) -> None:
        """Accepted; a page has its own brightness."""

    def cleanup(self) -> None:
        """Go dark."""
        self._show(bytes(1024))

    def _show(self, pixels: bytes) -> None:
        if pixels != self._shown:
            self._shown = pixels
            frame = base64.b64encode(pixels).decode()
            self._outlet.frame({"frame": frame, "mono_ns": time.monotonic_ns()})


class Outlet:
    """Lines out of the process without ever waiting for their reader."""

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._lock = threading.Lock()
        self._edges: deque[bytes] = deque()
        self._frame = b""
        self._begun = b""
        self._lost = 0
        self._gone = False

    def edge(self, message: Mapping[str, object]) -> None:
        """Send or keep; the oldest go past ``EDGES_KEPT``."""
        with self._lock:
            self._edges.append(_line(message))
            if len(self._edges) > EDGES_KEPT:
                self._edges.popleft()
                self._lost += 1
            self._flush()

    def frame(self, message: Mapping[str, object]) -> None:
        """Send, or keep in place of an older frame."""
        with self._lock:
            self._frame = _line(message)
            self._flush()

    def flush(self) -> None:
        """Send what waits, as far as the reader takes it."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Close the descriptor; what still waits is lost with its reader."""
        with self._lock:
            self._gone = True
            os.close(self._fd)

    def _flush(self) -> None:
        while not self._gone:
            self._begun = self._begun or self._next()
            if not self._begun:
                return
            try:
                sent = os.write(self._fd, self._begun)
            except BlockingIOError:
                return
            except OSError as error:
                logger.info("panel: nobody reads any more (%s)", error)
                self._gone = True
                return
            self._begun = self._begun[sent:]

    def _next(self) -> bytes:
        if self._lost:
            lost, self._lost = self._lost, 0
            return _line({"lost": lost})
        if self._edges:
            return self._edges.popleft()
        frame, self._frame = self._frame, b""
        return frame


class Panel:
    """The wall terminal's panel in the air: ``factory`` for pins, ``display_device`` for luma."""

    def __init__(
        self, out_fd: int, in_fd: int | None = None, *, pins: Mapping[str, int] = PINS
    ) -> None:
        """Take over both descriptors and begin to listen."""
        self._outlet = Outlet(out_fd)
        self.factory = SimulatedFactory(pins, self._outlet)
        self.display_device = Glass(self._outlet)
        self._pins = pins
        self._in_fd = in_fd
        self._reading = in_fd is not None
        self._read = b""
        self._releases: list[tuple[float, str]] = []
        self._closing = threading.Event()
        self._wake_out, self._wake_in = os.pipe()
        if in_fd is not None:
            os.set_blocking(in_fd, False)
        for fd in (out_fd, in_fd):
            if fd is not None:
                # No child of ours may keep the line open after we are gone.
                fcntl.fcntl(fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="panel", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, send what still goes out, close all descriptors; idempotent."""
        if self._closing.is_set():
            return
        self._closing.set()
        os.write(self._wake_in, b"\0")
        self._thread.join()
        self.factory.close()
        self._outlet.flush()
        self._outlet.close()
        for fd in (self._wake_out, self._wake_in, self._in_fd):
            if fd is not None:
                os.close(fd)

    def _run(self) -> None:
        while not self._closing.is_set():
            poll = select.poll()
            poll.register(self._wake_out, select.POLLIN)
            if self._reading and self._in_fd is not None:
                poll.register(self._in_fd, select.POLLIN)
            now = time.monotonic()
            # What an edge had to leave behind is looked after every tenth of a second.
            waits = [100, *(max(0, round((due - now) * 1000)) for due, _ in self._releases)]
            poll.poll(min(waits))
            self._outlet.flush()
            self._take_in()
            self._let_up()

    def _take_in(self) -> None:
        if not self._reading or self._in_fd is None:
            return
        try:
            read = os.read(self._in_fd, 65536)
        except BlockingIOError:
            return
        except OSError:
            read = b""
        self._reading = bool(read)
        *lines, self._read = (self._read + read).split(b"\n")
        self._read = self._read[:_LONGEST_LINE]
        for line in lines:
            self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            if "press" in message:
                self._press(message["press"], int(message.get("held_ms", 100)))
            else:
                door = self.factory.pin(self._pins["door"])
                {"open": door.drive_high, "closed": door.drive_low}[message["door"]]()
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            logger.warning("panel: line not understood (%s)", error)

    def _press(self, name: str, held_ms: int) -> None:
        if name in OUTPUTS or name == "door":
            raise KeyError(name)
        self.factory.pin(self._pins[name]).drive_low()
        held_s = min(max(held_ms, 0), _LONGEST_PRESS_MS) / 1000
        self._releases.append((time.monotonic() + held_s, name))

    def _let_up(self) -> None:
        now = time.monotonic()
        due = [name for moment, name in self._releases if moment <= now]
        self._releases = [one for one in self._releases if one[0] > now]
        for name in due:
            self.factory.pin(self._pins[name]).drive_high()


def _line(message: Mapping[str, object]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
