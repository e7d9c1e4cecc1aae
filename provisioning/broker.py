"""The town hall's broker: a real Mosquitto with mutual TLS, its rules from one table, supervised.

``mosquitto_conf`` writes the settings, ``Broker`` starts, kills, restarts and stops the process.

Rules: it listens on one named address (loopback unless told otherwise; on another one never as
root) and never without client certificates; user name and client id are the certificate's common
name, so nobody takes over a neighbour's session; who may write and read what comes from
``terminal.wire.topics.acl``. One broker runs for each directory. Certificates are made by
``provisioning.authority``; where the program lies is known to ``provisioning.parts``.

A broker is a pipe: what it has acknowledged may still be lost when it is killed. Promises are
kept by journal, ledger and receipt, not by the settings here.
"""

import fcntl
import ipaddress
import logging
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from provisioning import parts
from terminal.wire import topics

_LOG = logging.getLogger(__name__)

CLIENTS_CA = "town-ca.crt"
"""Whose certificates may connect; in the broker's directory, as are the next two."""
CERTIFICATE = "server.crt"
KEY = "server.key"
LOG = "mosquitto.log"

START_WITHIN_S = 10.0
STOP_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.02
_ATTEMPTS = 8
_TAKEN = b"Address already in use"
_RUNNING = b" running\n"


class BrokerError(Exception):
    """The broker cannot be started; the text names what is in the way and the remedy."""


class _PortTakenError(BrokerError):
    """Somebody else listens on the port."""


def mosquitto_conf(
    directory: Path,
    port: int,
    *,
    address: str = "127.0.0.1",
    persistence: bool = True,
    crl: Path | None = None,
) -> str:
    """The text of mosquitto.conf for the broker that lives in ``directory`` (Mosquitto 2.0).

    Args:
        directory: holds certificates, key, rules and the broker's own database.
        port: TCP port, 1 to 65535.
        address: the only address it listens on.
        persistence: whether it writes sessions and retained messages to disk. Every 100 changes
            at the latest, because the default of 30 minutes loses them all when it is killed.
        crl: a list of revoked certificates (PEM), if there is one.

    Raises:
        BrokerError: a path or address that the file's format cannot carry.
    """
    lines = [
        "# Written by kazasu at each start of the broker; changes made here are lost.",
        f"listener {port} {address}",
        f"cafile {directory / CLIENTS_CA}",
        f"certfile {directory / CERTIFICATE}",
        f"keyfile {directory / KEY}",
        *([f"crlfile {crl}"] if crl else []),
        "tls_version tlsv1.2",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {directory / 'acl'}",
        "set_tcp_nodelay true",
        # The default of 1000 drops what it has acknowledged while the ledger is away.
        "max_queued_messages 100000",
        "max_packet_size 300000",
        "persistent_client_expiration 30d",
        f"persistence {'true' if persistence else 'false'}",
        f"persistence_location {directory}/",
        "autosave_on_changes true",
        "autosave_interval 100",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        "log_type information",
        "log_timestamp_format %Y-%m-%dT%H:%M:%S",
    ]
    if os.geteuid() == 0:
        # Started by root it would become the user mosquitto, who may not read the key.
        lines.append("user root")
    if any("\n" in line or "\r" in line for line in lines):
        raise BrokerError("a path with a line break cannot stand in mosquitto.conf; rename it")
    return "\n".join(lines) + "\n"


def check_user(address: str) -> None:
    """Whether this process may serve ``address``: a server that the network reaches is not root's.

    Raises:
        BrokerError: it may not; the text says how it may.
    """
    if os.geteuid() != 0 or address == "localhost":
        return
    with suppress(ValueError):
        if ipaddress.ip_address(address).is_loopback:
            return
    raise BrokerError(
        f"the broker listens on {address}, which others reach, not as root: a fault in it would "
        "give them the machine. Give the town directory to a user of its own and run it as that "
        "user: sudo -u USER ./kazasu town broker TOWN --address " + address
    )


