"""The town hall's connection to the broker: MQTT 5 over TLS with client certificates.

Shared by the publisher, the ledger and operations' pages. paho is used here and nowhere else on
the town hall's side; what is learnt about it stays here too:

- Callbacks run on paho's thread while paho holds a lock, and an exception in one would end that
  thread silently. So what is given to ``subscribe`` may only hand on (a queue), and whatever it
  raises is logged and goes no further.
- A delivery counts only with reason code 0x00. 0x10 (nobody listens) counts for retained messages,
  which the broker keeps for whoever comes later. paho itself reports refusals as published.
- ``publish`` while disconnected would queue in memory without an end, so it is refused.
- Subscriptions are made anew at each connect; a granted SUBACK proves no right to read.

A terminal has its own link; this one keeps no outbox.
"""

import logging
import random
import ssl
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from provisioning.mqtt_messages import (
    NO_REASON_CODE,
    BrokerAddress,
    BrokerUnreachable,
    Delivery,
    DeliveryRefused,
    Message,
    Will,
)
from provisioning.town import Town

log = logging.getLogger(__name__)

__all__ = [
    "BrokerAddress",
    "BrokerUnreachable",
    "Connection",
    "Delivery",
    "DeliveryRefused",
    "Message",
    "Will",
    "connect",
    "connect_client",
]

KEEPALIVE_S = 15
LONGEST_WAIT_S = 30
PATIENCE_S = 10.0
RECEIVE_WINDOW = 200


OnMessage = Callable[[Message], None]


