"""What has to be there for which command, and getting it there once.

A set is done when its stamp is: a digest of everything that decided what was set up (lock files,
these sources, the release, Python's version, the checkout's place). While the stamp holds,
nothing is asked of the network or the disk, so the second run starts at once and works offline.
"""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from provisioning.setup import machine, venv
from provisioning.setup.fault import SetupError
from provisioning.setup.fetch import fetch
from provisioning.setup.progress import Progress


@dataclass(frozen=True)
class Need:
    """What one kind of run needs.

    Attributes:
        installed: Debian packages that apt installs; none of them starts anything.
        unpacked: Debian packages that are only unpacked (see ``fetch``).
        locks: lock files that the virtual environment is made of.
        megabytes: room that the disk must have before the first byte is fetched.
    """

    installed: tuple[str, ...]
    unpacked: tuple[str, ...]
    locks: tuple[str, ...]
    megabytes: int


_DEMO = Need(
    # pyscard comes as source: a compiler, Python's and PC/SC's headers.
    installed=("python3-venv", "python3-dev", "gcc", "libc6-dev", "libpcsclite-dev"),
    unpacked=("mosquitto", "fonts-unifont"),
    locks=("requirements.lock",),
    megabytes=800,
)
_TEST = Need(
    installed=(*_DEMO.installed, "iproute2", "mount"),
    unpacked=(
        *_DEMO.unpacked,
        *("pcscd", "vsmartcard-vpcd", "opensc", "yubico-piv-tool", "libcacard0", "libnss3-tools"),
        *("chromium", "fonts-ipaexfont-gothic"),
    ),
    locks=(*_DEMO.locks, "requirements-dev.lock"),
    megabytes=2500,
)
_ALL = Need(
    # An ordinary user gives the fresh system its users' ids through uidmap.
    installed=(*_TEST.installed, "mmdebstrap", *(["uidmap"] if os.geteuid() else [])),
    unpacked=_TEST.unpacked,
    locks=_TEST.locks,
    megabytes=5000,
)

NEEDS = {"demo": _DEMO, "test": _TEST, "all": _ALL}


def room(root: Path) -> Path:
    """The folder in which everything lies that set-up makes besides ``.venv``."""
    return root / ".kazasu"


def ready(root: Path, name: str, language: str, *, anew: bool = False) -> None:
    """Sees to it that the set ``name`` is there; returns at once when it is.

    Args:
        root: the checkout.
        name: a key of ``NEEDS``.
        language: ``ja`` or ``en``.
        anew: look at everything again, whatever the stamp says; it mends what was lost since.

    Raises:
        SetupError: something cannot be got; what is there already is kept for the next try.
    """
    stamp = room(root) / f"ready-{name}"
    if not anew and _reads(stamp) == _digest(root):
        return
    need = NEEDS[name]
    machine.suited(room(root), 0 if stamp.exists() else need.megabytes)
    progress = Progress(language, room(root) / "setup.log")
    try:
        with alone(room(root), "setup", progress):
            if not anew and _reads(stamp) == _digest(root):
                return
            progress.say("start", log=progress.log)
            machine.install(need.installed, progress)
            fetch(need.unpacked, room(root), progress, anew=anew)
            venv.make(root, need.locks, progress)
            for lesser in _within(name):
                (room(root) / f"ready-{lesser}").write_text(_digest(root))
            progress.say("ready")
    except OSError as error:
        raise _told(error, room(root)) from error


def _within(name: str) -> list[str]:
    """The sets that are there when ``name`` is: itself and the smaller ones."""
    names = list(NEEDS)
    return names[: names.index(name) + 1]


@contextmanager
def alone(folder: Path, name: str, progress: Progress) -> Iterator[None]:
    """Keeps two launchers from doing the same at once; the second waits for the first."""
    with (folder / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("wait")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(root: Path) -> str:
    """A digest of all that decides what is set up."""
    told = hashlib.sha256()
    sources = sorted((root / "provisioning" / "setup").glob("*.py"))
    for path in (*sorted(root.glob("requirements*.lock")), root / "kazasu", *sources):
        told.update(f"{path.name}\0".encode() + path.read_bytes() + b"\0")
    told.update(f"{root}\0{machine.suite()}\0{sys.version_info[:2]}".encode())
    return told.hexdigest()


def _reads(stamp: Path) -> str:
    try:
        return stamp.read_text()
    except OSError:
        return ""


def _told(error: OSError, folder: Path) -> SetupError:
    """A file that could not be written, as a fault with its remedy."""
    where = str(error.filename or folder)
    free = os.statvfs(folder)
    megabytes = free.f_bavail * free.f_frsize // 1_000_000
    if megabytes < 10:  # noqa: PLR2004 - so little that this is why
        return SetupError("disk", where=where, free=str(megabytes), need="500")
    return SetupError("writing", where=where)
