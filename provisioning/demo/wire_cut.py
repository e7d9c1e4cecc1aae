"""The LAN cable between the terminal and the broker, as something that can be pulled.

A relay on loopback: what comes in on its own port goes on to the broker, byte for byte; TLS runs
through it untouched. Pulled, it drops every connection and takes no new ones, so the terminal sees
what a dead switch port shows it: nothing there any more.

Rules: threads of its own, no root, no firewall. A port that was pulled is the same when it is
plugged in again.
"""

import contextlib
import socket
import threading

HOST = "127.0.0.1"
PIECE = 65_536
CONNECT_WITHIN_S = 2.0
JOIN_S = 2.0


class WireCut:
    """A cable to ``port`` on loopback, plugged in until ``close``. Any thread may call."""

    def __init__(self, port: int) -> None:
        self._target = (HOST, port)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = _listen(0)
        self.port = int(self._listener.getsockname()[1])
        self._wait_for_calls(self._listener)

    @property
    def plugged(self) -> bool:
        """Whether the cable is in."""
        with self._lock:
            return self._listener is not None

    @property
    def carries(self) -> bool:
        """Whether a connection runs through it now."""
        with self._lock:
            return bool(self._ends)

    def pull(self) -> None:
        """Pull the cable: every connection ends, none comes through; idempotent."""
        with self._lock:
            listener, self._listener = self._listener, None
            ends = list(self._ends)
            self._ends.clear()
        if listener is not None:
            _hang_up(listener)
        for end in ends:
            _hang_up(end)

    def plug(self) -> None:
        """Plug the cable in again; idempotent."""
        with self._lock:
            if self._listener is not None:
                return
            self._listener = listener = _listen(self.port)
        self._wait_for_calls(listener)

    def close(self) -> None:
        """End for good."""
        self.pull()

    def _wait_for_calls(self, listener: socket.socket) -> None:
        threading.Thread(
            target=self._take_calls, args=(listener,), name="cable", daemon=True
        ).start()

    def _take_calls(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # pulled
                listener.close()
                return
            threading.Thread(target=self._join, args=(near,), name="cable", daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        """Carry one connection until one side ends it or the cable is pulled."""
        try:
            far = socket.create_connection(self._target, timeout=CONNECT_WITHIN_S)
        except OSError:  # the broker is down: the terminal sees its call refused
            near.close()
            return
        far.settimeout(None)
        for end in (near, far):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            plugged = self._listener is not None
            if plugged:
                self._ends |= {near, far}
        if plugged:
            back = threading.Thread(target=_carry, args=(far, near), name="cable", daemon=True)
            back.start()
            _carry(near, far)
            back.join()
        with self._lock:
            self._ends -= {near, far}
        near.close()
        far.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """Carry bytes one way until there are no more, then hang up both ends."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            sink.sendall(piece)
    _hang_up(source)
    _hang_up(sink)


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(8)
    except OSError:
        listener.close()
        raise
    return listener


def _hang_up(end: socket.socket) -> None:
    """Wake whoever waits on this socket; that thread closes it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
