"""The terminal's end of the reader process: start it, speak in frames with a deadline, end it.

Rules: one thread speaks to a process; ``end`` may come from any. What the process writes on
standard error goes to the log, line by line.
"""

import logging
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from drivers import pcsc_frames as wire
from drivers.pcsc_frames import FrameError, Frames, Setup

log = logging.getLogger(__name__)

READ_SIZE = 65536
LONGEST_LINE = 500
LAST_WORDS_S = 1.0

_ROOT = Path(__file__).resolve().parent.parent


class ProcessEnded(Exception):
    """The process has ended or speaks nonsense; the text says what is known."""


class ReaderProcess:
    """One started ``drivers.pcsc_child``; ``wake`` is a descriptor whose input ends any wait.

    Raises:
        ProcessEnded: it could not be started.
    """

    def __init__(self, setup: Setup, wake: int) -> None:
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "drivers.pcsc_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=os.environ | {"PYTHONPATH": path},
                # A Ctrl-C at the terminal's console is for the terminal, which ends us in order.
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessEnded(f"cannot start the reader process: {error.strerror}") from error
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._pipes = [pipe for pipe in pipes if pipe is not None]
        self._stdin, self._stdout, self._stderr = [pipe.fileno() for pipe in self._pipes]
        self._frames = Frames()
        self._words = b""
        self._last_line = ""
        self._poll = select.poll()
        for descriptor in (self._stdout, self._stderr, wake):
            self._poll.register(descriptor, select.POLLIN)
        self.send(wire.setup_frame(setup))

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, frame: bytes) -> None:
        """Send one frame; ProcessEnded if nobody takes it."""
        try:
            while frame:
                frame = frame[os.write(self._stdin, frame) :]
        except OSError as error:
            raise ProcessEnded(self._epitaph()) from error

    def receive(self, end: float) -> tuple[bytes, bytes] | None:
        """Give the next frame, or None when ``end`` (monotonic seconds) comes or we are woken.

        Raises:
            ProcessEnded: there will be none.
        """
        while True:
            try:
                whole = self._frames.take()
            except FrameError as error:
                raise ProcessEnded(str(error)) from error
            if whole is not None:
                return whole
            left_ms = max(0.0, end - time.monotonic()) * 1000
            ready = [descriptor for descriptor, _ in self._poll.poll(left_ms)]
            if self._stderr in ready:
                self._overhear()
            if self._stdout in ready:
                data = os.read(self._stdout, READ_SIZE)
                if not data:
                    raise ProcessEnded(self._epitaph())
                self._frames.feed(data)
            elif self._stderr not in ready:
                return None

    def kill(self) -> None:
        """End the process now; any thread. ``release`` is still to follow."""
        self._process.kill()

    def release(self) -> None:
        """Kill, and give back everything that the process held of ours; idempotent."""
        self.kill()
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()

    def _overhear(self) -> None:
        """Log what the process says; at its end stop listening."""
        data = os.read(self._stderr, READ_SIZE)
        if not data:
            self._poll.unregister(self._stderr)
            return
        *lines, self._words = (self._words + data).split(b"\n")
        self._words = self._words[-LONGEST_LINE:]
        for line in lines:
            self._last_line = line[:LONGEST_LINE].decode(errors="replace")
            log.debug("reader process: %s", self._last_line)

    def _epitaph(self) -> str:
        """Say how it ended, with its last words where there are any."""
        end = time.monotonic() + LAST_WORDS_S
        code = self._process.poll()
        while code is None and time.monotonic() < end:
            select.select([], [], [], 0.01)
            code = self._process.poll()
        if self._last_line:
            return f"the reader process ended: {self._last_line}"
        return f"the reader process ended with {code}"
