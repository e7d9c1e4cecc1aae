"""The life of publications at a terminal: taken, kept, told, and never an older one."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from provisioning.publication import renew_timestamp
from terminal.core.events import PublicationAged
from terminal.updater import REFRESH_S
from terminal.updater_active import read_pin
from tests.terminal.publication_attacks import unchanged
from tests.town_hall import OTHER, TERMINAL, TownHall
from tests.updater_wall import Wall

NEVER = timedelta(days=4000)


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    return TownHall(tmp_path / "town")


@pytest.fixture
def wall(hall: TownHall, tmp_path: Path) -> Iterator[Wall]:
    wall = Wall(hall, tmp_path / "state")
    yield wall
    wall.close()


def test_the_first_publication_is_taken_whole(hall: TownHall, wall: Wall) -> None:
    assert wall.stored is None
    hall.publish()
    wall.turn()
    assert wall.activated == [1]
    assert [permit.holder for permit in wall.rules.permits] == ["h-sato"]
    assert wall.states == ["fetching", "active"]


def test_a_changed_permit_and_text_reach_a_running_terminal(hall: TownHall, wall: Wall) -> None:
    hall.publish()
    wall.turn()
    hall.permit("h-sato", "h-suzuki")
    hall.say_ready("お待ちしています")
    hall.publish()
    wall.turn()
    assert wall.activated == [1, 2]
    assert [permit.holder for permit in wall.rules.permits] == ["h-sato", "h-suzuki"]
    assert wall.rules.texts["ready"] == ("お待ちしています",)
    assert wall.refusals == []


def test_the_thread_takes_what_comes(hall: TownHall, wall: Wall) -> None:
    wall.close()
    other = Wall(hall, wall.updater._settings.folder)
    other.close()
    other.updater._stopping.clear()
    other.updater._road._stopping.clear()
    other.updater.start()
    hall.publish()
    deadline = datetime.now(UTC) + timedelta(seconds=20)
    while not other.activated and datetime.now(UTC) < deadline:
        other.updater._thread.join(0.02)
    other.close()
    assert other.activated == [1]
    assert not other.updater._thread.is_alive()


def test_stopping_does_not_wait_for_a_slow_file(hall: TownHall, wall: Wall) -> None:
    wall.close()
    slow = Wall(hall, wall.updater._settings.folder)
    slow.close()
    slow.updater._stopping.clear()
    slow.updater._road._stopping.clear()
    hall.publish()
    del hall.broker.kept["kazasu/v1/minami/_publication/file/metadata~timestamp.json/0"]
    slow.updater.start()
    begun = time.monotonic()
    while not any("timestamp" in asked for asked in hall.broker.asked):
        assert time.monotonic() < begun + 20
        slow.updater._thread.join(0.02)
    slow.close()
    assert not slow.updater._thread.is_alive()
    assert slow.refusals == []


def test_the_same_index_again_changes_nothing(hall: TownHall, wall: Wall) -> None:
    hall.publish()
    wall.turn()
    wall.emitted.clear()
    active = (wall.updater._settings.folder / "active").readlink()
    hall.send()
    wall.turn()
    assert wall.emitted == []
    assert (wall.updater._settings.folder / "active").readlink() == active


def test_a_renewed_timestamp_is_kept_and_activates_nothing(hall: TownHall, wall: Wall) -> None:
    hall.publish(datetime.now(UTC) - timedelta(days=6))
    wall.turn()
    wall.emitted.clear()
    renew(hall)
    wall.turn()
    assert wall.emitted == []
    assert b'"version":2' in stored(wall, "metadata/timestamp.json")


def test_unchanged_documents_are_not_fetched_again(hall: TownHall, wall: Wall) -> None:
    hall.publish()
    wall.turn()
    profiles = next(path for path in hall.paths() if path.endswith("profiles.toml"))
    hall.publish()
    del hall.broker.kept[f"kazasu/v1/minami/_publication/file/{profiles.replace('/', '~')}/0"]
    wall.turn()
    assert wall.activated == [1, 2]


def test_a_restart_needs_neither_network_nor_date(
    hall: TownHall, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall.publish()
    wall.turn()
    hall.broker.kept.clear()
    later_by(monkeypatch, NEVER)
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None
    assert again.stored.number == 1
    assert [(one.stale, one.detail) for one in ages(again)] == [(True, "root.json")]


def test_what_has_grown_old_is_told_and_told_again_when_fresh(
    hall: TownHall, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall.publish()
    wall.turn()
    with monkeypatch.context() as patch:
        later_by(patch, timedelta(days=8))
        wall.turn(REFRESH_S)
        assert (ages(wall)[-1].stale, ages(wall)[-1].detail) == (True, "timestamp.json")
    renew(hall)
    wall.turn(REFRESH_S)
    assert not ages(wall)[-1].stale


def a_card_stopped(active: Path) -> None:
    replace(active / "documents/roster.json", b'"active"', b'"stopped"')


def a_longer_life(active: Path) -> None:
    replace(active / "metadata/targets.json", b'"expires":"20', b'"expires":"30')


def another_root(active: Path) -> None:
    replace(active / "metadata/root_history/1.root.json", b'"expires":"20', b'"expires":"30')


def another_towns_set(active: Path) -> None:
    foreign = TownHall(active.parent / "town", foreign=True)
    foreign.publish()
    wall = Wall(foreign, active.parent / "state")
    wall.turn()
    shutil.rmtree(active.resolve())
    shutil.copytree(active.parent / "state/active", active.resolve(), symlinks=True)


@pytest.mark.parametrize("edit", [a_card_stopped, a_longer_life, another_root, another_towns_set])
def test_a_stored_set_that_was_edited_is_not_used(
    hall: TownHall, wall: Wall, edit: Callable[[Path], None]
) -> None:
    hall.publish()
    wall.turn()
    edit(wall.updater._settings.folder / "active")
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is None
    assert [reason for reason, _ in again.refusals] == ["arbitrary"]
    again.turn()
    assert again.activated == [1]


@pytest.mark.parametrize(
    ("place", "other", "role"),
    [
        ("root_history/2.root.json", "timestamp.json", "root"),
        ("targets.json", "1.root.json", "targets"),
    ],
)
def test_stored_metadata_of_another_kind_is_refused_whoever_signed_it(
    hall: TownHall, wall: Wall, place: str, other: str, role: str
) -> None:
    hall.publish()
    wall.turn()
    data = hall.forge(f"metadata/{other}", unchanged, hall.signers(role))
    (wall.updater._settings.folder / "active/metadata" / place).write_bytes(data)
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is None
    assert again.refusals == [("arbitrary", role)]


def test_a_stored_set_older_than_the_journal_knows_is_not_used(hall: TownHall, wall: Wall) -> None:
    hall.publish()
    wall.turn()
    hall.publish()
    again = Wall(hall, wall.updater._settings.folder, least=2)
    assert again.stored is None
    assert again.refusals == [("rollback", "targets")]
    again.turn()
    assert again.activated == [2]


def test_a_lost_document_is_told_as_missing(hall: TownHall, wall: Wall) -> None:
    hall.publish()
    wall.turn()
    (wall.updater._settings.folder / "active/documents/roster.json").unlink()
    again = Wall(hall, wall.updater._settings.folder)
    assert again.refusals == [("missing", "roster.json")]


def test_a_new_terminal_walks_the_whole_chain_of_roots(hall: TownHall, wall: Wall) -> None:
    hall.rotate_root()
    hall.rotate_root()
    hall.publish()
    wall.turn()
    assert wall.activated == [1]
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None


def test_each_terminal_opens_its_own_copy_only(hall: TownHall, tmp_path: Path) -> None:
    hall.publish()
    walls = [Wall(hall, tmp_path / name, name) for name in (TERMINAL, OTHER)]
    for wall in walls:
        wall.turn()
    assert [wall.rules.settings.terminal for wall in walls] == [TERMINAL, OTHER]
    sealed = [path for path in hall.paths() if path.startswith("sealed/")]
    assert len(sealed) == 2
    assert not any("佐藤".encode() in payload for payload in hall.broker.kept.values())


@pytest.mark.parametrize("text", ["", "abc 1.root.json", "00" * 32, "zz" * 32 + " 1.root.json"])
def test_a_pin_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "root.sha256"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"root\.json|hexadecimal"):
        read_pin(path)


def renew(hall: TownHall) -> None:
    renew_timestamp(hall.town)
    hall.send()


def replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def stored(wall: Wall, file: str) -> bytes:
    return (wall.updater._settings.folder / "active" / file).read_bytes()


def ages(wall: Wall) -> list[PublicationAged]:
    return [one for one in wall.emitted if isinstance(one, PublicationAged)]


def later_by(patch: pytest.MonkeyPatch, by: timedelta) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time() + by.total_seconds(), tz)

    patch.setattr("terminal.updater.datetime", Later)
