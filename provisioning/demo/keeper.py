"""Nothing outlives the demo: a small process that cleans up after it, however it ends.

The keeper reads from a pipe whose other end only the demo holds: ``+PID`` a process group to be
minded, ``-PID`` it has ended, ``=PATH`` a directory to be removed at the end. When the pipe ends
(the demo closed it, was killed, crashed), the keeper kills what is left and removes the directory.

Rules: standard library only, so that it starts at once; it answers to no signal of a terminal.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

END_WITHIN_S = 10.0


class Keeper:
    """The demo's end of the pipe. ``close`` is idempotent; any thread may call."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def mind(self, group: int) -> None:
        """Kill this process group at the end."""
        self._say(f"+{group}")

    def forget(self, group: int) -> None:
        """This process group has ended by itself; its number may belong to somebody else soon."""
        self._say(f"-{group}")

    def remove(self, folder: Path) -> None:
        """Remove this directory at the end."""
        self._say(f"={folder}")

    def close(self) -> None:
        """End everything that is minded, remove what is to be removed, and return after it."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait(END_WITHIN_S)

    def _say(self, line: str) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()


def keep(lines: Iterable[bytes]) -> None:
    """Follow the demo until its end, then clean up."""
    groups: set[int] = set()
    folders: list[Path] = []
    for line in lines:
        what, rest = line[:1], line[1:].rstrip(b"\n")
        if what == b"+":
            groups.add(int(rest))
        elif what == b"-":
            groups.discard(int(rest))
        elif what == b"=":
            folders.append(Path(os.fsdecode(rest)))
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    keep(sys.stdin.buffer)
