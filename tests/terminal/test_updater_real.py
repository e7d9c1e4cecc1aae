"""Publications over a real broker: certificates, access rules and chunks as in a town hall."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioning import mqtt, publish
from provisioning.broker import Broker
from provisioning.mqtt import Connection, Message
from tests.town_hall import OTHER, TERMINAL, TownHall
from tests.updater_wall import Wall

pytestmark = pytest.mark.real


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    return TownHall(tmp_path / "town")


@pytest.fixture
def broker(hall: TownHall) -> Iterator[Broker]:
    with Broker(hall.town.broker, hall.town.site) as broker:
        yield broker


@pytest.fixture
def wall(hall: TownHall, broker: Broker, tmp_path: Path) -> Iterator[Wall]:
    connection = terminals_connection(hall, broker, TERMINAL)
    wall = Wall(hall, tmp_path / "state", subscribe=subscriber(connection))
    yield wall
    wall.close()
    connection.close()


def test_a_changed_permit_and_text_reach_the_terminal(
    hall: TownHall, broker: Broker, wall: Wall
) -> None:
    hall.sign()
    send(hall, broker)
    wait_for(wall, lambda: wall.activated == [1])
    hall.permit("h-suzuki")
    hall.say_ready("どうぞ")
    hall.sign()
    send(hall, broker)
    wait_for(wall, lambda: wall.activated == [1, 2])
    assert [permit.holder for permit in wall.rules.permits] == ["h-suzuki"]
    assert wall.rules.texts["ready"] == ("どうぞ",)
    assert wall.refusals == []


def test_a_roster_of_thousands_comes_whole(hall: TownHall, broker: Broker, wall: Wall) -> None:
    known = hall.read("roster")["holders"]
    one = known[0]
    crowd = [
        {**one, "id": f"h-{number}", "cards": [{**one["cards"][0], "id": f"{number:032x}"}]}
        for number in range(3000)
    ]
    hall.write("roster", {"holders": [*known, *crowd]})
    hall.sign()
    send(hall, broker)
    wait_for(wall, lambda: wall.activated == [1])
    assert len(wall.rules.roster.entries) == 3000 + sum(len(each["cards"]) for each in known)


def test_no_terminal_can_read_what_is_sealed_to_another(
    hall: TownHall, broker: Broker, wall: Wall
) -> None:
    hall.sign()
    send(hall, broker)
    curious = terminals_connection(hall, broker, OTHER)
    came: list[Message] = []
    curious.subscribe("kazasu/v1/minami/_publication/#", came.append)
    wait_for(wall, lambda: any("timestamp" in message.topic for message in came))
    wait_for(wall, lambda: wall.activated == [1])
    curious.close()
    sealed = {message.topic.split("/")[5] for message in came if "/sealed/" in message.topic}
    assert sealed <= {OTHER}


def send(hall: TownHall, broker: Broker) -> None:
    sender = mqtt.connect_client(hall.town, "publisher", "localhost", broker.port)
    publish.publish(hall.town, sender)
    sender.close()


def terminals_connection(hall: TownHall, broker: Broker, terminal: str) -> Connection:
    identity = hall.town.identity(terminal)
    (identity / "client.key").write_bytes((identity / "device.key").read_bytes())
    (identity / "client.crt").write_bytes((identity / "device.crt").read_bytes())
    return mqtt.connect(mqtt.BrokerAddress("localhost", broker.port), terminal, identity)


def subscriber(
    connection: Connection,
) -> Callable[[str, Callable[[str, bytes], None]], Callable[[], None]]:
    def subscribe(
        topic_filter: str, on_message: Callable[[str, bytes], None]
    ) -> Callable[[], None]:
        return connection.subscribe(
            topic_filter, lambda message: on_message(message.topic, message.payload)
        )

    return subscribe


def wait_for(wall: Wall, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, wall.refusals
        wall.turn(after_s=1)
        wall.updater._wake.wait(0.05)
