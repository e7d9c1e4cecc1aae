"""What a process holds of the machine's memory: its proportional set size (PSS).

Pages that several processes share are counted for each in part, so the parts add up
(Linux, Documentation/filesystems/proc.rst, smaps_rollup).
"""

import re
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)


def pss_mb(pid: int) -> float:
    """One process's share, in MB of 10^6 bytes."""
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    if found is None:
        raise RuntimeError("this kernel does not tell a process's proportional set size")
    return int(found[1]) * 1024 / 1e6


def family(pid: int) -> list[int]:
    """The process and all it started, parents first."""
    told = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [pid, *(one for child in " ".join(told).split() for one in family(int(child)))]
