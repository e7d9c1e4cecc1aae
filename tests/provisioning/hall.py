"""A town hall on loopback: a town directory, a real broker, and parties that speak there."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from provisioning.authority import ensure_terminal, ensure_town
from provisioning.broker import Broker
from provisioning.mqtt import BrokerAddress, Connection, DeliveryRefused, Message, connect
from provisioning.town import Town

SITE = "minami"
TERMINALS = ("gate-1", "gate-2")


def make_town(folder: Path) -> Town:
    town = ensure_town(folder / "town", SITE)
    for terminal in TERMINALS:
        ensure_terminal(town, terminal)
    return town


def identity_of(town: Town, who: str) -> Path:
    """The identity of a client of the town hall, or of a terminal, under the names of a client."""
    if who not in TERMINALS:
        return town.client(who)
    folder = town.folder.parent / f"identity-{who}"
    if not folder.exists():
        folder.mkdir()
        own = town.identity(who)
        (folder / "client.key").symlink_to(own / "device.key")
        (folder / "client.crt").symlink_to(own / "device.crt")
        (folder / "town-ca.crt").symlink_to(own / "town-ca.crt")
    return folder


class Party:
    """Somebody at the broker, who remembers everything that is delivered."""

    def __init__(self, town: Town, broker: Broker, who: str, *filters: str) -> None:
        self.who = who
        self._arrived: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._heard: list[Message] = []
        address = BrokerAddress("localhost", broker.port)
        self.connection: Connection = connect(address, who, identity_of(town, who))
        # Only what is said after the broker has granted a subscription is heard for certain.
        granted = threading.Semaphore(0)
        self.connection._client.on_subscribe = lambda *_: granted.release()
        for one in filters:
            self.connection.subscribe(one, self._arrived.put)
            assert granted.acquire(timeout=10)

    @property
    def heard(self) -> list[Message]:
        while not self._arrived.empty():
            self._heard.append(self._arrived.get())
        return self._heard

    def heard_on(self, topic: str) -> list[bytes]:
        return [message.payload for message in self.heard if message.topic == topic]

    def says(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        """Publish and wait until the broker has taken it, whether or not anybody listens."""
        try:
            self.connection.publish(topic, payload, retained=retained).wait()
        except DeliveryRefused as error:
            if "0x10" not in str(error):
                raise

    def hears(self, topic: str, payload: bytes) -> None:
        """Return once ``payload`` has been delivered on ``topic``."""
        eventually(lambda: payload in self.heard_on(topic))

    def close(self) -> None:
        self.connection.close()


def eventually(condition: Callable[[], object], within_s: float = 10) -> None:
    """Return once ``condition`` holds; fail when it does not within ``within_s``."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.01)
