"""The town hall's connection, against a real broker with certificates and access rules."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

from provisioning import authority, mqtt
from provisioning.broker import Broker
from provisioning.mqtt import BrokerUnreachable, Connection, DeliveryRefused, Message
from provisioning.town import Town
from tests.provisioning.hall import eventually

pytestmark = pytest.mark.real

INDEX = "kazasu/v1/minami/_publication/index"
REC = "kazasu/v1/minami/ent-1/rec"


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return authority.ensure_town(tmp_path / "town", "minami")


@pytest.fixture
def broker(town: Town) -> Iterator[Broker]:
    with Broker(town.broker, town.site) as broker:
        yield broker


def test_retained_messages_wait_for_those_who_come_later(town: Town, broker: Broker) -> None:
    publisher = connected(town, broker, "publisher")
    publisher.publish(INDEX, b"{}", retained=True).wait()
    operations = connected(town, broker, "operations")
    came: SimpleQueue[Message] = SimpleQueue()
    operations.subscribe(INDEX, came.put)
    assert came.get(timeout=10).payload == b"{}"
    publisher.close()
    operations.close()


def test_a_refusal_is_told_with_its_reason_code(town: Town, broker: Broker) -> None:
    operations = connected(town, broker, "operations")
    with pytest.raises(DeliveryRefused, match="0x87"):
        operations.publish(INDEX, b"{}", retained=True).wait()
    operations.close()


def test_subscriptions_hold_across_a_killed_broker(town: Town, broker: Broker) -> None:
    publisher = connected(town, broker, "publisher")
    operations = connected(town, broker, "operations")
    came: SimpleQueue[Message] = SimpleQueue()
    operations.subscribe(INDEX, came.put)
    broker.kill()
    wait_down(publisher)
    with pytest.raises(BrokerUnreachable):
        publisher.publish(INDEX, b"lost", retained=True)
    broker.start()
    publisher.wait_up(30)
    operations.wait_up(30)
    publisher.publish(INDEX, b"after", retained=True).wait()
    assert came.get(timeout=10).payload == b"after"
    publisher.close()
    operations.close()


def test_an_ended_subscription_brings_nothing_more(town: Town, broker: Broker) -> None:
    publisher = connected(town, broker, "publisher")
    came: SimpleQueue[Message] = SimpleQueue()
    end = publisher.subscribe(INDEX, came.put)
    publisher.publish(INDEX, b"1", retained=True).wait()
    came.get(timeout=10)
    end()
    end()
    publisher.publish(INDEX, b"2", retained=True).wait()
    publisher.publish(INDEX, b"3", retained=True).wait()
    with pytest.raises(Empty):
        came.get_nowait()
    publisher.close()


def test_what_was_not_acknowledged_comes_again(town: Town, broker: Broker) -> None:
    terminal = as_client(town, broker, "ent-1")
    came: SimpleQueue[Message] = SimpleQueue()

    def ledger() -> Connection:
        connection = kept_ledger(town, broker)
        granted = threading.Event()
        connection._client.on_subscribe = lambda *_: granted.set()
        connection.subscribe(REC, came.put)
        assert granted.wait(10)
        return connection

    first = ledger()
    terminal.publish(REC, b"record").wait()
    assert came.get(timeout=10).payload == b"record"
    first.close()
    second = ledger()
    again = came.get(timeout=10)
    assert again.payload == b"record"
    second.acknowledge(again)
    second.close()
    terminal.close()


def test_what_came_before_its_subscription_is_acknowledged_by_nobody_else(
    town: Town, broker: Broker
) -> None:
    ledger = kept_ledger(town, broker)
    granted = threading.Event()
    ledger._client.on_subscribe = lambda *_: granted.set()
    ledger.subscribe(REC, lambda _: None)
    assert granted.wait(10)
    ledger.close()
    terminal = as_client(town, broker, "ent-1")
    records = [f"record {number}".encode() for number in range(150)]
    for record in records:
        terminal.publish(REC, record).wait()
    terminal.close()
    # The session is kept, and its messages come at once; this time nobody asks for them.
    silent = kept_ledger(town, broker)
    eventually(lambda: len(silent._early_messages) == len(records))
    silent.close()
    came: SimpleQueue[Message] = SimpleQueue()
    late = kept_ledger(town, broker)
    late.subscribe(REC, came.put)
    heard = [came.get(timeout=10).payload for _ in records]
    assert heard == records
    late.close()


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket")
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_stranger_is_not_let_in(town: Town, broker: Broker, tmp_path: Path) -> None:
    foreign = authority.ensure_town(tmp_path / "foreign", "minami")
    address = mqtt.BrokerAddress("localhost", broker.port)
    identity = tmp_path / "mixed"
    identity.mkdir()
    for name in ("client.key", "client.crt"):
        (identity / name).write_bytes((foreign.client("publisher") / name).read_bytes())
    (identity / "town-ca.crt").write_bytes((town.broker / "town-ca.crt").read_bytes())
    with pytest.raises(BrokerUnreachable):
        mqtt.connect(address, "publisher", identity, patience_s=2)
    with pytest.raises(BrokerUnreachable):
        mqtt.connect(address, "publisher", foreign.client("publisher"), patience_s=2)


def connected(town: Town, broker: Broker, name: str) -> Connection:
    return mqtt.connect_client(town, name, "localhost", broker.port)


def kept_ledger(town: Town, broker: Broker) -> Connection:
    """The ledger's connection, with a session that the broker keeps."""
    return mqtt.connect(
        mqtt.BrokerAddress("localhost", broker.port),
        "ledger",
        town.client("ledger"),
        clean_start=False,
        session_expiry_s=60,
        manual_ack=True,
    )


def as_client(town: Town, broker: Broker, terminal: str) -> Connection:
    """A terminal's connection, with its identity under the names of the town hall's clients."""
    identity = authority.ensure_terminal(town, terminal)
    (identity / "client.key").write_bytes((identity / "device.key").read_bytes())
    (identity / "client.crt").write_bytes((identity / "device.crt").read_bytes())
    return mqtt.connect(mqtt.BrokerAddress("localhost", broker.port), terminal, identity)


def wait_down(connection: Connection) -> None:
    deadline = time.monotonic() + 20
    while connection.up:
        assert time.monotonic() < deadline
        time.sleep(0.02)
