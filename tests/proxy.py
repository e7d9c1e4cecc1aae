"""A bad network on loopback: a TCP proxy that a test can spoil in every way that networks do.

A client connects to ``Proxy.port`` instead of the true one. At first everything passes; then

``hold``        nothing moves, nobody is told (a cable pulled, a frozen switch); ``pass_on`` ends it
``lose``        half-open: the server sees its end close, the client is told nothing, ever
``finish``      both ends are closed in order (FIN)
``reset``       both ends are reset (RST)
``refuse``      as ``reset``, and nobody gets in until ``pass_on``
``throttle``    so many bytes a second pass in each direction
``cut_at``      one of the above, after exactly n more bytes in one direction

All of them are done when the call returns. One thread moves the bytes.
"""

import queue
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

_PIECE = 16 * 1024
_TICK_S = 0.01
_PATIENCE_S = 5.0


class Towards(Enum):
    """Which way bytes go."""

    SERVER = "server"
    CLIENT = "client"


class _Road:
    """One direction of one connection: bytes that were read and not yet written."""

    def __init__(self, source: socket.socket, target: socket.socket, towards: Towards) -> None:
        self.source = source
        self.target = target
        self.towards = towards
        self.waiting = bytearray()
        self.ended = False
        self.told = False


class _Connection:
    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.lost = False
        self.roads = (
            _Road(client, server, Towards.SERVER),
            _Road(server, client, Towards.CLIENT),
        )


