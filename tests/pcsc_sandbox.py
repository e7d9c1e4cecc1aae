"""A real pcscd with two virtual readers, for any test that marks itself `real`.

    with Pcscd(tmp_path) as pcscd:
        insert(card, pcscd.slots[0])       # lies on the reader pcscd.readers[0]
        pcscd.kill()                       # as a crash would
        pcscd.restart()
        pcscd.unplug()                     # until the next restart

Runs only in the private namespace of `tests.namespace`, because the virtual reader listens on
every address there is. pcscd notices cards by asking every 0.4 s, so a card is seen up to half
a second after it was laid on. One pcscd at a time.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from provisioning import parts
from tests import namespace

PORTS = (35963, 35964)
READERS = ("Virtual PCD 00 00", "Virtual PCD 00 01")
SOCKET = namespace.PCSCD / "pcscd.comm"
START_S = 10.0
# So that a test run that is killed leaves no daemon behind.
DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL")

READER_CONF = """\
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:{port:#x}
LIBPATH      {driver}
CHANNELID    {port:#x}
"""


class Pcscd:
    """The daemon, started on entering and ended on leaving; its log is `pcscd.log` in `folder`."""

    def __init__(self, folder: Path) -> None:
        if not namespace.inside():
            raise RuntimeError(
                "a real pcscd is started only in a private network: run ./kazasu test, or "
                "python -m tests.namespace -- python -m pytest ..."
            )
        self.readers = list(READERS)
        self.slots = [("127.0.0.1", port) for port in PORTS]
        self.log = folder / "pcscd.log"
        self._conf = folder / "reader.conf.d"
        # A USB reader of this machine belongs to the machine's own daemon.
        self._no_usb = folder / "no-usb-drivers"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running daemon's process id."""
        assert self._process is not None, "pcscd is not running"
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self, *, plugged: bool = True) -> None:
        """Start the daemon and wait until clients and cards can reach it."""
        self._conf.mkdir(parents=True, exist_ok=True)
        self._no_usb.mkdir(exist_ok=True)
        text = READER_CONF.format(port=PORTS[0], driver=parts.vpcd_driver())
        (self._conf / "vpcd").write_text(text if plugged else "")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*DIES_WITH_US, *parts.pcscd_command(), "--config", str(self._conf)],
                stdout=log,
                stderr=log,
                env={**parts.environment(), "PCSCLITE_HP_DROPDIR": str(self._no_usb)},
            )
        wanted = set(PORTS) if plugged else set()
        self._wait(lambda: _answers(SOCKET) and _listening() >= wanted)

    def stop(self) -> None:
        """End the daemon in good order; idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the daemon as a crash would: it cleans up nothing."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill the daemon if it runs, and start another."""
        self.kill()
        self.start()

    def unplug(self) -> None:
        """Leave clients without any reader; `restart` plugs both in again.

        pcscd gives up a virtual reader only by starting anew, so clients see a lost daemon and
        then one without readers.
        """
        self.kill()
        self.start(plugged=False)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # it hangs in a mute card: SIGTERM waits for that
            process.kill()
            process.wait()

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not ready():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"pcscd did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.01)


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    """A running pcscd with two virtual readers, ended after the test."""
    with Pcscd(tmp_path) as daemon:
        yield daemon


def _answers(path: Path) -> bool:
    """Whether a client can connect; a killed daemon's socket stays as a path that refuses."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(os.fspath(path)) == 0


def _listening() -> set[int]:
    """The TCP ports somebody listens on; connecting to try would lay a card on the reader."""
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return {int(each[1].rpartition(":")[2], 16) for each in fields if each[3] == "0A"}
