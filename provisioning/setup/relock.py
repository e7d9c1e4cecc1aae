"""``./kazasu relock``: resolves the dependencies anew and writes the three lock files.

They name every package with its version and the hashes of all its files, so that one lock serves
x86_64 and aarch64, Python 3.11 and 3.13. They name no address: where packages come from is the
business of the machine's own pip configuration.

============================  ======================================================
``requirements-build.lock``   what builds the two libraries that come as source
``requirements.lock``         what terminal and town hall run on
``requirements-dev.lock``     what the tests and checks need besides
============================  ======================================================

The resolver is ``uv``, which must be on the PATH; only a developer who changes dependencies
needs it.
"""

import re
import subprocess
import tempfile
from pathlib import Path

from provisioning.setup.fault import SetupError

_BUILD_TOOLS = "setuptools\nswig\n"
_ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==.*?(?=^[A-Za-z0-9]|\Z)", re.MULTILINE | re.DOTALL)


def relock(root: Path, arguments: list[str]) -> int:
    """Writes the lock files of the checkout ``root``.

    Args:
        root: the checkout.
        arguments: ``--upgrade`` takes the newest allowed versions; without it, versions that are
            locked stay where pyproject.toml still allows them.

    Raises:
        SetupError: uv is missing or finds no solution.
    """
    run, dev = root / "requirements.lock", root / "requirements-dev.lock"
    build = root / "requirements-build.lock"
    old = "" if "--upgrade" in arguments else _old_versions([run, dev, build])
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "old").write_text(old)
        (work / "build.in").write_text(_BUILD_TOOLS)
        project = str(root / "pyproject.toml")
        everything = _resolve(work / "old", project, "--all-extras")
        (work / "all").write_text(everything)
        product = _resolve(work / "all", project, "--extra=terminal", "--extra=town")
        tools = _resolve(work / "all", str(work / "build.in"))
    ours = {match["name"] for match in _ENTRY.finditer(product)}
    extra = [m[0] for m in _ENTRY.finditer(everything) if m["name"] not in ours]
    run.write_text(product)
    dev.write_text("".join(extra))
    build.write_text(tools)
    print(f"{len(ours)} packages to run on, {len(extra)} more to develop with")
    return 0


def _old_versions(locks: list[Path]) -> str:
    """``name==version`` lines of the present locks, as wishes for the resolver."""
    pins = []
    for lock in locks:
        if lock.exists():
            pins += re.findall(r"^[A-Za-z0-9._-]+==[^\\\n]+", lock.read_text(), re.MULTILINE)
    return "\n".join(pins) + "\n"


def _resolve(wishes: Path, source: str, *options: str) -> str:
    """One lock's text: names, versions, hashes; neither comments nor addresses."""
    command = [
        *("uv", "--quiet", "--no-config", "pip", "compile", "--universal", "--generate-hashes"),
        *("--no-header", "--no-annotate", "--no-emit-index-url", "--python-version=3.11"),
        *(f"--constraints={wishes}", *options, source),
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise SetupError("relock-uv") from missing
    if done.returncode:
        raise SetupError("relock-failed", detail=done.stderr.strip())
    return done.stdout
