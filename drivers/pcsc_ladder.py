"""What is done about a mute card that stays on the reader, and when.

First the terminal is told, so that it can ask for the card to be taken away. If it still lies
there, or the service hangs although it does not, the town's commands follow, one rung at a time.

Rules: a ladder knows no reader and no clock; times are monotonic seconds that come in.
"""

import logging
import subprocess
from collections import deque
from collections.abc import Sequence

log = logging.getLogger(__name__)

RUNG_S = 10.0
"""How long a rung's command may take before it is given up."""


class Ladder:
    """What to do, and when, about a mute card that stays. Times are monotonic seconds."""

    def __init__(
        self, recover: Sequence[Sequence[str]], blocked_after_s: float, recover_after_s: float
    ) -> None:
        self._recover = [list(command) for command in recover]
        self._blocked_after_s = blocked_after_s
        self._recover_after_s = recover_after_s
        self._rungs: deque[list[str] | None] = deque()
        self.due: float | None = None

    def begin(self, now: float) -> None:
        """A mute card lies there since ``now``."""
        self._rungs = deque([None, *self._recover])
        self.due = now + self._blocked_after_s

    def end(self) -> None:
        """It is gone."""
        self.due = None

    def climb(self, now: float) -> tuple[bool, list[str]]:
        """Take the rung that is due, if any: (whether to tell, the command to run)."""
        if self.due is None or now < self.due:
            return False, []
        command = self._rungs.popleft()
        self.due = now + self._recover_after_s if self._rungs else None
        return command is None, command or []


def run(command: list[str]) -> None:
    """Run one rung's command; what becomes of it shows in the field."""
    log.warning("a mute card still lies there: running %s", command[0])
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=RUNG_S,
            check=False,
        )
        if done.returncode:
            log.warning("%s ended with %d", command[0], done.returncode)
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s failed: %s", command[0], type(error).__name__)
