"""The demo's processes: started in groups of their own, ended in order, killed when asked.

Each writes its log to a file. The keeper knows them all, so that none outlives the demo.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from provisioning.demo.keeper import Keeper

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 8.0
SHOWN_LINES = 4


class ProcessFailedError(Exception):
    """A process of the demo does not run; the text gives its last words and where its log is."""


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs one of this project's modules."""
    return [sys.executable, "-m", name, *arguments]


class Child:
    """One process (with whatever it starts itself). Used by one thread at a time."""

    def __init__(self, name: str, log: Path, keeper: Keeper) -> None:
        self.name = name
        self.log = log
        self._keeper = keeper
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The process id while it runs; its group has the same."""
        return self._process.pid if self._process is not None and self.running else None

    def start(self, command: Sequence[str], inherited: Sequence[int] = ()) -> None:
        """Run ``command``; the descriptors in ``inherited`` go to it and are closed here."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                list(command),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=inherited,
                # Ctrl-C is for the demo, which ends its processes in their order.
                start_new_session=True,
            )
        self._keeper.mind(self._process.pid)
        for descriptor in inherited:
            os.close(descriptor)

    def stop(self) -> bool:
        """Ask it to end and wait; past STOP_WITHIN_S it is killed. Idempotent.

        Returns whether it ended in order, with exit code 0.
        """
        if self._process is None:
            return False
        code: int | None = None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(STOP_WITHIN_S)
        self.kill()
        return code == 0

    def kill(self) -> None:
        """End the whole group at once, as a power cut would (SIGKILL); idempotent."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._keeper.forget(self._process.pid)
        self._process = None

    def must_run(self) -> None:
        """Raise if it has ended.

        Raises:
            ProcessFailedError: with its last words.
        """
        if self.running:
            return
        said = self.log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        raise ProcessFailedError(
            f"the {self.name} ended unexpectedly: {' | '.join(said) or 'it said nothing'} "
            f"(its log is {self.log}; --keep DIR keeps it)"
        )
