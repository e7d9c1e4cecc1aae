"""Settings on trial: kept, taken back, and never by chance; the rest of a publication stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.core.rules import Language
from terminal.updater_trial import SETTLE_S, TRIAL_S
from tests.terminal.test_updater_disk import FailingDisk
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
    yield wall
    wall.close()


def test_settings_are_confirmed_when_all_is_well(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.publish()
    wall.turn()
    assert language(wall) is Language.EN
    assert after_a_restart(hall, wall) is Language.JA
    wall.turn(SETTLE_S)
    assert after_a_restart(hall, wall) is Language.EN


def test_being_well_at_the_moment_of_the_change_says_nothing(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.publish()
    wall.turn()
    wall.turn(SETTLE_S - 1)
    wall.healthy = False
    wall.turn(TRIAL_S)
    assert language(wall) is Language.JA


def test_being_well_with_the_former_rules_says_nothing(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.publish()
    wall.hold_loop()
    wall.turn()
    wall.turn(SETTLE_S)
    assert after_a_restart(hall, wall) is Language.JA
    wall.loop_hangs = False
    wall.turn(1)
    assert after_a_restart(hall, wall) is Language.EN


def test_only_the_settings_go_back_when_it_is_not_well(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.permit("h-suzuki")
    hall.publish()
    wall.turn()
    assert language(wall) is Language.EN
    wall.healthy = False
    wall.turn(TRIAL_S)
    assert language(wall) is Language.JA
    assert [permit.holder for permit in wall.rules.permits] == ["h-suzuki"]
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None
    assert again.stored.number == 2
    assert again.stored.rules.settings.language is Language.JA


def test_settings_do_not_go_back_for_a_fault_that_was_there_before(
    hall: TownHall, wall: Wall
) -> None:
    wall.healthy = False
    hall.speak("en")
    hall.publish()
    wall.turn()
    wall.turn(TRIAL_S)
    assert language(wall) is Language.EN
    assert after_a_restart(hall, wall) is Language.EN


def test_settings_that_failed_are_not_tried_again(hall: TownHall, wall: Wall) -> None:
    fail_in_english(hall, wall)
    hall.publish()
    wall.turn()
    assert wall.activated[-1] == 3
    assert language(wall) is Language.JA


def test_a_publication_during_the_trial_does_not_end_it(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.publish()
    wall.turn()
    wall.healthy = False
    hall.permit("h-suzuki")
    hall.publish()
    wall.turn(SETTLE_S - 1)
    assert wall.activated[-1] == 3
    assert after_a_restart(hall, wall) is Language.JA
    wall.turn(TRIAL_S)
    assert language(wall) is Language.JA


def test_a_cut_during_the_trial_brings_the_former_settings_back(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.permit("h-suzuki")
    hall.publish()
    wall.turn()
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None
    assert again.stored.rules.settings.language is Language.JA
    assert [permit.holder for permit in again.stored.rules.permits] == ["h-suzuki"]


def test_a_disk_that_does_not_take_the_confirmation_is_asked_again(
    hall: TownHall, wall: Wall
) -> None:
    hall.speak("en")
    hall.publish()
    wall.turn()
    with pytest.MonkeyPatch.context() as patch:
        FailingDisk(patch, 0, for_ever=True)
        wall.turn(SETTLE_S)
    assert wall.refusals == [("not_stored", "disk")]
    assert after_a_restart(hall, wall) is Language.JA
    wall.healthy = False
    wall.turn(TRIAL_S / 2)
    wall.turn(TRIAL_S)
    assert language(wall) is Language.EN
    assert wall.states[-1] == "active"
    assert after_a_restart(hall, wall) is Language.EN


def fail_in_english(hall: TownHall, wall: Wall) -> None:
    hall.speak("en")
    hall.publish()
    wall.turn()
    wall.healthy = False
    wall.turn(TRIAL_S)
    assert language(wall) is Language.JA


def language(wall: Wall) -> Language:
    return wall.rules.settings.language


def after_a_restart(hall: TownHall, wall: Wall) -> Language:
    again = Wall(hall, wall.updater._settings.folder)
    assert again.stored is not None
    return again.stored.rules.settings.language
