"""``./kazasu check`` and ``./kazasu test``: what must hold before a change is handed on.

===================  ======================================================================
``check``            ruff (rules and format) and mypy over the whole tree
``test``             check, branch coverage of the pure core, the everyday tests
``test --all``       the same with the long tests, then the everyday tests on a fresh Debian 13
``test WORDS...``    only pytest, with these words as its arguments
===================  ======================================================================

Everything is run to its end; what failed is named in the last line but pytest's.
"""

import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from provisioning.setup import steps, venv
from provisioning.setup.debian13 import on_debian_13
from provisioning.setup.progress import Progress

_CHECKS = (
    ("ruff check", ["ruff", "check", "."]),
    ("ruff format", ["ruff", "format", "--check", "."]),
    ("mypy", ["mypy"]),
)
# Real brokers and readers of the tests must neither be seen by nor see the machine outside.
PRIVATE = ("tests.namespace", "--")
_CORE = [
    *("--quiet", "tests/terminal/core"),
    *("--cov=terminal.core", "--cov-branch", "--cov-report=term-missing", "--cov-fail-under=100"),
]
_EVERYDAY, _LONG = "not all and not hardware", "not hardware"
_SUITE_ONLY = "--suite-only"


def check(root: Path, language: str) -> int:
    """Style and types; returns 0 when both hold."""
    progress = Progress(language)
    failed = []
    for name, words in _CHECKS:
        progress.say("check", names=name)
        if _python(root, words):
            failed.append(name)
    if failed:
        progress.say("failed", names=", ".join(failed))
    return 1 if failed else 0


def test(root: Path, language: str, arguments: list[str]) -> int:
    """The tests; returns 0 when everything that was asked for holds.

    Args:
        root: the checkout.
        language: ``ja`` or ``en``.
        arguments: ``--all``, ``--suite-only`` (the everyday tests without the checks; this is
            what runs on the fresh Debian 13), or words for pytest.

    Raises:
        SetupError: something that the tests need cannot be got.
    """
    begin = time.monotonic()
    whole = arguments[:1] == ["--all"]
    words = arguments[1:] if whole or arguments[:1] == [_SUITE_ONLY] else arguments
    steps.ready(root, "all" if whole else "test", language)
    progress = Progress(language)
    failed = []
    if not arguments or (whole and not words):
        if check(root, language):
            failed.append("check")
        progress.say("core")
        if _pytest(root, _CORE):
            failed.append("core")
    progress.say("tests", version=platform.python_version())
    if words:
        failed += ["tests"] if _pytest(root, [*(["-m", _LONG] if whole else []), *words]) else []
    else:
        failed += _two_runs(root, progress, _LONG if whole else _EVERYDAY)
    if whole and not words and on_debian_13(root, ["./kazasu", "test", _SUITE_ONLY], progress):
        failed.append("Debian 13")
    if failed:
        progress.say("failed", names=", ".join(failed))
    progress.say("took", seconds=round(time.monotonic() - begin))
    return 1 if failed else 0


def _two_runs(root: Path, progress: Progress, which: str) -> list[str]:
    """Runs the tests that start a pcscd beside all others; names the half that failed.

    Each half has a private network of its own, and much of either is waiting, so two cores are
    used well. What the first half says is shown when the second one has ended.
    """
    with tempfile.TemporaryFile("w+") as said:
        beside = _started(root, ["-m", f"pcscd and {which}"], said)
        failed = ["tests"] if _pytest(root, ["-m", f"not pcscd and {which}"]) else []
        progress.say("pcscd")
        if beside.wait():
            failed.append("tests with pcscd")
        said.seek(0)
        print(said.read(), flush=True)
    return failed


def _started(root: Path, words: list[str], said: IO[str]) -> subprocess.Popen[str]:
    command = [str(venv.python(root)), "-m", *PRIVATE, str(venv.python(root)), "-m", "pytest"]
    return subprocess.Popen(
        [*command, "--color=no", *words],
        cwd=root,
        env=venv.environment(root),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=said,
        text=True,
    )


def _pytest(root: Path, words: list[str]) -> int:
    """Runs pytest with no network but a loopback of its own; returns its exit code."""
    return _python(root, [*PRIVATE, str(venv.python(root)), "-m", "pytest", *words])


def _python(root: Path, words: list[str]) -> int:
    """Runs a module of the virtual environment in the checkout; returns its exit code."""
    command = [str(venv.python(root)), "-m", *words]
    env = venv.environment(root)
    # Colours and widths of a terminal do not belong into a log.
    if "CI" in os.environ:
        env.setdefault("COLUMNS", "100")
    return subprocess.run(command, cwd=root, env=env, check=False).returncode
