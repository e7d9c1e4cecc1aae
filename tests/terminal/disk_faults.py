"""Disks that fail at the N-th call, in a child process: a full one, a broken one, a short write.

``run_with_faults`` compiles a small shim with the machine's C compiler and runs a module of the
tests under it; inside, ``Faults`` arms the shim. A scenario is repeated with the first, second,
third ... call failing, until a run has met no fault.
"""

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

WRITES, SYNCS, RENAMES, TRUNCATES = 1, 2, 4, 8

FULL = errno.ENOSPC
BROKEN = errno.EIO
SHORT = 0

_SOURCE = Path(__file__).with_name("disk_faults.c")
_ROOT = Path(__file__).resolve().parents[2]


def run_with_faults(module: str, folder: Path, *arguments: str) -> str:
    """Run ``python -m module folder arguments`` under the shim; what it printed."""
    shim = folder / "disk_faults.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    ended = subprocess.run(
        [sys.executable, "-m", module, str(folder), *arguments],
        env={**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


class Faults:
    """The shim, from inside the child."""

    def __init__(self) -> None:
        self._shim = ctypes.CDLL(None)

    def arm(self, mask: int, nth: int, error: int, *, sticky: bool = False) -> None:
        self._shim.fault_arm(mask, nth, error, int(sticky))

    def seen(self) -> int:
        """How many calls of the armed kinds there were."""
        return int(self._shim.fault_seen())

    def disarm(self) -> int:
        """How many calls were failed."""
        return int(self._shim.fault_fired())
