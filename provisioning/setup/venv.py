"""The virtual environment ``.venv`` in the checkout: Python's side of set-up.

Every library comes by the lock files, checked by hash, from wherever the machine's own pip
configuration says. The few that come as source are built with the build tools of the lock, never
with others fetched on the side.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from provisioning.setup.progress import Progress


def python(root: Path) -> Path:
    """The interpreter of the virtual environment; it need not exist yet."""
    return root / ".venv" / "bin" / "python"


def make(root: Path, locks: tuple[str, ...], progress: Progress) -> None:
    """Makes the virtual environment what the lock files say; repeating it changes nothing.

    Args:
        root: the checkout.
        locks: lock files beside the build tools' own.
        progress: where steps are told.

    Raises:
        SetupError: a step failed, as for want of network or room.
    """
    folder = root / ".venv"
    env = environment(root)
    if not _ours(folder):
        shutil.rmtree(folder, ignore_errors=True)
    if not (folder / "complete").exists():
        progress.run("venv", [sys.executable, "-m", "venv", str(folder)])
        (folder / "complete").touch()
    pip = [str(python(root)), "-m", "pip", "install", "--require-hashes", "--no-deps"]
    tools = ["--requirement", str(root / "requirements-build.lock")]
    progress.run("build", [*pip, *tools], env)
    wanted = [f"--requirement={root / lock}" for lock in locks]
    progress.run("libraries", [*pip, "--no-build-isolation", *wanted], env)
    # The checkout itself: importable from anywhere inside the environment.
    (packages,) = folder.glob("lib/python3.*/site-packages")
    (packages / "kazasu.pth").write_text(f"{root}\n")


def environment(root: Path) -> dict[str, str]:
    """The environment for programs of the virtual environment, and for pip's builds."""
    env = dict(os.environ)
    env["VIRTUAL_ENV"] = str(root / ".venv")
    env["PATH"] = f"{root / '.venv' / 'bin'}:{env.get('PATH', '/usr/bin:/bin')}"
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    env["PIP_NO_INPUT"] = "1"
    # Somebody's `user = true` in pip's configuration cannot hold inside an environment.
    env["PIP_USER"] = "0"
    # lgpio's source then builds with its own C library, which Debian does not have.
    env["PYPI"] = "1"
    env.pop("PYTHONHOME", None)
    env.pop("PYTHONPATH", None)
    return env


def _ours(folder: Path) -> bool:
    """Whether the environment was made at this place by this version of Python."""
    try:
        text = (folder / "pyvenv.cfg").read_text()
    except OSError:
        return False
    made = re.search(r"^version = (\d+\.\d+)", text, re.MULTILINE)
    command = re.search(r"^command = .* -m venv (.*)$", text, re.MULTILINE)
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    return bool(made and command and made[1] == here and command[1] == str(folder))
