"""Runs a command in a network and a /run of its own: `python -m tests.namespace -- COMMAND ...`

The tests start a real pcscd and a real broker. Debian's virtual reader listens on every
address, and pcscd's socket has one fixed place, so both must neither be seen by nor see the
machine outside. Inside there is only the loopback interface, and `/run/pcscd` is empty.
Everything else (files, user, processes, environment) stays as it is outside.

Works as root, and as an ordinary user by a user namespace in which the user stays who they are
but may mount and set up interfaces (tests that need a small disk use that too). Where the
system refuses it, the command is not run: exit code 3, and the remedy on standard error.

Rules: standard library and util-linux' `unshare` only; becomes the command by exec, so that
signals and the exit code are its own. `inside()` tells whether this process is in there.
"""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

REFUSED = 3
MARK = "KAZASU_NAMESPACE"
AS_ROOT = ["unshare", "--mount", "--net"]
AS_USER = ["unshare", "--user", "--map-current-user", "--keep-caps", "--mount", "--net"]
RUN = Path("/run")
PCSCD = RUN / "pcscd"

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1
MS_BIND, MS_REC = 0x1000, 0x4000

USAGE = "usage: python -m tests.namespace -- COMMAND [ARGUMENT ...]\n"
REMEDY = """\
This machine does not let us make a private network for the tests: {reason}
One of these lets it:
  Debian:     sudo sysctl kernel.unprivileged_userns_clone=1
  Ubuntu:     sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0
  container:  start it with --cap-add SYS_ADMIN --security-opt seccomp=unconfined
  otherwise:  run the tests as root
"""


def inside() -> bool:
    """Whether this process runs in the private network that `main` made."""
    return os.environ.get(MARK) == _network()


def main(arguments: list[str]) -> int:
    """Enter the namespaces and become the command; only returns if that is refused."""
    settled = arguments[:1] == ["--settled"]
    command = arguments[1:] if settled else arguments
    if command[:1] != ["--"] or not command[1:]:
        sys.stderr.write(USAGE)
        return 2
    if settled:
        settle()
    if settled or inside():
        return _become(command[1:])
    reasons = []
    for way in [AS_ROOT, AS_USER] if os.geteuid() == 0 else [AS_USER]:
        probe = subprocess.run([*way, "true"], capture_output=True, text=True, check=False)
        if probe.returncode == 0:
            return _become([*way, sys.executable, "-P", __file__, "--settled", *command])
        reasons.append(probe.stderr.strip())
    sys.stderr.write(REMEDY.format(reason="; ".join(reasons)))
    return REFUSED


def settle() -> None:
    """Set up what is ours: the loopback interface, an empty /run/pcscd, the mark."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh", b"lo", 0)
        name, flags = struct.unpack("16sh", fcntl.ioctl(control, SIOCGIFFLAGS, request))
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh", name, flags | IFF_UP))
    if not PCSCD.is_dir():
        _rebuild_run()
    _mount("tmpfs", PCSCD, kind="tmpfs")
    os.environ[MARK] = _network()


def _rebuild_run() -> None:
    """Lay a /run of our own over the machine's, with the same contents and `pcscd` added.

    An ordinary user cannot make a folder in the machine's /run, and root should not.
    """
    old = os.open(RUN, os.O_PATH | os.O_DIRECTORY)
    entries = [(entry.name, entry) for entry in sorted(RUN.iterdir())]
    kinds = [(name, path.is_symlink(), path.is_dir()) for name, path in entries]
    links = {name: path.readlink() for name, path in entries if path.is_symlink()}
    _mount("tmpfs", RUN, kind="tmpfs")
    for name, is_link, is_folder in kinds:
        place = RUN / name
        if is_link:
            place.symlink_to(links[name])
            continue
        if is_folder:
            place.mkdir()
        else:
            place.touch()
        with contextlib.suppress(OSError):  # what may not be shown again stays empty
            _mount(f"/proc/self/fd/{old}/{name}", place, flags=MS_BIND | MS_REC)
    os.close(old)
    PCSCD.mkdir()


def _mount(source: str, target: Path, *, kind: str = "none", flags: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = [os.fsencode(word) for word in (source, target, kind)]
    if libc.mount(*words, ctypes.c_ulong(flags), None):
        number = ctypes.get_errno()
        raise OSError(number, f"cannot mount {source}: {os.strerror(number)}", str(target))


def _network() -> str:
    """The name of the network namespace that this process is in."""
    return str(Path("/proc/self/ns/net").readlink())


def _become(command: list[str]) -> int:
    """Replace this process by the command; 127 if there is no such command."""
    try:
        os.execvp(command[0], command)  # noqa: S606  (exec of what the caller asked for)
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
