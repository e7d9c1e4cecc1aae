"""Machines to set up: a copy of the launcher, and programs of Debian's that say what we want.

apt, dpkg and sudo are not ours and need rights and a network, which tests do not have. They are
played by small shell scripts; each call of theirs is written down.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ("sh", "env", "cat", "mkdir", "cp", "grep", "dpkg-deb", "tar", "rm", "python3", "true")


@dataclass(frozen=True)
class Machine:
    """One machine: a checkout on it, and a folder of programs that is all of its PATH."""

    checkout: Path
    programs: Path

    def play(self, name: str, script: str) -> None:
        """Let a program exist that notes its arguments and then does what the script says."""
        place = self.programs / name
        place.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.programs}/calls"\n{script}\n')
        place.chmod(0o755)

    def calls(self, beginning: str = "") -> list[str]:
        """What was called so far, as command lines."""
        noted = self.programs / "calls"
        lines = noted.read_text().splitlines() if noted.exists() else []
        return [line for line in lines if line.startswith(beginning)]

    def environment(self, **settings: str) -> dict[str, str]:
        return {"PATH": str(self.programs), "HOME": str(self.programs), "LANG": "C", **settings}

    def launch(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ./kazasu there to its end."""
        return subprocess.run(
            ["/usr/bin/python3", str(self.checkout / "kazasu"), *arguments],
            cwd=self.checkout,
            env=self.environment(**settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def machine(folder: Path) -> Machine:
    """A machine with no apt, dpkg or sudo, and a checkout of nothing but the launcher."""
    checkout, programs = folder / "checkout", folder / "programs"
    programs.mkdir(parents=True)
    for name in TOOLS:
        place = shutil.which(name, path=f"/usr/bin:/bin:{os.environ['PATH']}")
        assert place, f"{name} is not on this machine"
        (programs / name).symlink_to(place)
    shutil.copytree(ROOT / "provisioning" / "setup", checkout / "provisioning" / "setup")
    shutil.copy(ROOT / "kazasu", checkout)
    (checkout / "provisioning" / "__init__.py").touch()
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, checkout)
    return Machine(checkout, programs)


def debian(there: Machine, *packages: str) -> None:
    """Let apt know packages: it solves, and fetches real .deb archives that hold one file each."""
    store = there.programs / "store"
    for package in packages:
        name, _, version = package.partition("=")
        tree = store / name
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        control += "Maintainer: nobody <nobody@example.org>\nDescription: a part\n"
        (tree / "DEBIAN" / "control").write_text(control)
        part = tree / "usr" / "share" / "parts" / name
        part.parent.mkdir(parents=True)
        part.write_text(version)
        subprocess.run(["dpkg-deb", "--build", tree, f"{store}/{name}.deb"], check=True)
    solved = "\n".join(
        f"Inst {name} [0.9] ({version} Debian:12/stable [all])"
        for name, _, version in (package.partition("=") for package in packages)
    )
    there.play(
        "apt-get",
        f"""
        case "$*" in
          *" install --simulate "*) cat <<'EOF'
{solved}
EOF
          ;;
          *" download "*)
            for word in "$@"; do case $word in *=*) case $word in --*) ;; *)
              cp "{store}/${{word%%=*}}.deb" . || exit 100 ;; esac ;; esac; done ;;
        esac""",
    )
    there.play("dpkg-query", "printf installed")
