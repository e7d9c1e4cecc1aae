"""One tap, measured: a real terminal's way from card to strike, beside bare pyscard.

In turns, on one pcscd with two virtual readers: the terminal (its own processes, its own journal,
broker and ledger beside it) reads the card on the first reader and releases the strike; a bare
pyscard process sends the very same commands to the same kind of card on the second. Who goes
first changes with every pair. From where to where is measured, `Series` says.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.card_key import CardKey
from drivers.virtual_cards.faults import Slow, Timing
from drivers.virtual_cards.piv import PivCard
from drivers.virtual_cards.vpcd import insert
from provisioning import authority
from provisioning.demo.samples import holder_id
from provisioning.demo.town import PORTAL
from tests.bench.timed_card import TimedCard
from tests.walk.published import Document, edit, publish
from tests.walk.wall import Wall

NS_PER_MS = 1_000_000
PATIENCE_S = 20.0
LOOK_EVERY_S = 0.002
REAL_CARD = Timing(bitrate=106, crypto_ms=60.0)
SHORTEST_STRIKE_MS = 500
CARDS = {"P-256": "suzuki", "RSA-2048": "sato"}
SPEEDS: dict[str, Timing | None] = {"at 0 ms": None, "as a real card": REAL_CARD}


@dataclass
class Series:
    """Pairs of taps with one kind of card; all times in milliseconds.

    ``whole`` from the first command's arrival at the card to the strike's edge; ``bare`` from the
    same moment to bare pyscard having its last answer. ``card`` and ``bare_card`` are the part of
    each until the card had given its last answer, ``after`` and ``bare_after`` the rest.
    ``connected`` is the part before: from bare pyscard's successful connect to that first command.
    """

    key: str
    speed: str
    commands: int = 0
    octets: int = 0
    whole: list[float] = field(default_factory=list)
    card: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    bare_card: list[float] = field(default_factory=list)
    bare_after: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)


class Bare:
    """The bare pyscard process, at one reader."""

    def __init__(self, reader: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bare", reader],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ask(self, apdus: list[bytes]) -> None:
        """Have it wait for a card and send these commands."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"apdus": [one.hex() for one in apdus]}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> tuple[int, int]:
        """When it had connected, and when it had its last answer (monotonic ns)."""
        told = json.loads(self._hear())
        if not told["good"]:
            raise RuntimeError("the card refused a command of the trace; nothing was measured")
        return told["connected_ns"], told["answered_ns"][-1]

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare pyscard process has ended")
        return line


def prepare(wall: Wall) -> None:
    """Let both cards in, and lock the strike again soon, so that every tap has an edge."""

    def let_in(access: Document) -> None:
        access["portals"][0]["strike_ms"] = SHORTEST_STRIKE_MS
        access["permits"] += [
            {"portal": PORTAL, "schedule": "always", "holder": holder_id(key)}
            for key in CARDS.values()
        ]

    edit(wall.stage.town.town, "access", let_in)
    publish(wall)


@contextmanager
def bare_at(wall: Wall) -> Iterator[Bare]:
    """The bare process at the second reader."""
    bare = Bare(wall.pcscd.readers[1])
    try:
        yield bare
    finally:
        bare.close()


def measure(wall: Wall, bare: Bare, taps: int, progress: Callable[[str], None]) -> list[Series]:
    """All cards at all speeds, `taps` pairs each, after one pair that does not count."""
    measured = []
    for name, key in CARDS.items():
        for speed, timing in SPEEDS.items():
            progress(f"{name}, {speed}")
            measured.append(_series(wall, bare, name, speed, _cards(wall, key, timing), taps))
    return measured


def _cards(wall: Wall, key: str, timing: Timing | None) -> tuple[TimedCard, TimedCard]:
    """Two copies of one staff member's card, for the two readers."""
    made = authority.load_card(wall.stage.town.town, key)

    def card() -> TimedCard:
        good: VirtualCard = PivCard(CardKey(made.certificate, made.key))
        return TimedCard(good if timing is None else Slow(good, timing))

    return card(), card()


def _series(
    wall: Wall, bare: Bare, name: str, speed: str, cards: tuple[TimedCard, TimedCard], taps: int
) -> Series:
    ours, other = cards
    _tap(wall, ours)
    trace = list(ours.trace)
    _tap_bare(wall, bare, other, trace)
    series = Series(name, speed, commands=len(trace), octets=ours.bytes)
    for number in range(taps):
        for terminal in (True, False) if number % 2 else (False, True):
            if terminal:
                strike_ns = _tap(wall, ours)
                trace = list(ours.trace)
                series.whole.append((strike_ns - ours.first_ns) / NS_PER_MS)
                series.card.append((ours.last_ns - ours.first_ns) / NS_PER_MS)
                series.after.append((strike_ns - ours.last_ns) / NS_PER_MS)
            else:
                connected_ns, answered_ns = _tap_bare(wall, bare, other, trace)
                series.bare.append((answered_ns - other.first_ns) / NS_PER_MS)
                series.bare_card.append((other.last_ns - other.first_ns) / NS_PER_MS)
                series.bare_after.append((answered_ns - other.last_ns) / NS_PER_MS)
                series.connected.append((other.first_ns - connected_ns) / NS_PER_MS)
    return series


def _tap(wall: Wall, card: TimedCard) -> int:
    """Hold the card to the terminal; returns when the strike was released (monotonic ns)."""
    _wait("the strike was not locked again", lambda: _strike(wall) is None)
    wall.edges.clear()
    card.begin()
    with insert(card, wall.pcscd.slots[0], patience_s=PATIENCE_S):
        _wait("the terminal did not release the strike", lambda: _strike(wall) is not None)
    return _strike(wall) or 0


def _tap_bare(wall: Wall, bare: Bare, card: TimedCard, trace: list[bytes]) -> tuple[int, int]:
    card.begin()
    bare.ask(trace)
    with insert(card, wall.pcscd.slots[1], patience_s=PATIENCE_S):
        return bare.answer()


def _strike(wall: Wall) -> int | None:
    """When the strike was released; None while it is locked."""
    edges = [edge for edge in list(wall.edges) if edge.pin == "strike"]
    return edges[-1].mono_ns if edges and edges[-1].value else None


def _wait(complaint: str, what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        if time.monotonic() > end:
            raise RuntimeError(f"{complaint} within {PATIENCE_S:g} s")
        time.sleep(LOOK_EVERY_S)
