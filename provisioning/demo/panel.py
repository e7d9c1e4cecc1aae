"""The terminal's panel from outside: what its pins and its display do, and its buttons.

The terminal process writes each edge of its (mock) pins and each frame of its display to a pipe
it inherited, as lines of JSON, and reads presses of its buttons from another. This is the only
way in which the demo sees or touches the terminal's outputs.

Out: ``{"pin":"strike|ring|cross|buzzer","value":0|1,"mono_ns":...}`` (the buzzer's value is its
hertz, 0 is silence) and ``{"frame":"<base64 of 1,024 bytes>","mono_ns":...}``. In:
``{"press":"button-1"}`` or ``{"press":"exit"}``.

Rules: lines that are not understood are passed over; the pipe's end is a power cut.
"""

import contextlib
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice

from provisioning.demo.shown import PanelState

log = logging.getLogger(__name__)

KEPT = 4_000
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Edge:
    """A pin's change: ``value`` is 0 or 1, for the buzzer its hertz; time of the terminal."""

    pin: str
    value: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class PanelPipes:
    """The ends that the terminal inherits: it writes to ``out``, reads from ``presses``."""

    out: int
    presses: int


class Panel:
    """Follows one terminal after another. Any thread may ask."""

    def __init__(self, on_edge: Callable[[Edge], None] | None = None) -> None:
        self._on_edge = on_edge
        self._lock = threading.Lock()
        self._state = PanelState()
        self._edges: deque[Edge] = deque(maxlen=KEPT)
        self._count = 0
        self._presses = -1
        self._run = 0

    @property
    def state(self) -> PanelState:
        """Pins and display as they are now."""
        with self._lock:
            return self._state

    def connect(self) -> PanelPipes:
        """Make the pipes for a terminal that is about to start, and follow it.

        Both ends of the answer must be closed here once the process has inherited them.
        """
        seen, out = os.pipe()
        presses, hand = os.pipe()
        with self._lock:
            self._run += 1
            self._presses = hand
            self._state = PanelState(power=True)
            followed = (seen, hand, self._run)
        threading.Thread(target=self._follow, args=followed, name="panel", daemon=True).start()
        return PanelPipes(out, presses)

    def press(self, name: str) -> None:
        """Press ``button-1`` ... or ``exit``; nothing happens while there is no power."""
        with self._lock, contextlib.suppress(OSError):
            if self._presses >= 0:
                os.write(self._presses, json.dumps({"press": name}).encode() + b"\n")

    def buzzer_after(self, number: int) -> tuple[int, list[tuple[int, float]]]:
        """The buzzer's edges after the ``number``-th of all edges: hertz and milliseconds."""
        with self._lock:
            new = min(self._count - number, len(self._edges))
            late = list(islice(self._edges, len(self._edges) - new, None)) if new > 0 else []
            count = self._count
        edges = [(edge.value, edge.mono_ns / _NS_PER_MS) for edge in late if edge.pin == "buzzer"]
        return count, edges

    def _follow(self, seen: int, hand: int, run: int) -> None:
        with os.fdopen(seen, "rb") as lines:
            for line in lines:
                self._take(line)
        with self._lock:
            os.close(hand)
            if run == self._run:
                # The power is gone: lamps and tone with it, and the strike holds the door.
                self._presses = -1
                self._state = PanelState()

    def _take(self, line: bytes) -> None:
        try:
            told = json.loads(line)
            if "frame" in told:
                with self._lock:
                    self._state = replace(self._state, frame=str(told["frame"]))
                return
            edge = Edge(str(told["pin"]), int(told["value"]), int(told["mono_ns"]))
        except (ValueError, KeyError, TypeError):
            log.warning("a line of the panel was not understood")
            return
        if self._on_edge is not None:
            self._on_edge(edge)
        with self._lock:
            self._edges.append(edge)
            self._count += 1
            self._state = _after(self._state, edge)


def _after(state: PanelState, edge: Edge) -> PanelState:
    match edge.pin:
        case "ring":
            return replace(state, ring=edge.value > 0)
        case "cross":
            return replace(state, cross=edge.value > 0)
        case "strike":
            return replace(state, strike=edge.value > 0)
        case "buzzer":
            return replace(state, hertz=edge.value)
        case _:
            return state
