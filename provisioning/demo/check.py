"""``./kazasu demo --check``: the whole path without a browser, many taps, and the proof.

Every sample card is tapped ``taps`` times, in turns, on real processes: terminal, broker, ledger.
In the middle the broker is killed (SIGKILL), stays away for a round of taps and comes back with
nothing but what is published to it again. At the end the ledger's database must prove one record
for every tap that the cards have counted, with the outcome that the card must have.

The terminal is watched from outside throughout:

- a tone or a released door may only come once its record is on the terminal's disk: at each
  rising edge the journal is read, and the record must be there already;
- what the cards have heard is held against a list written by hand; no PIN was ever sent.

In every third round the person with access presses the button for "in" first, so punches and
duplicates are among the taps.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from provisioning.demo.commands import off_list
from provisioning.demo.hand import Presence
from provisioning.demo.panel import Edge
from provisioning.demo.proof import Tap, attribute, prove
from provisioning.demo.report import CardCount, Finding, Kind, Report
from provisioning.demo.samples import PERMITTED, SAMPLES, Sample
from provisioning.demo.shown import Row
from provisioning.demo.stage import Stage
from terminal.core.reasons import Reason
from terminal.core.records import RecordKind

TAP_WITHIN_S = 15.0
QUIET_S = 0.22
TONE_WITHIN_S = 3.0
AFTER_BUTTON_S = 0.1
PROVEN_WITHIN_S = 90.0
PUNCH_EVERY = 3
OUTPUTS = frozenset({"buzzer", "strike"})

Progress = Callable[[str, int, int], None]
"""Called with what is done (a card's key, broker-killed, broker-back, proof), number, of."""

Spoil = Callable[[Stage], None]
"""What a plant does to the records before they are proven."""


class Watcher:
    """Holds every rising edge of tone and strike against the journal, at that very moment."""

    def __init__(self) -> None:
        self.stage: Stage | None = None
        self.early: list[str] = []
        self._lock = threading.Lock()
        self._begun_ms: int | None = None
        self._card = ""
        self._presence: Presence | None = None
        self._sounded = threading.Event()
        self._last_edge_s = 0.0
        self._hertz = 0

    def begin(self, card: str) -> int:
        """A tap of ``card`` begins now; returns the moment (ms of the monotonic clock)."""
        with self._lock:
            self._card, self._presence = card, None
            self._sounded.clear()
            self._begun_ms = time.monotonic_ns() // 1_000_000
            return self._begun_ms

    def lies_there(self, presence: Presence) -> None:
        """The card is held to the reader: what sounded before it had power is the former tap's."""
        with self._lock:
            self._presence = presence

    def edge(self, edge: Edge) -> None:
        """A pin of the terminal has changed; called from the panel's thread."""
        if edge.pin not in OUTPUTS:
            return
        with self._lock:
            begun, card, presence = self._begun_ms, self._card, self._presence
            if edge.pin == "buzzer":
                self._hertz, self._last_edge_s = edge.value, time.monotonic()
        if edge.value == 0 or begun is None or self.stage is None:
            return
        if presence is None or not presence.powered.is_set():
            return
        self.stage.look()
        if not _tap_rows(self.stage, begun):
            what = "sounded" if edge.pin == "buzzer" else "released the door"
            with self._lock:
                self.early.append(f"the terminal {what} for {card} before its record was on disk")
        self._sounded.set()

    def wait_until_quiet(self) -> None:
        """Wait, as people do, for the tone and its end."""
        self._sounded.wait(TONE_WITHIN_S)
        while True:
            with self._lock:
                quiet_for = time.monotonic() - self._last_edge_s if not self._hertz else 0.0
            if quiet_for >= QUIET_S:
                return
            time.sleep(QUIET_S / 8)


def run(
    stage: Stage, watcher: Watcher, rounds: int, progress: Progress, spoil: Spoil | None = None
) -> Report:
    """Play the whole check on a started stage; ``spoil`` acts just before the proof."""
    begun = time.monotonic()
    taps = _tap_all(stage, watcher, rounds, progress)
    progress("proof", 0, 1)
    complete = stage.wait_for(lambda: stage.counts().waiting == 0, PROVEN_WITHIN_S)
    journalled = stage.counts().recorded
    if spoil is not None:
        spoil(stage)
    found = prove(stage.town.town, stage.town.places.ledger)
    counts, wrong_taps = attribute(found.members, taps)
    findings = list(found.findings)
    # Where the chain is broken, taps without a proven record only follow from it.
    if not found.broken:
        findings += wrong_taps
    if not found.broken and not (complete and found.received == journalled):
        text = f"the terminal has {journalled} records, {found.received} of them are proven"
        findings.append(Finding(Kind.UNRECEIVED, text))
    findings += [Finding(Kind.EARLY_BEEP, text) for text in watcher.early]
    for key, card in stage.cards.items():
        counts.setdefault(key, CardCount()).taps = card.taps
        heard = off_list(card.trace)
        findings += [Finding(Kind.OFF_LIST_APDU, f"{key} was sent {one}") for one in heard]
        if card.verifies or card.forbidden_selects:
            findings.append(Finding(Kind.PIN, f"{key} was sent a PIN or a national application"))
    progress("proof", 1, 1)
    seconds = time.monotonic() - begun
    return Report(found.records, found.received, counts, tuple(findings), seconds)


def _tap_all(stage: Stage, watcher: Watcher, rounds: int, progress: Progress) -> list[Tap]:
    taps: list[Tap] = []
    middle = rounds // 2
    total = rounds * len(SAMPLES)
    for number in range(rounds):
        if number == middle:
            progress("broker-killed", len(taps), total)
            stage.kill_broker()
        for sample in SAMPLES:
            taps.append(_tap(stage, watcher, sample, number))
            progress(sample.key, len(taps), total)
        if number == middle:
            stage.start_broker()
            progress("broker-back", len(taps), total)
    return taps


def _tap(stage: Stage, watcher: Watcher, sample: Sample, number: int) -> Tap:
    """One tap as a person does it: hold, wait for the answer, take away, let the tone end."""
    punches = sample.key == PERMITTED and number % PUNCH_EVERY == 1
    if punches:
        stage.panel.press("button-1")
        time.sleep(AFTER_BUTTON_S)
    begun_ms = watcher.begin(sample.key)
    presence = stage.hand.hold(sample.key, stage.cards[sample.key], TAP_WITHIN_S)
    watcher.lies_there(presence)
    stage.wait_for(lambda: bool(_tap_rows(stage, begun_ms)), TAP_WITHIN_S)
    stage.hand.take(presence)
    until_ms = time.monotonic_ns() // 1_000_000
    watcher.wait_until_quiet()
    tap = Tap(sample.key, begun_ms, until_ms, frozenset({sample.outcome}))
    if not punches:
        return tap
    # The guard of five minutes decides which of the two; a slow machine may be past it.
    first = number < PUNCH_EVERY
    punched = {Reason.PUNCHED_IN} if first else {Reason.PUNCHED_IN, Reason.ALREADY_PUNCHED}
    return replace(tap, expected=frozenset(punched))


def _tap_rows(stage: Stage, begun_ms: int) -> tuple[Row, ...]:
    """The records of the tap that began then, as far as they are on the terminal's disk."""
    rows = stage.since(begun_ms)
    return tuple(row for row in rows if row.kind != RecordKind.TERMINAL)
