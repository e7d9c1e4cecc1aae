"""The machine: its Python, its kind, and Debian packages that may be installed on it.

Only packages that start and enable nothing are installed (a compiler, headers, ``ip``); what
would start a service goes through ``fetch`` instead.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from provisioning.setup.fault import SetupError
from provisioning.setup.progress import Progress

OLDEST_PYTHON = (3, 11)
_MACHINES = ("x86_64", "aarch64")
_MEGABYTE = 1_000_000


def suited(room: Path, need_megabytes: int) -> None:
    """Refuses a machine on which set-up cannot end well, before anything is changed.

    Raises:
        SetupError: processor without ready-made libraries, folder not writable, disk too full.
    """
    if platform.machine() not in _MACHINES:
        raise SetupError("machine", machine=platform.machine())
    try:
        room.mkdir(exist_ok=True)
        # Logs may tell how the person's network is reached; also where an older one stood open.
        room.chmod(0o700)
        (room / "writable").touch()
        (room / "writable").unlink()
    except OSError as refused:
        raise SetupError("writing", where=str(room)) from refused
    free = shutil.disk_usage(room).free // _MEGABYTE
    if free < need_megabytes:
        raise SetupError("disk", where=str(room), free=str(free), need=str(need_megabytes))


def suite() -> str:
    """Which release this is (as ``bookworm``): parts fetched for another would not fit."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "unknown")
    except OSError:
        return "unknown"


def missing(names: tuple[str, ...]) -> list[str]:
    """Those of the Debian packages that are not installed."""
    if not shutil.which("dpkg-query"):
        raise SetupError("no-apt", names=" ".join(names))
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${db:Status-Status}", name],  # noqa: S607 - Debian's
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout == "installed"


def install(names: tuple[str, ...], progress: Progress) -> None:
    """Installs what is missing of the Debian packages, through sudo where we are not root.

    Raises:
        SetupError: no apt, no right to install, no network, or apt's own refusal.
    """
    absent = missing(names)
    if not absent:
        return
    if not shutil.which("apt-get"):
        raise SetupError("no-apt", names=" ".join(absent))
    root = _as_root(" ".join(absent))
    apt = [
        *root,
        *("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1"),
        *("apt-get", "--option=DPkg::Lock::Timeout=300", "--quiet", "--yes"),
    ]
    order = [*apt, "install", "--no-install-recommends", *absent]
    progress.say("apt", names=" ".join(absent))
    code, output = progress.attempt(order)
    if code:
        # The machine's package lists may be old or absent. An update that fails for one of its
        # sources (somebody's, no longer there) need not matter: the second try decides.
        progress.say("lists")
        progress.attempt([*apt, "update"])
        code, output = progress.attempt(order)
    if code:
        raise progress.failure(" ".join(absent), output)


def _as_root(names: str) -> list[str]:
    """How a command is run as root: as it is, or through sudo (which may ask at a terminal)."""
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if not sudo:
        raise SetupError("rights", names=names)
    ask = [sudo, "--validate"] if sys.stdin.isatty() else [sudo, "--non-interactive", "true"]
    if subprocess.run(ask, check=False).returncode:
        raise SetupError("rights", names=names)
    return [sudo, "--non-interactive"]
