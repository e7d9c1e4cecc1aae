"""What systemd is told, over a real datagram socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal.watchdog import Watchdog

NS_PER_S = 1_000_000_000


class Systemd:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self.address)

    def heard(self) -> list[str]:
        words = []
        while True:
            try:
                words.append(self._socket.recv(64).decode())
            except BlockingIOError:
                return words

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.close()


class Hand:
    ns = 100 * NS_PER_S

    def __call__(self) -> int:
        return self.ns


def test_it_pings_while_all_threads_beat(systemd: Systemd) -> None:
    hand = Hand()
    watchdog = Watchdog(("loop", "reader"), address=systemd.address, now_ns=hand)
    watchdog.ready()
    watchdog.ping()
    assert systemd.heard() == ["READY=1", "WATCHDOG=1"]


def test_one_silent_thread_ends_the_pings_until_it_beats_again(systemd: Systemd) -> None:
    hand = Hand()
    watchdog = Watchdog(("loop", "reader"), address=systemd.address, now_ns=hand)
    hand.ns += 11 * NS_PER_S
    watchdog.beat("loop")
    watchdog.ping()
    assert watchdog.silent() == ("reader",)
    assert systemd.heard() == []
    watchdog.beat("reader")
    watchdog.ping()
    assert systemd.heard() == ["WATCHDOG=1"]


def test_it_pings_at_most_once_a_second(systemd: Systemd) -> None:
    hand = Hand()
    watchdog = Watchdog(("loop",), address=systemd.address, now_ns=hand)
    for _ in range(5):
        watchdog.ping()
    watchdog.stopping()
    assert systemd.heard() == ["WATCHDOG=1", "STOPPING=1"]


def test_without_systemd_it_says_nothing() -> None:
    Watchdog(("loop",), address="").ready()


def test_a_systemd_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    Watchdog(("loop",), address=str(tmp_path / "nobody")).ready()