class Connection:
    """A connection that comes back by itself until it is closed. Any thread may use it."""

    def __init__(self, client: paho.Client, where: str) -> None:
        self._client = client
        self._where = where
        self._session = 0
        self._up = threading.Event()
        self._refusal = "not reached; does it run, and do its name and the certificates fit?"
        self._subscriptions: dict[str, OnMessage] = {}
        # Guards _deliveries against a PUBACK that comes before publish() has told its number.
        # Never held while paho is called with its own lock in hand: see publish.
        self._deliveries: dict[int, Delivery] = {}
        self._early_answers: dict[int, int] = {}
        # Messages of a kept session that came before their subscription was made here.
        self._early_messages: deque[paho.MQTTMessage] = deque(maxlen=RECEIVE_WINDOW)
        self._lock = threading.Lock()
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_publish = self._published
        client.on_message = self._unexpected

    @property
    def up(self) -> bool:
        """Whether the broker is there now."""
        return self._up.is_set()

    @property
    def session(self) -> int:
        """How many times the broker was reached; rises with each connect."""
        return self._session

    def wait_up(self, patience_s: float) -> None:
        """Return once the broker is reached.

        Raises:
            BrokerUnreachable: it was not within ``patience_s``.
        """
        if not self._up.wait(patience_s):
            raise BrokerUnreachable(f"broker {self._where}: {self._refusal}")

    def subscribe(self, topic_filter: str, on_message: OnMessage) -> Callable[[], None]:
        """Have ``on_message`` called (on paho's thread) for each message; returns what ends it.

        One function for each filter. Holds across reconnects and may come before the first.
        """
        hand_on = self._received(on_message)
        self._subscriptions[topic_filter] = on_message
        self._client.message_callback_add(topic_filter, hand_on)
        for early in self._take_early(topic_filter):
            hand_on(self._client, None, early)
        if self.up:
            self._client.subscribe(topic_filter, qos=1)

        def end() -> None:
            if self._subscriptions.pop(topic_filter, None) is not None:
                self._client.message_callback_remove(topic_filter)
                if self.up:
                    self._client.unsubscribe(topic_filter)

        return end

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> Delivery:
        """Send with QoS 1; ``wait`` on what is returned before believing in it.

        Raises:
            BrokerUnreachable: there is no connection now.
        """
        if not self.up:
            raise BrokerUnreachable(f"broker {self._where}: not connected")
        delivery = Delivery(topic, retained=retained)
        info = self._client.publish(topic, payload, qos=1, retain=retained)
        if info.rc is not MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerUnreachable(f"broker {self._where}: {paho.error_string(info.rc)}")
        with self._lock:
            code = self._early_answers.pop(info.mid, None)
            if code is None:
                self._deliveries[info.mid] = delivery
        if code is not None:
            delivery.answer(code)
        return delivery

    def acknowledge(self, message: Message) -> None:
        """Tell the broker that ``message`` is safe here; only with ``manual_ack``.

        A message of an earlier session is passed over: the broker sends it again.
        """
        if message.session == self._session and message.qos > 0:
            self._client.ack(message.number, message.qos)

    def close(self) -> None:
        """Say good-bye (the will is not sent) and end the thread; idempotent."""
        # Before loop_stop, which otherwise waits for every unanswered message.
        self._client.disconnect()
        self._client.loop_stop()
        self._up.clear()
        self._fail_deliveries()

    def _received(
        self, on_message: OnMessage
    ) -> Callable[[paho.Client, object, paho.MQTTMessage], None]:
        def hand_on(_client: paho.Client, _userdata: object, got: paho.MQTTMessage) -> None:
            try:
                message = Message(
                    got.topic, bytes(got.payload), got.retain, self._session, got.mid, got.qos
                )
                on_message(message)
            except Exception:
                log.exception("a message on %s could not be handed on", got.topic)

        return hand_on

    def _unexpected(self, _client: paho.Client, _userdata: object, got: paho.MQTTMessage) -> None:
        """Keep what nobody has asked for yet, unacknowledged: nobody has it safe.

        The broker sends a kept session's messages at once, before ``subscribe`` can be called. It
        sends no more than the window before the first of them is acknowledged; from one that
        does, the newest are kept, and the others come again in the next session.
        """
        with self._lock:
            self._early_messages.append(got)

    def _take_early(self, topic_filter: str) -> list[paho.MQTTMessage]:
        with self._lock:
            fitting = [
                message
                for message in self._early_messages
                if paho.topic_matches_sub(topic_filter, message.topic)
            ]
            for message in fitting:
                self._early_messages.remove(message)
        return fitting

    def _connected(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = f"refused ({reason})"
            log.warning("broker %s: refused (%s)", self._where, reason)
            return
        self._session += 1
        with self._lock:
            # They come again in the new session.
            self._early_messages.clear()
        for topic_filter in tuple(self._subscriptions):
            client.subscribe(topic_filter, qos=1)
        self._up.set()

    def _disconnected(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._refusal = f"connection lost ({reason})"
        self._up.clear()

    def _published(
        self,
        _client: paho.Client,
        _userdata: object,
        number: int,
        reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        with self._lock:
            delivery = self._deliveries.pop(number, None)
            if delivery is None:
                self._early_answers[number] = reason.value
        if delivery is not None:
            delivery.answer(reason.value)

    def _fail_deliveries(self) -> None:
        with self._lock:
            left = list(self._deliveries.values())
            self._deliveries.clear()
        for delivery in left:
            delivery.answer(NO_REASON_CODE)


def connect(  # noqa: PLR0913 - MQTT's own parameters
    address: BrokerAddress,
    client_id: str,
    identity: Path,
    *,
    clean_start: bool = True,
    session_expiry_s: int = 0,
    manual_ack: bool = False,
    will: Will | None = None,
    patience_s: float = PATIENCE_S,
) -> Connection:
    """Connect as ``client_id`` with the certificate in ``identity``.

    ``identity`` holds client.key, client.crt and town-ca.crt. ``clean_start`` False keeps the
    session for ``session_expiry_s``. With ``manual_ack`` every message must be acknowledged.
    ``patience_s`` 0 returns at once and goes on trying.

    Raises:
        BrokerUnreachable: not reached in time; nothing is left running.
        OSError: a file of the identity is missing or no PEM (ssl.SSLError).
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=manual_ack,
    )
    client.tls_set_context(_context(identity))
    # Another delay for each client: after a power cut they would all come in the same second.
    client.reconnect_delay_set(random.randint(1, 3), LONGEST_WAIT_S)  # noqa: S311 - no secret
    if will is not None:
        client.will_set(will.topic, will.payload, qos=1, retain=will.retained)
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it bare
    properties.SessionExpiryInterval = session_expiry_s
    properties.ReceiveMaximum = RECEIVE_WINDOW
    client.connect_async(
        address.host, address.port, KEEPALIVE_S, clean_start=clean_start, properties=properties
    )
    connection = Connection(client, f"{address.host}:{address.port}")
    client.loop_start()
    if patience_s > 0:
        try:
            connection.wait_up(patience_s)
        except BrokerUnreachable:
            connection.close()
            raise
    return connection


def connect_client(town: Town, name: str, host: str = "", port: int = 0) -> Connection:
    """Connect as one of the town hall's own clients with a fresh session.

    ``host`` and ``port`` are the town's own unless given.

    Raises:
        BrokerUnreachable, OSError: as ``connect``.
    """
    address = BrokerAddress(host or town.broker_names[0], port or town.broker_port)
    return connect(address, name, town.client(name), patience_s=PATIENCE_S)


def _context(identity: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(identity / "town-ca.crt")
    context.load_cert_chain(identity / "client.crt", identity / "client.key")
    return context
