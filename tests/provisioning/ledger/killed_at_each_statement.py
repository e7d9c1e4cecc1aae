"""Take a batch in a process that is killed at its n-th SQL statement, for n = 1, 2, 3 ...

Run as a program of its own, because it forks: ``killed_at_each_statement.py FOLDER``. For each n
it writes one JSON line: what was held after the kill, what was receipted, and what is held after
the batch was handed in again.
"""

import json
import os
import signal
import sys
from pathlib import Path

from provisioning.ledger.intake import Arrival
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import Wall


def main(folder: Path) -> None:
    statement = 0
    finished = False
    while not finished:
        statement += 1
        place = folder / str(statement)
        place.mkdir()
        desk = Desk(place)
        wall = desk.enrolled_wall()
        desk.take(wall, *wall.taps(2))
        batch = [*wall.taps(4), b"rubbish", Wall().tap(), wall.sent[0]]
        desk.store.close()
        finished, out = _take_and_die(desk, batch, statement)
        desk.open()
        after_kill = len(desk.held())
        desk.take(wall, *batch)
        told = {
            "finished": finished,
            "receipted": out,
            "held": after_kill,
            "held_again": len(desk.held()),
            "broken": desk.verdict().broken is not None,
        }
        sys.stdout.write(json.dumps(told) + "\n")
        desk.store.close()


def _take_and_die(desk: Desk, batch: list[bytes], statement: int) -> tuple[bool, int]:
    """Whether the batch was through before the n-th statement, and up to where it was receipted."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        desk.open()
        left = iter(range(statement - 1, -1, -1))

        def count_down(_sql: str) -> None:
            if next(left) == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        desk.store._db.set_trace_callback(count_down)
        outgoing = desk.intake.take([Arrival("gate-1", one) for one in batch], desk.now_ms)
        os.write(writing, b"%d" % desk.opened(outgoing[-1]).upto)
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return os.WIFEXITED(status), int(pipe.read() or b"0")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