class Proxy:
    """Between a client and the server on ``target`` (loopback); use it in a ``with``."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._orders: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = (
            queue.SimpleQueue()
        )
        self._wake, self._woken = socket.socketpair()
        self._connections: list[_Connection] = []
        self._unanswered: list[socket.socket] = []
        self._held = False
        self._rate: float | None = None
        self._allowance = dict.fromkeys(Towards, 0.0)
        self._filled_at = time.monotonic()
        self._cuts: dict[Towards, tuple[int, Callable[[], None]]] = {}
        self._passed = dict.fromkeys(Towards, 0)
        self.accepted = 0
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._over = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._do(self._end)
        self._thread.join(_PATIENCE_S)
        self._wake.close()
        self._woken.close()
        self._selector.close()

    @property
    def passed(self) -> dict[Towards, int]:
        """How many bytes went each way so far."""
        self._do(lambda: None)
        return dict(self._passed)

    def pass_on(self) -> None:
        """Everything passes again; what was held goes on its way."""
        self._do(self._pass_on)

    def hold(self) -> None:
        """Nothing moves, old connections or new ones; nobody is told."""
        self._do(self._hold)

    def lose(self) -> None:
        """The server's ends are closed; the clients hear nothing any more and are not told."""
        self._do(self._lose)

    def finish(self) -> None:
        """Close all connections in order."""
        self._do(self._finish)

    def reset(self) -> None:
        """Reset all connections."""
        self._do(self._reset)

    def refuse(self) -> None:
        """Reset all connections and let nobody in."""
        self._do(self._refuse)

    def throttle(self, bytes_per_s: float | None) -> None:
        """So many bytes pass in each direction, in sum over all connections; None ends it."""
        self._do(lambda: self._throttle(bytes_per_s))

    def cut_at(self, more: int, towards: Towards, how: str = "reset") -> None:
        """Let ``more`` bytes pass, then do ``how`` (hold, lose, finish, reset, refuse)."""
        action = getattr(self, f"_{how}")
        self._do(lambda: self._cuts.__setitem__(towards, (more, action)))

    def _do(self, order: Callable[[], None]) -> None:
        done = threading.Event()
        self._orders.put((order, done))
        self._wake.send(b"!")
        assert done.wait(_PATIENCE_S), "the proxy's thread has ended"

    # --- on the proxy's own thread

    def _run(self) -> None:
        while not self._over:
            self._watch()
            for key, _ in self._selector.select(_TICK_S if self._rate is not None else None):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.fileobj is self._listener:
                    self._accept()
            while not self._orders.empty():
                order, done = self._orders.get()
                order()
                done.set()
            self._refill()
            for connection in tuple(self._connections):
                self._move(connection)

    def _watch(self) -> None:
        """Tell the selector what can be waited for now."""
        wanted: dict[socket.socket, int] = {self._woken: selectors.EVENT_READ}
        if self._listener is not None:
            wanted[self._listener] = selectors.EVENT_READ
        for connection in self._connections:
            if connection.lost:
                wanted[connection.client] = selectors.EVENT_READ
            elif not self._held:
                for road in connection.roads:
                    self._watch_road(road, wanted)
        for key in tuple(self._selector.get_map().values()):
            if key.fileobj not in wanted:
                self._selector.unregister(key.fileobj)
        registered = {key.fileobj for key in self._selector.get_map().values()}
        for one, events in wanted.items():
            if one in registered:
                self._selector.modify(one, events)
            else:
                self._selector.register(one, events)

    def _watch_road(self, road: _Road, wanted: dict[socket.socket, int]) -> None:
        if not road.ended and len(road.waiting) < _PIECE:
            wanted[road.source] = wanted.get(road.source, 0) | selectors.EVENT_READ
        if road.waiting and self._may_pass(road) > 0:
            wanted[road.target] = wanted.get(road.target, 0) | selectors.EVENT_WRITE

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        self.accepted += 1
        if self._held:
            self._unanswered.append(client)
        else:
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=_PATIENCE_S)
        except OSError:
            _drop(client)
            return
        for one in (client, server):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append(_Connection(client, server))

    def _move(self, connection: _Connection) -> None:
        if connection.lost:
            with suppress(BlockingIOError, OSError):
                # Taken off the wire and forgotten, as a dead peer's neighbour does.
                if not connection.client.recv(_PIECE):
                    self._forget(connection)
            return
        for road in connection.roads:
            if self._held or connection not in self._connections or connection.lost:
                return
            try:
                self._read(road)
                self._write(road)
            except OSError:
                self._forget(connection)
        if all(road.told for road in connection.roads):
            self._forget(connection)

    def _read(self, road: _Road) -> None:
        if road.ended or len(road.waiting) >= _PIECE:
            return
        with suppress(BlockingIOError):
            piece = road.source.recv(_PIECE)
            road.waiting += piece
            road.ended = not piece

    def _write(self, road: _Road) -> None:
        piece = bytes(road.waiting[: self._may_pass(road)])
        if piece:
            with suppress(BlockingIOError):
                sent = road.target.send(piece)
                del road.waiting[:sent]
                self._count(road.towards, sent)
        if road.ended and not road.waiting and not road.told:
            road.told = True
            road.target.shutdown(socket.SHUT_WR)

    def _may_pass(self, road: _Road) -> int:
        most = len(road.waiting)
        if self._rate is not None:
            most = min(most, int(self._allowance[road.towards]))
        if road.towards in self._cuts:
            most = min(most, self._cuts[road.towards][0])
        return most

    def _count(self, towards: Towards, sent: int) -> None:
        self._passed[towards] += sent
        self._allowance[towards] -= sent
        if towards in self._cuts:
            left, action = self._cuts[towards]
            self._cuts[towards] = (left - sent, action)
            if left == sent:
                del self._cuts[towards]
                action()

    def _refill(self) -> None:
        now = time.monotonic()
        if self._rate is not None:
            more = self._rate * (now - self._filled_at)
            for towards in Towards:
                # No saving up: at most what passes in a tenth of a second.
                most = max(1.0, self._rate / 10)
                self._allowance[towards] = min(self._allowance[towards] + more, most)
        self._filled_at = now

    def _pass_on(self) -> None:
        self._held = False
        self._cuts.clear()
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        waiting, self._unanswered = self._unanswered, []
        for client in waiting:
            self._join(client)

    def _hold(self) -> None:
        self._held = True

    def _throttle(self, bytes_per_s: float | None) -> None:
        self._rate = bytes_per_s
        self._allowance = dict.fromkeys(Towards, 0.0)

    def _lose(self) -> None:
        for connection in self._connections:
            if not connection.lost:
                connection.lost = True
                self._unwatch(connection.server)
                connection.server.close()

    def _finish(self) -> None:
        for connection in tuple(self._connections):
            self._forget(connection)

    def _reset(self) -> None:
        for connection in tuple(self._connections):
            for one in (connection.client, connection.server):
                self._unwatch(one)
                _drop(one)
            self._connections.remove(connection)
        for client in self._unanswered:
            _drop(client)
        self._unanswered.clear()

    def _refuse(self) -> None:
        if self._listener is not None:
            self._unwatch(self._listener)
            self._listener.close()
            self._listener = None
        self._reset()

    def _forget(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return
        for one in (connection.client, connection.server):
            self._unwatch(one)
            one.close()
        self._connections.remove(connection)

    def _unwatch(self, one: socket.socket) -> None:
        with suppress(KeyError, ValueError):
            self._selector.unregister(one)

    def _end(self) -> None:
        self._refuse()
        self._over = True


def _drop(one: socket.socket) -> None:
    """Close with a reset instead of a farewell."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
