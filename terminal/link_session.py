"""One connection to the broker, from CONNECT to its end, over paho; driven by the link's thread.

paho is used as a parser and a socket, nothing more. Its own thread is never started: we call its
``loop_read``, ``loop_write`` and ``loop_misc`` ourselves. So its traps cannot spring: a callback
that raises cannot kill a thread that nobody watches, ``loop_stop`` cannot hang, no lock of ours
meets one of paho's inside ``on_publish``, and no PUBACK can be read before ``publish`` has
returned its number. Nor is its queue used: nothing is published while there is no connection, and
never more than the caller's window, because paho ignores the broker's Receive Maximum.

Rules: a session is used once. Callbacks only append to a list. Every error of paho's over bytes of
a hostile broker ends the session, not the thread.
"""

import logging
import select
import socket
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from terminal.link_pipe import LinkSettings, Pipe, properties
from terminal.wire.messages import OFFLINE
from terminal.wire.topics import CHUNK, Name, topic

log = logging.getLogger(__name__)

WILL_DELAY_S = 20
SESSION_EXPIRY_S = 120
LONGEST_PACKET = 2 * CHUNK + 1024
"""Bytes; an announced packet that is longer ends the session before it fills the memory."""

_MOST_HELD = 20
_SHORTEST_PING_S = 3


@dataclass(frozen=True, slots=True)
class Opened:
    """The broker let us in; it takes ``receive_maximum`` messages at a time."""

    receive_maximum: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over; ``code`` is the broker's reason (MQTT 5, 2.4), None without one."""

    reason: str
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Acked:
    """Packet ``mid`` was answered with that PUBACK reason code."""

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message; ``topic`` "" if its name is not even UTF-8."""

    topic: str
    payload: bytes


Sign = Opened | Closed | Acked | Arrived


class Session:
    """One connection. ``connect`` blocks and may run on a thread of its own; the rest does not."""

    def __init__(self, settings: LinkSettings, number: int, *, fresh: bool) -> None:
        self._settings = settings
        self._five = settings.protocol == "5"
        self._signs: deque[Sign] = deque()
        self._closed = False
        self._abandoned = False
        self._client = self._made(number, fresh=fresh)

    def connect(self) -> None:
        """Reach the broker, prove who both are, send CONNECT.

        Raises:
            OSError: it cannot be reached, or is not the town's broker (ssl.SSLError).
        """
        settings = self._settings
        # paho notices a dead peer after up to twice its keepalive; so it gets less than ours.
        ping_s = max(_SHORTEST_PING_S, settings.keepalive_s * 3 // 4)
        options: dict[str, Any] = {}
        if self._five:
            options["properties"] = properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=SESSION_EXPIRY_S,
                MaximumPacketSize=LONGEST_PACKET,
                ReceiveMaximum=_MOST_HELD,
            )
            options["clean_start"] = self._client.fresh
        self._client.connect(settings.host, settings.port, ping_s, **options)
        if self._abandoned:
            self._client.let_go()

    def turn(self, longest_s: float, wake: socket.socket) -> list[Sign]:
        """Wait for the broker, room to write, or a byte on ``wake``; what happened since."""
        if not self._closed:
            try:
                self._pump(longest_s, wake)
            except Exception as error:  # noqa: BLE001 - whatever a hostile broker makes paho raise
                log.warning("the session ended over %s: %s", type(error).__name__, error)
                self.end("unreadable")
        signs = list(self._signs)
        self._signs.clear()
        return signs

    def publish(
        self,
        name: Name,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        expiry_s: int = 0,
        note: str = "",
    ) -> int | None:
        """Hand one message to the broker; its packet number, None if there is no connection."""
        if self._closed or not self._client.is_connected():
            return None
        place = topic(name, self._settings.site, self._settings.terminal)
        described = self._described(expiry_s, note) if self._five else None
        info = self._client.publish(place, payload, qos=qos, retain=retain, properties=described)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.end("publish_failed")
            return None
        return info.mid

    def subscribe(self, filters: Iterable[str]) -> None:
        """Ask for these topics; the broker sends what it has retained for them."""
        for one in filters:
            self._client.subscribe(one, qos=1)

    def unsubscribe(self, one: str) -> None:
        """Ask for that topic no longer."""
        self._client.unsubscribe(one)

    def leave(self) -> None:
        """Say goodbye, so that the broker keeps the will to itself."""
        if not self._closed:
            self._client.disconnect()
        self.end("left")

    def end(self, reason: str, code: int | None = None) -> None:
        """Close the socket, from which the broker learns nothing; the will speaks for us."""
        if not self._closed:
            self._closed = True
            self._signs.append(Closed(reason, code))
        self._client.let_go()

    def abandon(self) -> None:
        """Give up on a ``connect`` that does not return; it lets go of the socket by itself."""
        self._abandoned = True

    def _made(self, number: int, *, fresh: bool) -> "Pipe":
        settings = self._settings
        client = Pipe(settings, fresh=fresh, five=self._five)
        will = topic(Name.STATUS, settings.site, settings.terminal)
        described = None
        if self._five:
            described = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=WILL_DELAY_S)
            described.UserProperty = ("session", str(number))
        client.will_set(will, OFFLINE, qos=1, retain=True, properties=described)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = _on_subscribe
        return client

    def _pump(self, longest_s: float, wake: socket.socket) -> None:
        sock = self._client.socket()
        if sock is None:
            self.end("lost")
            return
        # TLS may hold whole packets that the socket no longer shows as readable.
        waiting = self._client.buffered()
        writing = [sock] if self._client.want_write() else []
        readable, writable, _ = select.select(
            [sock, wake], writing, [], 0 if waiting else longest_s
        )
        if wake in readable:
            wake.recv(4096)
        if sock in readable or waiting:
            self._client.loop_read()
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        if self._client.announced() > LONGEST_PACKET:
            self.end("packet_too_long")
        elif self._client.held() > _MOST_HELD:
            self.end("too_many_held")
        elif self._client.socket() is None:
            self.end("lost")

    def _described(self, expiry_s: int, note: str) -> Properties:
        described = properties(PacketTypes.PUBLISH, PayloadFormatIndicator=1)
        if expiry_s:
            described.MessageExpiryInterval = expiry_s
        if note:
            described.UserProperty = ("session", note)
        return described

    def _on_connect(
        self,
        _client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        code: ReasonCode,
        given: Properties | None,
    ) -> None:
        if code.is_failure:
            self.end(f"refused: {code}", code.value)
            return
        most = getattr(given, "ReceiveMaximum", 65_535)
        self._signs.append(Opened(int(most)))

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: object,
        flags: DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        told = flags.is_disconnect_packet_from_server
        self.end(str(code), code.value if told else None)

    def _on_publish(
        self,
        _client: Client,
        _userdata: object,
        mid: int,
        code: ReasonCode,
        _properties: Properties,
    ) -> None:
        # The number, not is_failure: paho counts 0x10, "no matching subscribers", as a success.
        self._signs.append(Acked(mid, code.value))

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            self._signs.append(Arrived(message.topic, bytes(message.payload)))
        except UnicodeDecodeError:
            self._signs.append(Arrived("", b""))


def _on_subscribe(
    _client: Client, _userdata: object, _mid: int, codes: list[ReasonCode], _properties: Properties
) -> None:
    # A broker may also grant a topic and deliver nothing; what does not come is seen elsewhere.
    for code in codes:
        if code.is_failure:
            log.warning("the broker refused a subscription: %s", code)
