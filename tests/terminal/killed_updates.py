"""Kills an update at each of its steps on disk and looks at what is left; run by a test.

A step is a change of names on disk (file opened for writing, renamed, linked, removed, folder
made). For each one the same terminal is copied, forked and killed there with SIGKILL; a new one
then starts over what is left. Prints one line of JSON: how many steps there were, how often the
old and the new publication was found in force, and the steps after which neither was, or after
which the new one could not be reached any more.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from tests.town_hall import TownHall
from tests.updater_wall import Wall

CHANGES = {"os.rename", "os.link", "os.symlink", "os.remove", "os.mkdir", "os.rmdir"}


def main(folder: Path) -> None:
    hall = TownHall(folder / "town")
    hall.publish()
    wall = Wall(hall, folder / "state")
    wall.turn()
    wall.close()
    in_english_for_all(hall)
    hall.publish()
    found = {1: 0, 2: 0}
    lost: list[int] = []
    step = 0
    killed = True
    while killed:
        state = folder / f"state-{step}"
        shutil.copytree(folder / "state", state, symlinks=True)
        killed = killed_at(step, hall, state)
        number = number_after(hall, state)
        if number in found:
            found[number] += 1
        else:
            lost.append(step)
        shutil.rmtree(state)
        step += 1
    print(json.dumps({"steps": step - 1, "old": found[1], "new": found[2], "lost": lost}))


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
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def changes_disk(event: str, arguments: tuple[object, ...]) -> bool:
    if event == "open":
        _, mode, flags = arguments
        writes = os.O_WRONLY | os.O_RDWR
        return bool(isinstance(flags, int) and flags & writes) or mode in {"w", "wb", "xb", "ab"}
    return event in CHANGES


def number_after(hall: TownHall, state: Path) -> int:
    """The publication found in force; 0 if there is none, or if the new one cannot be reached."""
    wall = Wall(hall, state)
    before = 0 if wall.stored is None else wall.stored.number
    wall.turn()
    after = wall.activated[-1] if wall.activated else before
    return before if after == 2 and not wall.refusals else 0


def in_english_for_all(hall: TownHall) -> None:
    terminals = hall.read("terminals")
    for settings in terminals["terminals"].values():
        settings["language"] = "en"
    hall.write("terminals", terminals)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
