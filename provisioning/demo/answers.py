"""What the terminal answered to each tap: tones, the ring lamp, the strike, as seen from outside.

An answer may only come once the tap's record is on the terminal's disk. When a rising edge is
heard, the journal is read at once: without the record the edge was early. A record that is there
already may still have been written after the edge, while its line was on its way here; so the
moment of the journal's last write is held against the moment that the terminal gave the edge.
The kernel tells that moment to a tick of its clock, some milliseconds; no check sees finer.

What each tap must be answered with is written down here by hand: always a tone; to who may, the
ring lamp; the strike to who may enter, and to nobody else.

Rules: ``Watcher.edge`` is called by the panel's thread, the rest by the one that taps.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from provisioning.demo.panel import Edge
from provisioning.demo.proof import Tap
from provisioning.demo.report import Finding, Kind
from provisioning.demo.shown import Answer
from terminal.core.reasons import Reason

QUIET_S = 0.22
"""Longer than any pause within a tone."""
DARK_S = 0.3
"""Longer than a blinking lamp is dark."""
TONE_WITHIN_S = 3.0
OUTPUTS = frozenset({"buzzer", "ring", "strike"})
GREEN = frozenset({Reason.PERMITTED, Reason.PUNCHED_IN, Reason.ALREADY_PUNCHED})
"""Outcomes of those who may: the ring lamp stays lit for a while."""
BOTH_LAMPS = frozenset({Reason.MUTE})
"""Outcomes that ask for another try: both lamps blink."""
_DID = {"buzzer": "sounded", "ring": "lit its ring lamp", "strike": "released the door"}


class Held(Protocol):
    """A card at the reader, as far as it matters here."""

    powered: threading.Event


OnDisk = Callable[[int, int], bool]
"""Whether a record of a tap that began at the first moment (ms) was on the terminal's disk at the
second (ns), both of the monotonic clock."""


@dataclass(slots=True)
class _Heard:
    """What was heard for the present tap; ``waiting`` are edges of a card not yet known to lie."""

    card: str = ""
    begun_ms: int = 0
    held: Held | None = None
    waiting: list[tuple[str, bool]] | None = None
    sounded: bool = False
    ring: bool = False
    green: bool = False
    released: bool = False


class Watcher:
    """Gathers the edges of one tap after another, each held against the journal."""

    def __init__(self, on_disk: OnDisk | None = None) -> None:
        self.on_disk = on_disk
        self.findings: list[Finding] = []
        self._lock = threading.Lock()
        self._heard = _Heard()
        self._sounded = threading.Event()
        self._moved_s = {"buzzer": 0.0, "ring": 0.0}
        self._lit = {"buzzer": 0, "ring": 0}
        self._blinks = False

    def begin(self, card: str) -> int:
        """A tap of ``card`` begins now; returns the moment (ms of the monotonic clock)."""
        with self._lock:
            begun_ms = time.monotonic_ns() // 1_000_000
            self._heard = _Heard(card, begun_ms, waiting=[])
            self._sounded.clear()
            self._blinks = False
            return begun_ms

    def lies_there(self, held: Held) -> None:
        """The card is held to the reader: what sounded before it had power is the former tap's."""
        with self._lock:
            heard = self._heard
            waiting, heard.waiting = heard.waiting or [], None
            heard.held = held
            for pin, early in waiting:
                self._take(pin, early=early)

    def edge(self, edge: Edge) -> None:
        """A pin of the terminal has changed."""
        if edge.pin not in OUTPUTS:
            return
        with self._lock:
            heard, on_disk = self._heard, self.on_disk
            if edge.pin in self._lit:
                self._lit[edge.pin], self._moved_s[edge.pin] = edge.value, time.monotonic()
                # A steady lamp outlasts its tone by far.
                self._blinks |= edge.pin == "ring" and edge.value == 0 and heard.ring
        if edge.value == 0 or on_disk is None or not heard.card:
            return
        early = not on_disk(heard.begun_ms, edge.mono_ns)
        with self._lock:
            if heard.waiting is not None:
                heard.waiting.append((edge.pin, early))
            else:
                self._take(edge.pin, early=early)

    def answered(self) -> Answer:
        """What the present tap was answered with so far."""
        with self._lock:
            heard = self._heard
            return Answer(heard.sounded, heard.ring, heard.green, heard.released)

    def wait_until_quiet(self) -> None:
        """Wait, as people do, for the tone and its end, and for a lamp that blinks."""
        self._sounded.wait(TONE_WITHIN_S)
        while not self._quiet():
            time.sleep(QUIET_S / 8)

    def _quiet(self) -> bool:
        now = time.monotonic()
        with self._lock:
            silent = not self._lit["buzzer"] and now - self._moved_s["buzzer"] >= QUIET_S
            dark = not self._lit["ring"] and now - self._moved_s["ring"] >= DARK_S
            return silent and (dark or not self._blinks)

    def _take(self, pin: str, *, early: bool) -> None:
        heard = self._heard
        if heard.held is None or not heard.held.powered.is_set():
            if pin == "strike":
                text = f"the door was released before {heard.card} was at the reader"
                self.findings.append(Finding(Kind.WRONG_ANSWER, text))
            return
        if early:
            text = f"the terminal {_DID[pin]} for {heard.card} before its record was on disk"
            self.findings.append(Finding(Kind.EARLY_BEEP, text))
        match pin:
            case "buzzer":
                heard.sounded = True
                self._sounded.set()
            case "ring":
                heard.ring = True
                heard.green |= not early
            case _:
                heard.released = True


def judge(taps: Iterable[Tap]) -> list[Finding]:
    """Hold each tap's answer against what its outcome asks for."""
    return [
        Finding(kind, f"tap {number} of the check ({tap.card}) {text}")
        for number, tap in enumerate(taps, 1)
        for kind, text in _wrong(tap)
    ]


def _wrong(tap: Tap) -> list[tuple[Kind, str]]:
    answer, green = tap.answer, tap.expected <= GREEN
    opens = tap.expected == {Reason.PERMITTED}
    rules = (
        (not answer.sounded, Kind.NO_ANSWER, "got no tone"),
        (green and not answer.ring, Kind.NO_ANSWER, "did not light the ring lamp"),
        (opens and not answer.released, Kind.NO_ANSWER, "did not release the door"),
        (not opens and answer.released, Kind.WRONG_ANSWER, "released the door"),
        (
            answer.green and not green and not tap.expected <= BOTH_LAMPS,
            Kind.WRONG_ANSWER,
            "lit the ring lamp",
        ),
    )
    return [(kind, text) for broken, kind, text in rules if broken]
