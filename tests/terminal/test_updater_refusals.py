"""What a terminal does not take, and by which name it says so: one case for each code."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning.publication import current_documents
from terminal.updater_active import read
from terminal.updater_pace import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, TOLD_AGAIN_S
from terminal.updater_reasons import Refused
from terminal.updater_road import LONGEST_FETCH_S
from tests.terminal.publication_attacks import (
    ATTACKS,
    INDEX,
    Attack,
    another_town,
    no_signature,
    older_snapshot,
    older_timestamp,
)
from tests.town_hall import TownHall
from tests.updater_wall import Wall


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    hall = TownHall(tmp_path / "town")
    hall.publish()
    return hall


@pytest.fixture
def wall(hall: TownHall, tmp_path: Path) -> Iterator[Wall]:
    wall = Wall(hall, tmp_path / "state")
    wall.turn()
    assert wall.activated == [1]
    yield wall
    wall.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_is_called_by_its_name_changes_nothing_and_blocks_nothing(
    hall: TownHall, wall: Wall, attack: Attack
) -> None:
    attack.do(hall)
    wall.tick = LONGEST_FETCH_S / 4
    wall.turn()
    assert wall.refusals == [(attack.reason, attack.file)]
    assert wall.activated == [1]
    assert wall.states[-1] == "refused"
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None
    assert again.stored.number == 1
    again.close()

    for path in hall.town.repository.glob("metadata/[2-9].root.json"):
        path.unlink()
    hall.permit("h-suzuki")
    hall.sign()
    hall.broker.kept.clear()
    number = hall.send()
    wall.turn()
    assert wall.activated == [1, number]


@pytest.mark.parametrize("attack", [older_timestamp, older_snapshot])
def test_what_is_older_is_refused_also_after_a_restart(
    hall: TownHall, wall: Wall, attack: Callable[[TownHall], None]
) -> None:
    hall.publish()
    wall.turn()
    attack(hall)
    wall.turn()
    assert wall.refusals == [("rollback", "timestamp")]
    again = Wall(hall, wall.updater._settings.folder)
    again.turn()
    assert again.refusals == [("rollback", "timestamp")]
    assert again.stored is not None
    assert again.stored.number == 2


def test_the_whole_older_publication_is_refused(hall: TownHall, wall: Wall) -> None:
    older = dict(hall.broker.kept)
    hall.publish()
    wall.turn()
    hall.broker.kept.clear()
    hall.broker.kept.update(older)
    hall.send_index()
    wall.turn()
    assert wall.refusals == [("rollback", "timestamp")]


def test_a_new_terminal_takes_nothing_older_than_its_journal_knows(
    hall: TownHall, tmp_path: Path
) -> None:
    wall = Wall(hall, tmp_path / "new", least=2)
    wall.turn()
    assert wall.refusals == [("rollback", "targets")]
    hall.publish()
    wall.turn()
    assert wall.activated == [2]


def test_another_first_root_is_refused_before_it_is_used(hall: TownHall, tmp_path: Path) -> None:
    another_town(hall)
    wall = Wall(hall, tmp_path / "new")
    wall.turn()
    assert wall.refusals == [("arbitrary", "root")]


def test_a_new_terminal_needs_an_unexpired_timestamp(tmp_path: Path) -> None:
    hall = TownHall(tmp_path / "town")
    hall.publish(datetime.now(UTC) - timedelta(days=8))
    wall = Wall(hall, tmp_path / "new")
    wall.turn()
    assert wall.refusals == [("freeze", "timestamp")]


def test_a_terminal_that_is_not_named_is_another(hall: TownHall) -> None:
    documents = current_documents(hall.town)
    assert documents is not None
    with pytest.raises(Refused) as refused:
        read(1, documents, "ent-9")
    assert (refused.value.reason, refused.value.file) == ("wrong_device", "terminals.json")


def test_the_same_refusal_is_told_once_however_often_it_is_tried(
    hall: TownHall, wall: Wall
) -> None:
    no_signature(hall)
    for _ in range(20):
        hall.send_index()
        wall.turn()
    assert wall.refusals == [("arbitrary", "timestamp")]


def test_attempts_wait_longer_after_each_refusal(hall: TownHall, wall: Wall) -> None:
    no_signature(hall)
    attempts = 0
    for _ in range(int(LONGEST_PAUSE_S)):
        hall.send_index()
        before = len(hall.broker.asked)
        wall.turn(after_s=1)
        attempts += len(hall.broker.asked) > before
    assert attempts <= 7


def test_two_indexes_in_turn_are_told_once_a_day(hall: TownHall, wall: Wall) -> None:
    good = hall.broker.kept[INDEX]
    asked = len(hall.broker.asked)
    minutes = 20
    for second in range(minutes * 60):
        hall.broker.publish(INDEX, good if second % 2 else b"{}", retained=True)
        wall.turn(after_s=1)
    assert wall.refusals == [("malformed", "index")]
    assert len(hall.broker.asked) - asked < 2 * minutes
    hall.broker.publish(INDEX, b"{}", retained=True)
    wall.turn(TOLD_AGAIN_S)
    assert wall.refusals == [("malformed", "index")] * 2


def test_an_index_that_comes_again_and_again_is_looked_at_seldom(
    hall: TownHall, wall: Wall
) -> None:
    asked = len(hall.broker.asked)
    for _ in range(200):
        hall.send_index()
        wall.turn(after_s=SHORTEST_PAUSE_S / 100)
    assert len(hall.broker.asked) - asked <= 3


def test_after_an_attack_pauses_grow_short_again(hall: TownHall, wall: Wall) -> None:
    for _ in range(1000):
        hall.broker.publish(INDEX, b"{}", retained=True)
        wall.turn(after_s=1)
    hall.publish()
    wall.turn(LONGEST_PAUSE_S)
    assert wall.activated == [1, 2]
    hall.publish()
    wall.turn(LONGEST_PAUSE_S / 4)
    assert wall.activated == [1, 2]
    wall.turn(LONGEST_PAUSE_S / 4)
    assert wall.activated == [1, 2, 3]
    wall.clock += 7200
    for number in (4, 5, 6):
        hall.publish()
        wall.turn(after_s=SHORTEST_PAUSE_S)
        assert wall.activated[-1] == number


def test_after_a_new_publication_the_same_fault_is_news(hall: TownHall, wall: Wall) -> None:
    for _ in range(2):
        hall.broker.publish(INDEX, b"{}", retained=True)
        wall.turn()
        hall.publish()
        wall.turn()
    assert wall.refusals == [("malformed", "index")] * 2


def test_the_state_of_configuration_is_well_again_after_an_attack(
    hall: TownHall, wall: Wall
) -> None:
    good = hall.broker.kept[INDEX]
    hall.broker.publish(INDEX, b"{}", retained=True)
    wall.turn()
    hall.broker.publish(INDEX, good, retained=True)
    wall.turn()
    assert wall.states[-2:] == ["refused", "active"]
