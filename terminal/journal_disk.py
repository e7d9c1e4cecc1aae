"""The room a journal lives in: one owner at a time, a reserve for the day the disk is full.

The reserve (ballast) is a file that is given up when a commit finds no room. It buys the time in
which operations see the alarm; it is laid in again once there is room.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

BALLAST = 16 * 1024 * 1024
"""Bytes held in reserve: about 20,000 records."""


class InUseError(Exception):
    """Another process holds the lock."""


class Lock:
    """A lock file; the kernel lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise InUseError(f"{path} is locked by another process") from error

    def release(self) -> None:
        """Let the next one in; idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Ballast:
    """A file of ``size`` bytes really taken on the disk; size 0 is none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size

    def lay(self) -> bool:
        """Take the reserve if it is not there and twice its room is free; whether it is there."""
        if self._size == 0:
            return False
        try:
            if self._path.exists() and self._path.stat().st_blocks * 512 >= self._size:
                return True
            if free_bytes(self._path.parent) < 2 * self._size:
                return False
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                self.give()
            return False
        return True

    def give(self) -> bool:
        """Free the reserve; whether there was any."""
        with contextlib.suppress(OSError):
            self._path.unlink()
            return True
        return False


def free_bytes(folder: Path) -> int:
    """What an ordinary process may still write to the disk of ``folder``."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def sync_folder(folder: Path) -> None:
    """Make names that were created or renamed in ``folder`` last."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
