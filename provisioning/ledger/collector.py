"""Between broker and ledger: batches in, acknowledgements and receipts out.

The connection's thread only puts what it hears into a queue: no more than a window of messages
that the broker wants acknowledged, none longer than a signed message can be. ``Collector.run``
takes it from there, whatever has come meanwhile but at most BATCH messages, and has ``intake``
commit it: alone at a quiet time, many together when the disk is slower than the broker. Only then
is the broker told that it may forget them, and only then do receipts go out.

An acknowledgement or a receipt that gets lost is made up for: the terminal sends again whatever
has no receipt. When the disk refuses, the connection is given up without acknowledging anything,
and taken up again a little later. A message on a topic that is none of ours is forgotten.
"""

import logging
import queue
import sqlite3
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from provisioning.ledger.intake import Arrival, Intake, Outgoing
from provisioning.mqtt import (
    RECEIVE_WINDOW,
    BrokerAddress,
    BrokerUnreachable,
    Connection,
    DeliveryRefused,
    Message,
    Will,
    connect,
)
from terminal.wire import topics
from terminal.wire.messages import OFFLINE, ONLINE
from terminal.wire.signed import LONGEST
from terminal.wire.topics import LEDGER, Name

_LOG = logging.getLogger(__name__)

BATCH = 100
MOST_HEARD = 2 * RECEIVE_WINDOW
"""No more messages wait in memory; a broker that keeps to MQTT never sends as many."""
SESSION_S = 14 * 24 * 3600
"""How long the broker keeps records for a ledger that is away; terminals keep them anyway."""
LOOK_EVERY_S = 10.0
DISK_AGAIN_S = 5.0
GOODBYE_WITHIN_S = 2.0
_IDLE_S = 0.5


@dataclass(frozen=True, slots=True)
class Road:
    """How the ledger reaches the broker; ``identity`` holds client.key, .crt and town-ca.crt."""

    site: str
    address: BrokerAddress
    identity: Path


class Collector:
    """Runs until ``stop``; one for each ledger."""

    def __init__(self, intake: Intake, road: Road) -> None:
        self._intake = intake
        self._road = road
        self._heard: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._greeted = 0
        self._looked = time.monotonic()

    def stop(self) -> None:
        """Have ``run`` come to its end; may be called from a signal handler or thread."""
        self._stopping.set()
        self._heard.put(None)

    def run(self) -> None:
        """Collect until ``stop``.

        Raises:
            OSError: the identity's files are missing or damaged.
        """
        while not self._stopping.is_set():
            connection = self._connected()
            try:
                self._collect(connection)
                self._say_goodbye(connection)
            except sqlite3.Error as error:
                _LOG.error(
                    "the database refuses (%s); nothing is acknowledged until it does", error
                )
            finally:
                connection.close()
            self._stopping.wait(0 if self._stopping.is_set() else DISK_AGAIN_S)

    def _connected(self) -> Connection:
        site = self._road.site
        self._heard = queue.SimpleQueue()
        self._greeted = 0
        status = topics.topic(Name.LEDGER_STATUS, site)
        connection = connect(
            self._road.address,
            LEDGER,
            self._road.identity,
            clean_start=False,
            session_expiry_s=SESSION_S,
            manual_ack=True,
            will=Will(status, OFFLINE),
            patience_s=0,
        )
        for name in (Name.REC, Name.HEAD):
            connection.subscribe(topics.topic_filter(name, site), self._hear)
        return connection

    def _hear(self, message: Message) -> None:
        """Queue a message, on the connection's thread; what would only fill memory is left out."""
        if message.qos == 0 or self._heard.qsize() >= MOST_HEARD:
            # No terminal speaks so, and of acknowledged messages the window allows no more.
            return
        if len(message.payload) > LONGEST:
            # It is still acknowledged and counted, but as something that nobody could sign.
            message = replace(message, payload=b"")
        self._heard.put(message)

    def _collect(self, connection: Connection) -> None:
        while not self._stopping.is_set():
            self._greet(connection)
            batch = self._next_batch()
            if batch:
                self._commit(connection, batch)
            if time.monotonic() - self._looked >= LOOK_EVERY_S:
                self._looked = time.monotonic()
                self._intake.look_for_missing(_now_ms())

    def _greet(self, connection: Connection) -> None:
        """At each new connection: birth, and every receipt, because the broker may have lost it."""
        session = connection.session
        if session == self._greeted or not connection.up:
            return
        _LOG.info("connected to the broker")
        status = topics.topic(Name.LEDGER_STATUS, self._road.site)
        if self._publish(connection, status, ONLINE) and self._send(
            connection, self._intake.all_receipts()
        ):
            self._greeted = session

    def _next_batch(self) -> list[Message]:
        """What was heard: waits for one message, and takes those that have come with it."""
        batch: list[Message] = []
        try:
            heard = self._heard.get(timeout=_IDLE_S)
            while heard is not None:
                batch.append(heard)
                heard = None if len(batch) == BATCH else self._heard.get_nowait()
        except queue.Empty:
            pass
        return batch

    def _commit(self, connection: Connection, batch: list[Message]) -> None:
        arrivals = [arrival for message in batch if (arrival := _arrival(message)) is not None]
        outgoing = self._intake.take(arrivals, _now_ms())
        for message in batch:
            connection.acknowledge(message)
        self._send(connection, outgoing)

    def _send(self, connection: Connection, outgoing: list[Outgoing]) -> bool:
        for receipt in outgoing:
            topic = topics.topic(Name.RECEIPT, self._road.site, receipt.terminal)
            if not self._publish(connection, topic, receipt.payload):
                return False
        return True

    def _publish(self, connection: Connection, topic: str, payload: bytes) -> bool:
        try:
            connection.publish(topic, payload, retained=True)
        except BrokerUnreachable:
            # At the next connection everything goes out again.
            return False
        return True

    def _say_goodbye(self, connection: Connection) -> None:
        status = topics.topic(Name.LEDGER_STATUS, self._road.site)
        try:
            connection.publish(status, OFFLINE, retained=True).wait(GOODBYE_WITHIN_S)
        except (BrokerUnreachable, DeliveryRefused):
            _LOG.info("the broker was not there to hear our good-bye")


def _arrival(message: Message) -> Arrival | None:
    """Whose record or head a message is; None if its topic is none of ours."""
    place = topics.place_of(message.topic)
    if place is None or place.row.name not in {Name.REC, Name.HEAD}:
        return None
    return Arrival(place.terminal, message.payload, place.row.name is Name.HEAD)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
