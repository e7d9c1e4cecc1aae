"""Tells systemd that the service is alive: only while all of its own threads beat.

A missing reader, a full disk or a lost broker is a fault on the screen and an alarm at
operations, never a restart: restarting cures none of them and would take away the screen that
says so. What is watched are our threads. sd_notify(3) is one datagram, so no library is needed.
"""

import os
import socket
import time
from collections.abc import Callable

BEAT_WITHIN_S = 10.0
_NS_PER_S = 1_000_000_000


class Watchdog:
    """Collects the threads' beats and pings while every one of them is recent."""

    def __init__(
        self,
        threads: tuple[str, ...],
        *,
        address: str | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._now_ns = now_ns
        self._beats = dict.fromkeys(threads, now_ns())
        self._pinged_ns = 0

    def beat(self, thread: str) -> None:
        """That thread is alive; called by it at least every few seconds."""
        self._beats[thread] = self._now_ns()

    def silent(self) -> tuple[str, ...]:
        """The threads that have not beaten within ten seconds."""
        oldest = self._now_ns() - int(BEAT_WITHIN_S * _NS_PER_S)
        return tuple(name for name, at in self._beats.items() if at < oldest)

    def ready(self) -> None:
        """The service has begun."""
        self._notify("READY=1")

    def stopping(self) -> None:
        """The service ends on purpose."""
        self._notify("STOPPING=1")

    def ping(self) -> None:
        """Called by the loop; at most one datagram a second, none while a thread is silent."""
        now = self._now_ns()
        if now - self._pinged_ns < _NS_PER_S or self.silent():
            return
        self._pinged_ns = now
        self._notify("WATCHDOG=1")

    def _notify(self, word: str) -> None:
        if not self._address:
            return
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
            notify.setblocking(False)  # noqa: FBT003 - the library knows no name for it
            try:
                notify.sendto(word.encode("ascii"), address)
            except OSError:
                # systemd is gone or its queue is full; the next ping tries again.
                return
