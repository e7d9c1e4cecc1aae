"""Brokers that no Mosquitto can be: one that keeps its PUBACKs, one that talks rubbish, a cut wire.

``StrangeBroker`` is a TLS server with the town's certificate that answers each packet as the test
says. ``Wire`` lies between the link and a real broker and can go dead or be cut.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

from tests.terminal.town_broker import Town

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9


def packet(kind: int, body: bytes, flags: int = 0) -> bytes:
    """An MQTT control packet (MQTT 5, 2.1)."""
    length, rest = b"", len(body)
    while True:
        rest, digit = divmod(rest, 128)[0], rest % 128
        length += bytes([digit | (128 if rest else 0)])
        if not rest:
            return bytes([kind << 4 | flags]) + length + body


def connack(receive_maximum: int) -> bytes:
    return packet(CONNACK, b"\x00\x00\x03\x21" + receive_maximum.to_bytes(2, "big"))


def topic_of(body: bytes) -> str:
    """The topic in a PUBLISH packet's body (MQTT 5, 3.3.2.1)."""
    return body[2 : 2 + int.from_bytes(body[:2], "big")].decode()


def number_of(body: bytes) -> bytes:
    """The packet number of a QoS 1 PUBLISH, as it stands there (MQTT 5, 3.3.2.2)."""
    at = 2 + int.from_bytes(body[:2], "big")
    return body[at : at + 2]


class StrangeBroker:
    """Answers packet by packet: ``answer(kind, body)`` gives the bytes to send back."""

    def __init__(self, town: Town, answer: Callable[[int, bytes], bytes]) -> None:
        self.packets: list[tuple[int, int, bytes]] = []
        """Kind, flags and body of what came."""
        self._answer = answer
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        folder = town.folder / "broker"
        self._context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self._context.load_verify_locations(town.ca.path)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._ending = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def publishes(self) -> list[bytes]:
        """Bodies of the QoS 1 messages that came."""
        return [body for kind, flags, body in self.packets if kind == PUBLISH and flags & 2]

    def _serve(self) -> None:
        while not self._ending:
            with contextlib.suppress(OSError):
                plain, _ = self._listener.accept()
                with plain, self._context.wrap_socket(plain, server_side=True) as secured:
                    secured.settimeout(0.2)
                    self._talk(secured)

    def _talk(self, secured: ssl.SSLSocket) -> None:
        buffer = b""
        while not self._ending:
            while (taken := _first_packet(buffer)) is not None:
                kind, flags, body, buffer = taken
                self.packets.append((kind, flags, body))
                reply = self._answer(kind, body)
                if reply:
                    secured.sendall(reply)
            try:
                data = secured.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                return
            buffer += data


def _first_packet(data: bytes) -> tuple[int, int, bytes, bytes] | None:
    length, shift = 0, 0
    for at in range(1, min(5, len(data))):
        length |= (data[at] & 127) << shift
        shift += 7
        if not data[at] & 128:
            end = at + 1 + length
            if len(data) < end:
                return None
            return data[0] >> 4, data[0] & 15, data[at + 1 : end], data[end:]
    return None


class Wire:
    """A TCP relay to ``port`` that can fall silent, or be cut and stay cut."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.silent = False
        self.cut = False
        self._ending = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join(10)
        self._listener.close()

    def _carry(self) -> None:
        while not self._ending:
            if self.cut:
                self._drop_all()
            ends = [end for pair in self._pairs for end in pair]
            readable, _, _ = select.select([self._listener, *ends], [], [], 0.05)
            for end in readable:
                if end is self._listener:
                    self._accept()
                elif not self.silent:
                    self._hand_on(end)
        self._drop_all()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.cut:
            client.close()
            return
        try:
            self._pairs.append((client, socket.create_connection(("127.0.0.1", self._target), 5)))
        except OSError:
            client.close()

    def _hand_on(self, end: socket.socket) -> None:
        pair = next((pair for pair in self._pairs if end in pair), None)
        if pair is None:
            return
        other = pair[1] if end is pair[0] else pair[0]
        try:
            data = end.recv(65_536)
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(pair)

    def _drop(self, pair: tuple[socket.socket, socket.socket]) -> None:
        self._pairs.remove(pair)
        for end in pair:
            end.close()

    def _drop_all(self) -> None:
        for pair in tuple(self._pairs):
            self._drop(pair)
