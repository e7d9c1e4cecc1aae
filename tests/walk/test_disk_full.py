"""A full disk under the running terminal: no strike, no tone of success, and nothing breaks.

The terminal's state lies on a small file system of its own, which the test fills to the last byte.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.core.reasons import Reason
from tests.pcsc_sandbox import Pcscd
from tests.walk.wall import REFUSED_HZ, Wall, lost_or_doubled, town

pytestmark = pytest.mark.real

SMALL = b"size=24m"


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of 24 MB at ``place``, in our own mount namespace."""
    place.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, SMALL) != 0:
        raise OSError(ctypes.get_errno(), "a small file system was not mounted")
    try:
        yield
    finally:
        libc.umount2(os.fsencode(place), 2)


def fill(place: Path) -> None:
    """Leave not one byte free."""
    with (place / "filler").open("wb", buffering=0) as filler:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while filler.write(b"\0" * size) == size:
                    pass


@pytest.fixture
def narrow_wall(tmp_path: Path) -> Iterator[tuple[Wall, Path]]:
    place = tmp_path / "demo" / "terminal" / "state"
    with small_disk(place), Pcscd(tmp_path) as pcscd, town(tmp_path, pcscd) as wall:
        yield wall, place


def test_what_cannot_be_recorded_opens_no_door_and_the_next_tap_works(
    narrow_wall: tuple[Wall, Path],
) -> None:
    wall, disk = narrow_wall
    assert wall.tap("suzuki").acknowledged
    fill(disk)
    taps = [wall.tap("suzuki")]
    # The journal's reserve takes some records more; then the disk is really full.
    while taps[-1].acknowledged:
        fill(disk)
        taps.append(wall.tap("suzuki"))
        assert len(taps) < 200
    refused = taps[-1]
    assert refused.tone_hz == REFUSED_HZ
    assert wall.released_since(refused.from_ms) == 0
    (disk / "filler").unlink()
    assert wall.tap("suzuki").acknowledged
    proven = wall.wait_until_proven()
    assert proven.findings == ()
    assert lost_or_doubled(proven, wall.taps) == []
    granted = [one for one in proven.members if one["reason"] == Reason.PERMITTED]
    assert len(granted) == sum(tap.acknowledged for tap in wall.taps)


def test_the_state_folder_survives_for_the_next_start(narrow_wall: tuple[Wall, Path]) -> None:
    wall, disk = narrow_wall
    assert wall.tap("suzuki").acknowledged
    fill(disk)
    wall.stage.cut_power()
    (disk / "filler").unlink()
    wall.stage.power_on()
    wall.wait(lambda: wall.tap("suzuki", within_s=3).acknowledged)
    assert wall.wait_until_proven().findings == ()
