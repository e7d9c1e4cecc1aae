"""Kills an update at each of its steps on disk and looks at what is left; run by a test.

A step is a change of names on disk (file opened for writing, renamed, linked, removed, folder
made). For each one the same terminal is copied, forked and killed there with SIGKILL; a new one
then starts over what is left. There are two journeys: ``new_settings``, from Japanese to English
on trial and confirmed, and ``after_failed_settings``, from English that failed its trial, so that
Japanese holds instead, to a publication that names Japanese itself.

Prints one line of JSON: how many steps there were, how often the old and the new publication was
found in force, and the steps after which neither was, after which the settings were none that
may hold, or after which the new one could not be reached any more.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from terminal.updater_trial import SETTLE_S, TRIAL_S
from tests.town_hall import TownHall
from tests.updater_wall import Wall

CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir"}


def main(folder: Path, journey: str) -> None:
    hall = TownHall(folder / "town")
    hall.publish()
    wall = Wall(hall, folder / "state")
    wall.turn()
    old = 1
    if journey == "after_failed_settings":
        hall.speak("en")
        old = hall.publish()
        wall.turn()
        wall.healthy = False
        wall.turn(TRIAL_S)
        assert (folder / "state/active/settings").is_symlink()
        hall.speak("ja")
    else:
        hall.speak("en")
    wall.close()
    hall.publish()
    found = {old: 0, old + 1: 0}
    lost: list[int] = []
    step = 0
    killed = True
    while killed:
        state = folder / f"state-{step}"
        shutil.copytree(folder / "state", state, symlinks=True)
        killed = killed_at(step, hall, state)
        on_trial = (state / "active/settings").is_symlink()
        number, language = found_after(hall, state, old + 1)
        confirmed = journey == "new_settings" and number > old and not on_trial
        if number in found and language == ("en" if confirmed else "ja"):
            found[number] += 1
        else:
            lost.append(step)
        shutil.rmtree(state)
        step += 1
    print(json.dumps({"steps": step - 1, "old": found[old], "new": found[old + 1], "lost": lost}))


def killed_at(step: int, hall: TownHall, state: Path) -> bool:
    """Run the update in a child that kills itself before its step; False if it ended by itself."""
    child = os.fork()
    if child == 0:
        left = step

        def count(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            if changes_disk(event, arguments):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1

        wall = Wall(hall, state)
        sys.addaudithook(count)
        wall.turn()
        wall.turn(SETTLE_S)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def changes_disk(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        _, mode, flags = arguments
        writes = os.O_WRONLY | os.O_RDWR
        return bool(isinstance(flags, int) and flags & writes) or mode in {"w", "wb", "xb", "ab"}
    return event in CHANGES


def found_after(hall: TownHall, state: Path, new: int) -> tuple[int, str]:
    """The publication found in force and its language; 0 if the new one cannot be reached."""
    wall = Wall(hall, state)
    if wall.stored is None:
        return 0, ""
    before, language = wall.stored.number, wall.stored.rules.settings.language
    wall.turn()
    after = wall.activated[-1] if wall.activated else before
    return (before if after == new and not wall.refusals else 0), language


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
