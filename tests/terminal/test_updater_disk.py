"""Publications on a disk that refuses: told, tried again, and never half in force."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from terminal.core.events import RulesActivated
from terminal.updater_pace import LONGEST_PAUSE_S
from tests.terminal.publication_attacks import no_signature
from tests.terminal.test_updater import renew, stored
from tests.town_hall import TownHall
from tests.updater_wall import Wall

CALLS = ("fsync", "mkdir", "link", "symlink", "rename", "replace", "unlink", "rmdir")


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    hall = TownHall(tmp_path / "town")
    hall.publish()
    return hall


@pytest.fixture
def wall(hall: TownHall, tmp_path: Path) -> Iterator[Wall]:
    wall = Wall(hall, tmp_path / "state")
    wall.turn()
    yield wall
    wall.close()


class FailingDisk:
    """Fails the ``nth`` call that changes the disk, counted from 0; with ``for_ever`` all later."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        nth: int,
        *,
        for_ever: bool = False,
        calls: Iterable[str] = CALLS,
    ) -> None:
        self.failed = 0
        self._left, self._for_ever = nth, for_ever
        for name in calls:
            patch.setattr(os, name, self._call(getattr(os, name)))

    def _call(self, call: Callable[..., object]) -> Callable[..., object]:
        def perhaps(*arguments: object, **named: object) -> object:
            self._left -= 1
            if self._left == -1 or (self._left < 0 and self._for_ever):
                self.failed += 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return call(*arguments, **named)

        return perhaps


def test_a_disk_that_fails_once_at_any_step_delays_a_publication_only(tmp_path: Path) -> None:
    hall = TownHall(tmp_path / "town")
    hall.publish()
    told = 0
    for nth in range(200):
        hall.permit("h-sato")
        hall.publish()
        wall = Wall(hall, tmp_path / f"state-{nth}")
        wall.turn()
        hall.permit("h-suzuki")
        number = hall.publish()
        with pytest.MonkeyPatch.context() as patch:
            disk = FailingDisk(patch, nth)
            wall.turn()
        told += len(wall.refusals)
        wall.turn(2 * LONGEST_PAUSE_S)
        assert wall.activated[-1] == number, nth
        assert [permit.holder for permit in wall.rules.permits] == ["h-suzuki"], nth
        assert wall.refusals in ([], [("not_stored", "disk")]), nth
        assert wall.states[-1] == "active", nth
        again = Wall(hall, wall.updater._settings.folder)
        assert again.stored is not None, nth
        assert again.stored.number == number, nth
        hall.send()
        wall.turn()
        sets = list((wall.updater._settings.folder / "sets").iterdir())
        assert len(sets) == 1, nth
        if not disk.failed:
            break
    assert nth > 40
    assert told > 30


def test_what_cannot_be_removed_holds_no_publication_up(
    hall: TownHall, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall.publish()
    FailingDisk(monkeypatch, 0, for_ever=True, calls=("rmdir",))
    wall.turn()
    assert wall.activated == [1, 2]
    assert wall.refusals == []


def test_a_link_that_was_lost_does_not_cost_the_sets(hall: TownHall, wall: Wall) -> None:
    folder = wall.updater._settings.folder
    (folder / "active").unlink()
    no_signature(hall)
    wall.turn()
    assert (folder / "sets/00000001/documents/roster.json").exists()


def test_a_full_disk_is_told_once_and_the_publication_is_taken_when_there_is_room(
    hall: TownHall, wall: Wall
) -> None:
    hall.permit("h-suzuki")
    hall.publish()
    with pytest.MonkeyPatch.context() as patch:
        disk = FailingDisk(patch, 0, for_ever=True)
        for _ in range(50):
            wall.turn(100)
        assert disk.failed >= 50
    assert wall.refusals == [("not_stored", "disk")]
    assert wall.states[-1] == "refused"
    wall.turn(LONGEST_PAUSE_S)
    assert wall.activated == [1, 2]
    assert wall.states[-1] == "active"


def test_a_full_disk_is_told_again_when_it_had_room_between(hall: TownHall, wall: Wall) -> None:
    for _ in range(2):
        renew(hall)
        with pytest.MonkeyPatch.context() as patch:
            FailingDisk(patch, 0, for_ever=True)
            wall.turn()
        wall.turn()
    assert wall.refusals == [("not_stored", "disk")] * 2


def test_the_alarm_ends_also_where_only_signatures_could_not_be_stored(
    hall: TownHall, wall: Wall
) -> None:
    renew(hall)
    with pytest.MonkeyPatch.context() as patch:
        FailingDisk(patch, 0, for_ever=True)
        wall.turn()
    wall.turn()
    assert b'"version":2' in stored(wall, "metadata/timestamp.json")
    assert wall.activated == [1, 1]
    assert isinstance(wall.emitted[-2], RulesActivated)
    assert wall.states[-1] == "active"


def test_a_disk_that_gives_nothing_back_does_not_stop_the_start(
    hall: TownHall, wall: Wall, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    again = Wall(hall, tmp_path / "file/state")
    assert again.stored is None
    assert again.refusals == [("not_stored", "disk")]
    again.turn()
    assert again.activated == []


def test_a_lost_file_of_the_stored_metadata_is_fetched_again(hall: TownHall, wall: Wall) -> None:
    lost = wall.updater._settings.folder / "active/metadata/timestamp.json"
    lost.unlink()
    wall.turn(3600)
    assert lost.exists()
    assert wall.refusals == []


@pytest.mark.parametrize("journey", ["new_settings", "after_failed_settings"])
def test_whoever_pulls_the_plug_finds_the_old_publication_or_the_new_one(
    tmp_path: Path, journey: str
) -> None:
    command = [sys.executable, "-m", "tests.terminal.killed_updates", str(tmp_path), journey]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    assert found["lost"] == []
    assert found["steps"] > 40
    assert found["old"] > 20
    assert found["new"] > 3
