"""The panel as it is seen from outside: the lines it writes, and the buttons somebody presses."""

import json
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from drivers.simulated import Panel

WITHIN_S = 5.0


class Outside:
    """Reads a panel's lines from ``out_fd``, works it through ``in_fd``."""

    def __init__(self, out_fd: int, in_fd: int) -> None:
        self._out_fd = out_fd
        self._in_fd = in_fd
        self._rest = b""
        self.lines: list[dict[str, Any]] = []

    def until(self, condition: Callable[[], bool]) -> None:
        """Read lines until ``condition`` holds; fails when it does not within 5 s."""
        deadline = time.monotonic() + WITHIN_S
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, f"did not come true within {WITHIN_S} s; seen: {self.lines[-20:]}"
            self._read(left)

    def edges(self, pin: str) -> list[int]:
        """The values that output took so far, in order."""
        return [line["value"] for line in self.lines if line.get("pin") == pin]

    def times_ms(self, pin: str) -> list[float]:
        """When its edges were, in ms from the first."""
        times = [line["mono_ns"] for line in self.lines if line.get("pin") == pin]
        return [(moment - times[0]) / 1e6 for moment in times]

    def order(self) -> list[tuple[str, int]]:
        """All edges: (output, value)."""
        return [(line["pin"], line["value"]) for line in self.lines if "pin" in line]

    def frames(self) -> list[str]:
        """All pictures as they came, base64."""
        return [line["frame"] for line in self.lines if "frame" in line]

    def say(self, **message: object) -> None:
        """Work the panel: press="exit", held_ms=100, or door="open"."""
        os.write(self._in_fd, json.dumps(message).encode() + b"\n")

    def say_raw(self, data: bytes) -> None:
        """Send what no page of ours would send."""
        os.write(self._in_fd, data)

    def _read(self, timeout_s: float) -> None:
        # Short waits, because a condition may also hold by something other than a line.
        readable, _, _ = select.select([self._out_fd], [], [], min(timeout_s, 0.02))
        if not readable:
            return
        *lines, self._rest = (self._rest + os.read(self._out_fd, 1 << 16)).split(b"\n")
        self.lines += [json.loads(line) for line in lines]


@contextmanager
def panel() -> Iterator[tuple[Panel, Outside]]:
    """A panel in this process, and its outside."""
    seen, out_fd = os.pipe()
    in_fd, said = os.pipe()
    inside = Panel(out_fd, in_fd)
    try:
        yield inside, Outside(seen, said)
    finally:
        inside.close()
        os.close(seen)
        os.close(said)


class Reports:
    """A ``DeviceReport`` that keeps what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def __call__(self, device: str, detail: str) -> None:
        self.told.append((device, detail))