class Broker:
    """One supervised Mosquitto. Not for several threads; use it in a ``with`` or call ``stop``.

    With ``port`` 0 a free one is picked at the first start and kept over restarts.
    """

    def __init__(
        self,
        directory: Path,
        site: str,
        port: int = 0,
        *,
        address: str = "127.0.0.1",
        persistence: bool = True,
        crl: Path | None = None,
    ) -> None:
        self.directory = directory.resolve()
        self.site = site
        self.address = address
        self.persistence = persistence
        self.crl = crl
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The TCP port it listens on; 0 before the first start if none was asked for."""
        return self._port

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> Path:
        """What Mosquitto writes; appended to over restarts."""
        return self.directory / LOG

    def start(self) -> None:
        """Start and return once connections are accepted; nothing to do if it runs.

        Raises:
            BrokerError: root and not loopback, port taken, certificate missing, another broker in
                this directory, or Mosquitto refused to run.
            provisioning.parts.MissingPartError: Mosquitto is not on this machine.
        """
        if self.running:
            return
        check_user(self.address)
        for name in (CLIENTS_CA, CERTIFICATE, KEY):
            if not (self.directory / name).is_file():
                raise BrokerError(
                    f"{self.directory / name} is missing; the town's authority makes it"
                )
        if self._port:
            self._start_at(self._port)
            return
        for attempt in range(_ATTEMPTS):
            # Between finding a free port and listening on it somebody else may take it.
            port = _free_port(self.address)
            try:
                self._start_at(port)
            except _PortTakenError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            self._port = port
            return

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it in order; idempotent. Past STOP_WITHIN_S it is killed."""
        if not self._process:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            _LOG.warning("Mosquitto did not end within %s s and was killed", STOP_WITHIN_S)
            self.kill()

    def restart(self) -> None:
        """Stop and start, on the same port."""
        self.stop()
        self.start()

    def _start_at(self, port: int) -> None:
        conf = self.directory / "mosquitto.conf"
        _write_private(
            conf,
            mosquitto_conf(
                self.directory,
                port,
                address=self.address,
                persistence=self.persistence,
                crl=self.crl,
            ),
        )
        _write_private(self.directory / "acl", topics.acl(self.site))
        command = [str(parts.mosquitto()), "-c", str(conf)]
        with _only_one(self.directory) as lock, self.log.open("ab") as log:
            seen = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=parts.environment(),
                # The child keeps the lock for as long as it lives, even if we are killed.
                pass_fds=(lock.fileno(),),
                # Ctrl-C at the terminal is for us; we then stop the broker last.
                start_new_session=True,
            )
        self._wait_until_it_listens(port, seen)

    def _wait_until_it_listens(self, port: int, seen: int) -> None:
        """Mosquitto says that it runs once its listeners are open; ``seen`` is the old log."""
        deadline = time.monotonic() + START_WITHIN_S
        while time.monotonic() < deadline:
            ended = not self.running
            said = self.log.read_bytes()[seen:]
            if ended:
                self._tell_why(port, said)
            if _RUNNING in said:
                with suppress(OSError), socket.create_connection((self.address, port), timeout=1):
                    return
            time.sleep(_LOOK_EVERY_S)
        self.kill()
        raise BrokerError(
            f"Mosquitto did not listen on {self.address} port {port} within {START_WITHIN_S:g} s; "
            f"see {self.log}"
        )

    def _tell_why(self, port: int, said: bytes) -> None:
        if _TAKEN in said:
            raise _PortTakenError(
                f"port {port} on {self.address} is in use by another program; "
                "choose another port, or 0 for any free one"
            )
        last = said.decode(errors="replace").strip().splitlines()[-3:]
        raise BrokerError(f"Mosquitto ended at once: {' | '.join(last)} (see {self.log})")


@contextmanager
def _only_one(directory: Path) -> Iterator[BinaryIO]:
    """Hold the lock of a broker's directory; a broker that inherits it holds it as well."""
    with (directory / "mosquitto.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BrokerError(
                f"a broker already runs in {directory}; stop that one first "
                f"(this names its process: fuser {lock.name})"
            ) from None
        yield lock


def _free_port(address: str) -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can change or read; Mosquitto insists on it from 2.1 on."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)
