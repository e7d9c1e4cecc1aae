"""``./kazasu demo --check``: the whole path without a browser, many taps, and the proof.

Every sample card is tapped ``taps`` times, in turns, on real processes: terminal, broker, ledger.
In the middle the broker is killed (SIGKILL), stays away for a round of taps and comes back with
nothing but what is published to it again. At the end the ledger's database must prove one record
for every tap that the cards have counted, with the outcome that the card must have.

The terminal is watched from outside throughout:

- every tap is answered by a tone, and only who may by the ring lamp and an open door; none of
  these before the record is on the terminal's disk (``answers`` says how that is seen);
- what the cards have heard is held against a list written by hand; no PIN was ever sent.

At the end the terminal is told to end: it then writes down how far it has taken the ledger's
receipts, which must be all that were given.

In every third round the person with access presses the button for "in" first, so punches and
duplicates are among the taps.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from provisioning.demo.answers import Watcher, judge
from provisioning.demo.commands import off_list
from provisioning.demo.proof import Tap, attribute, counted, prove
from provisioning.demo.report import CardCount, Finding, Kind, Report
from provisioning.demo.samples import PERMITTED, SAMPLES, Sample
from provisioning.demo.shown import Row
from provisioning.demo.stage import Stage
from terminal.core.reasons import Reason
from terminal.core.records import RecordKind

TAP_WITHIN_S = 15.0
AFTER_BUTTON_S = 0.1
PROVEN_WITHIN_S = 90.0
PUNCH_EVERY = 3
HEARD_WITHIN_S = (0.5, 2.0, 5.0)
"""How long a receipt may be on its way from the ledger into the terminal, at each try."""

Progress = Callable[[str, int, int], None]
"""Called with what is done (a card's key, broker-killed, broker-back, proof), number, of."""

Spoil = Callable[[Stage], None]
"""What a plant does to the records before they are proven."""


def run(
    stage: Stage, watcher: Watcher, rounds: int, progress: Progress, spoil: Spoil | None = None
) -> Report:
    """Play the whole check on a started stage; ``spoil`` acts just before the proof."""
    begun = time.monotonic()
    taps = _tap_all(stage, watcher, rounds, progress)
    progress("proof", 0, 1)
    complete = stage.wait_for(lambda: stage.counts().waiting == 0, PROVEN_WITHIN_S)
    counted_now = stage.counts()
    if spoil is not None:
        spoil(stage)
    found = prove(stage.town.town, stage.town.places.ledger)
    counts, wrong_taps = attribute(found.members, taps)
    findings = list(found.findings)
    # Where the chain is broken, taps without a proven record only follow from it.
    if not found.broken:
        findings += wrong_taps
    if not found.broken and not (complete and found.received == counted_now.recorded):
        told = f"{counted_now.recorded} records, {found.received} of them are proven"
        findings.append(Finding(Kind.UNRECEIVED, f"the terminal has {told}"))
    findings += watcher.findings + judge(taps)
    findings += counted(taps, {key: card.taps for key, card in stage.cards.items()})
    findings += _heard_by_cards(stage, counts)
    findings += _deaf(stage, counted_now.received)
    progress("proof", 1, 1)
    seconds = time.monotonic() - begun
    return Report(found.records, found.received, counts, tuple(findings), seconds)


def _heard_by_cards(stage: Stage, counts: dict[str, CardCount]) -> list[Finding]:
    """What the cards have counted and heard; fills in the taps of ``counts``."""
    findings = []
    for key, card in stage.cards.items():
        counts.setdefault(key, CardCount()).taps = card.taps
        heard = off_list(card.trace)
        findings += [Finding(Kind.OFF_LIST_APDU, f"{key} was sent {one}") for one in heard]
        if card.verifies or card.forbidden_selects:
            findings.append(Finding(Kind.PIN, f"{key} was sent a PIN or a national application"))
    return findings


def _deaf(stage: Stage, given: int) -> list[Finding]:
    """End the terminal and ask its journal how far it took the receipts; the ledger gave ``given``.

    A receipt may just be on its way on a slow machine, so the terminal gets two more chances.
    """
    cursor = 0
    for within_s in HEARD_WITHIN_S:
        if not stage.terminal.running:
            stage.power_on()
            stage.wait_for(lambda: stage.counts().waiting == 0, PROVEN_WITHIN_S)
        time.sleep(within_s)
        if not stage.end_terminal():
            return [Finding(Kind.DEAF, "the terminal did not end in order when it was told to")]
        cursor = stage.cursor()
        if cursor >= given:
            return []
    text = f"the ledger gave receipts up to record {given}, the terminal took them up to {cursor}"
    return [Finding(Kind.DEAF, text)]


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
    answer = watcher.answered()
    tap = Tap(sample.key, begun_ms, until_ms, frozenset({sample.outcome}), answer)
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
