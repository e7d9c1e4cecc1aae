"""kill -9 of every process, at any moment of a tap: nothing acknowledged is lost or doubled.

The terminal is killed with its reader's process, as a power cut would; then the reader's process
alone, pcscd, the broker (with whatever it had acknowledged) and the ledger. After each kill the
victim is started again and a card must be acknowledged, without anybody touching anything else.
"""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import pytest

from provisioning.demo.hand import NoReaderError
from tests.walk.wall import Wall, lost_or_doubled

pytestmark = pytest.mark.real

EVERYDAY, ALL = 25, 200
RECOVERS_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Victim:
    """A process: how it is killed, and how it comes back."""

    name: str
    kill: Callable[[], None]
    restore: Callable[[], None]


def victims(wall: Wall) -> list[Victim]:
    stage = wall.stage
    return [
        Victim("terminal", stage.cut_power, stage.power_on),
        Victim("reader process", lambda: kill_reader(stage.terminal.pid), lambda: None),
        Victim("pcscd", wall.pcscd.kill, wall.pcscd.start),
        Victim("broker", stage.kill_broker, stage.start_broker),
        Victim("ledger", stage.ledger.kill, wall.start_ledger),
    ]


def kill_reader(terminal: int | None) -> None:
    """Kill the terminal's only child, the process that talks to pcscd."""
    children = Path(f"/proc/{terminal}/task/{terminal}/children").read_text().split()
    for child in children:
        os.kill(int(child), signal.SIGKILL)


def rounds(wall: Wall, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    for number, victim in enumerate(islice(cycle(victims(wall)), kills), start=1):
        delay_s = chance.uniform(0, 0.6)
        killer = threading.Timer(delay_s, victim.kill)
        killer.start()
        # Where pcscd dies under the card, or before it, nobody is told anything.
        with contextlib.suppress(OSError, NoReaderError):
            wall.tap("suzuki", within_s=1.5, patience_s=1.5)
        killer.join()
        victim.restore()
        recovered_by = time.monotonic() + RECOVERS_WITHIN_S
        while not wall.tap("suzuki", within_s=3.0).acknowledged:
            assert time.monotonic() < recovered_by, (
                f"kill {number} ({victim.name}, after {delay_s:.3f} s, seed {seed}): "
                f"no card was read again within {RECOVERS_WITHIN_S} s"
            )


def show_nothing_lost(wall: Wall, kills: int, seed: int) -> None:
    rounds(wall, kills, seed)
    proven = wall.wait_until_proven()
    acknowledged = sum(tap.acknowledged for tap in wall.taps)
    print(f"\n{kills} kills, {len(wall.taps)} taps, {acknowledged} acknowledged, seed {seed}")
    assert lost_or_doubled(proven, wall.taps) == []
    assert proven.findings == ()
    assert wall.off_list() == []


def test_nothing_acknowledged_is_lost_or_doubled_over_25_kills(wall: Wall) -> None:
    show_nothing_lost(wall, EVERYDAY, seed=random.randrange(10**6))


@pytest.mark.all
@pytest.mark.timeout(1800)
def test_nothing_acknowledged_is_lost_or_doubled_over_200_kills(wall: Wall) -> None:
    show_nothing_lost(wall, ALL, seed=random.randrange(10**6))
