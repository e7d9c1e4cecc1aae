"""The everyday tests on a fresh Debian 13, the release that the terminal's image is made of.

A minimal system with nothing but python3 and git is made by ``mmdebstrap`` and kept as an archive
for a week. For each run it is unpacked anew, a copy of the checkout is put in, and
``./kazasu test`` is run there as on a machine that has never seen it: so the run also proves
set-up, and Python 3.13.

It runs in mount and process namespaces of its own, which vanish with it: as root, or as an
ordinary user where user namespaces and ids in ``/etc/subuid`` allow it.
"""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from provisioning.setup import carried, steps
from provisioning.setup.fault import SetupError
from provisioning.setup.progress import Progress

_RELEASE = "trixie"
_KEPT_DAYS = 7
_DAY = 86_400

# The root file system is swapped whole (pivot_root) and not by chroot, because the kernel refuses
# namespaces to a process in a chroot, and the tests make some.
_INSIDE = """
set -e
archive=$1 new=$2 luggage=$3
shift 3
mount --make-rprivate /
tar --extract --file "$archive" --directory "$new" --exclude='./dev/*'
mount --bind "$new" "$new"
tar --extract --file "$luggage" --directory "$new"
mount -t proc proc "$new/proc"
mount --rbind /sys "$new/sys"
mount --rbind /dev "$new/dev"
cd "$new"
pivot_root . .
umount --lazy .
cd /srv/kazasu
exec env --ignore-environment --split-string="$(cat /root/environment)" "$@"
"""


def on_debian_13(root: Path, command: list[str], progress: Progress) -> int:
    """Runs the command in a copy of the checkout on a fresh Debian 13; returns its exit code.

    Raises:
        SetupError: the system cannot be made here; the message says what is missing.
    """
    room = steps.room(root)
    progress.log = room / "setup.log"
    private = _private_namespaces(progress)
    archive = _archive(room, progress)
    system, luggage = room / _RELEASE, room / f"{_RELEASE}-luggage.tar"
    clear = [*private, "rm", "--recursive", "--force", "--one-file-system", str(system)]
    with steps.alone(room, _RELEASE, progress):
        progress.attempt(clear)
        system.mkdir()
        carried.pack(root, luggage)
        progress.say("chroot-tests")
        script = ["sh", "-c", _INSIDE, "sh", str(archive), str(system), str(luggage)]
        try:
            done = subprocess.run(
                [*private, *script, *command], stdin=subprocess.DEVNULL, check=False
            )
        finally:
            progress.attempt(clear)
            luggage.unlink()
    return done.returncode


def _private_namespaces(progress: Progress) -> list[str]:
    """The command before the command: private mounts and processes, with a root's rights there."""
    private = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        private += ["--user", "--map-root-user", "--map-auto"]
    code, output = progress.attempt([*private, "true"])
    if code:
        user = pwd.getpwuid(os.geteuid()).pw_name
        raise SetupError("chroot-rights", detail=output.strip().splitlines()[-1], user=user)
    return private


def _archive(room: Path, progress: Progress) -> Path:
    """The archive of the minimal system, at most a week old where that can be had."""
    archive = room / f"{_RELEASE}.tar"
    days = (time.time() - archive.stat().st_mtime) / _DAY if archive.exists() else None
    if days is not None and days < _KEPT_DAYS:
        return archive
    fresh = archive.with_suffix(".tar.new")
    mode = "root" if os.geteuid() == 0 else "unshare"
    try:
        progress.run(
            "chroot",
            [
                *("mmdebstrap", "--variant=minbase", f"--mode={mode}", "--include=python3,git"),
                *carried.apt_options(),
                *("--format=tar", _RELEASE, str(fresh)),
            ],
        )
    except SetupError:
        if days is None:
            raise
        progress.say("chroot-stale", days=round(days))
    else:
        shutil.move(fresh, archive)
    return archive
