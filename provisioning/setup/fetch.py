"""Debian packages that are used without being installed.

Installing Mosquitto or pcscd would start them. So they are fetched, and unpacked into
``.kazasu/parts`` with those of their libraries that the machine lacks; apt's own solver says
which. No rights are needed for it: apt works on package lists of our own, of the sources that the
machine is configured with. ``provisioning.parts`` tells where each part lies.

A package is unpacked once: a marker in ``parts/.unpacked/RELEASE`` names it, so that an
interrupted run goes on where it stopped.
"""

import os
import re
import shutil
from pathlib import Path

from provisioning.setup import machine
from provisioning.setup.fault import SetupError
from provisioning.setup.progress import Progress

_CANDIDATE = re.compile(r"^Inst (?P<name>\S+) .*?\((?P<version>\S+) ", re.MULTILINE)

_AT_ONCE = 20

# What the solver adds because an installed daemon would want it, because a library has headers,
# or for windows on a screen; unpacked it would lie idle. The C library must be the machine's own:
# it fits its loader.
_LEFT_OUT = re.compile(
    r"^(adduser|dbus.*|dconf-.*|init-system-helpers|libc6|libc-bin|libpam-.*|lsb-base|polkitd|"
    r"sgml-base|systemd.*|sysvinit-utils|udev|xdg-.*|xml-core|.*-dev|"
    r".*-icon-theme|libgl1-mesa-dri|libllvm.*|libz3-.*|mesa-libgallium|x11-.*)$"
)

_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<!-- The fonts of the tests' pictures: the same on every machine. -->
<fontconfig>
  <dir>{parts}/usr/share/fonts</dir>
  <cachedir>{parts}/var/cache/fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>IPAexGothic</family></prefer></alias>
</fontconfig>
"""


def fetch(names: tuple[str, ...], room: Path, progress: Progress, *, anew: bool = False) -> None:
    """Unpacks the packages, and the libraries they lack here, into ``room/parts``.

    Args:
        names: Debian packages; one that is installed on the machine is used as it is.
        room: the folder ``.kazasu``.
        progress: where steps are told.
        anew: ask the solver again also for packages that were dealt with before.

    Raises:
        SetupError: no apt, no network, or a package that this release does not have.
    """
    if not shutil.which("apt-get"):
        raise SetupError("no-apt", names=" ".join(names))
    parts = room / "parts"
    markers = parts / ".unpacked" / machine.suite()
    if not markers.exists():
        # Parts of another release would not fit the machine's libraries.
        shutil.rmtree(parts, ignore_errors=True)
    markers.mkdir(parents=True, exist_ok=True)
    wanted = [name for name in names if anew or not (markers / name).exists()]
    if wanted:
        apt = _own_apt(room)
        progress.say("lists")
        _, updated = progress.attempt([*apt, "update"])
        found = _solve([*apt, "install"], wanted, updated, progress)
        todo = [f"{n}={v}" for n, v in found.items() if not (markers / f"{n}={v}").exists()]
        progress.say("fetch", count=len(todo))
        for first in range(0, len(todo), _AT_ONCE):
            packages = todo[first : first + _AT_ONCE]
            _unpack(apt, packages, room, progress)
            for package in packages:
                (markers / package).touch()
        for name in wanted:
            (markers / name).touch()
        shutil.rmtree(room / "apt")
    (parts / "fonts.conf").write_text(_FONTS.format(parts=parts))


def _own_apt(room: Path) -> list[str]:
    """apt-get with lists and cache of our own, so that it needs no rights."""
    own = room / "apt"
    for folder in ("lists/partial", "cache/archives/partial"):
        (own / folder).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": own / "lists",
        "Dir::Cache": own / "cache",
        # The machine's hooks after an update are not ours to run.
        "APT::Update::Post-Invoke": "",
        "APT::Update::Post-Invoke-Success": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": "3",
        "APT::Install-Recommends": "false",
    }
    if os.geteuid() == 0:
        # Else apt complains that its download user may not write into our folder.
        options["APT::Sandbox::User"] = "root"
    return ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]


def _solve(
    install: list[str], wanted: list[str], updated: str, progress: Progress
) -> dict[str, str]:
    """Name and version of each package that installing the wanted ones would bring."""
    code, output = progress.attempt([*install, "--simulate", *wanted])
    if code:
        raise progress.failure(" ".join(wanted), updated + output)
    found = {match["name"]: match["version"] for match in _CANDIDATE.finditer(output)}
    return {name: version for name, version in found.items() if not _LEFT_OUT.match(name)}


def _unpack(apt: list[str], packages: list[str], room: Path, progress: Progress) -> None:
    """Fetches packages and lays out their files; their scripts are never run."""
    folder = room / "apt" / "fetched"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    fetch_here = ["sh", "-c", 'cd "$1" && shift && "$@"', "sh", str(folder)]
    code, output = progress.attempt([*fetch_here, *apt, "download", *packages])
    debs = sorted(folder.glob("*.deb"))
    while not code and debs:
        deb = debs.pop()
        code, output = progress.attempt(["dpkg-deb", "--extract", str(deb), str(room / "parts")])
    if code:
        raise progress.failure(" ".join(packages), output)
