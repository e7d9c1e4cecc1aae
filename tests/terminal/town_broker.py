"""A real Mosquitto with the town's access list, a terminal's link to it, and a simple ledger."""

import contextlib
import socket
from pathlib import Path
from queue import SimpleQueue
from shutil import copy

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from provisioning.broker import Broker
from terminal.core.events import LinkChanged, PublishRefused
from terminal.core.moment import Stamp
from terminal.journal import Journal
from terminal.link import Link, LinkEvent, LinkSettings, ReceiptArrived
from terminal.wire.chain import hash_of
from terminal.wire.messages import Receipt, receipt_members
from terminal.wire.signed import RECEIPT, RECORD, sign, verify
from terminal.wire.topics import Name, topic, topic_filter
from tests.terminal.wall import now
from tests.town_ca import TownCa, new_key

SITE = "minami"
WALL = "ent-1"


class Town:
    """The town's CA and broker in a folder of their own."""

    def __init__(self, folder: Path, *, persistence: bool = False) -> None:
        self.folder = folder
        self.ca = TownCa(folder / "ca")
        self.device_key = new_key()
        self.ledger_key = new_key()
        self.terminal_files = self.ca.client("device", WALL, self.device_key)
        (folder / "broker").mkdir()
        self.put_certificate(self.ca)
        self.broker = Broker(folder / "broker", SITE, persistence=persistence)

    def put_certificate(
        self, ca: TownCa, names: tuple[str, ...] = ("localhost", "127.0.0.1"), age_days: int = 0
    ) -> None:
        """What the broker shows from its next start on."""
        certificate, key = ca.server("broker", names, age_days)
        copy(certificate, self.folder / "broker" / "server.crt")
        copy(key, self.folder / "broker" / "server.key")
        copy(self.ca.path, self.folder / "broker" / "town-ca.crt")

    def settings(self, port: int = 0, **changes: object) -> LinkSettings:
        certificate, key = self.terminal_files
        values: dict[str, object] = {
            "host": "127.0.0.1",
            "port": port or self.broker.port,
            "server_name": "localhost",
            "ca": self.ca.path,
            "certificate": certificate,
            "key": key,
            "site": SITE,
            "terminal": WALL,
            "keepalive_s": 4,
            "first_delay_s": 0.0,
        }
        values.update(changes)
        return LinkSettings(**values)  # type: ignore[arg-type]  # names and types as above


class Wall:
    """One terminal's journal and link; receipts go to the journal, as the loop would do it."""

    def __init__(self, town: Town, folder: Path, settings: LinkSettings | None = None) -> None:
        self.journal = Journal.open(folder / "journal.db", WALL, town.device_key, ballast=0)
        self.events: SimpleQueue[LinkEvent] = SimpleQueue()
        self.seen: list[LinkEvent] = []
        self.link = Link(
            settings or town.settings(), self.journal.reader(), self.events.put, self.stamp
        )
        self.journal.listen(self.link.wake)
        self.link.set_ledger_keys([town.ledger_key.public_key()])

    def stamp(self) -> Stamp:
        return now()

    def turn(self) -> list[LinkEvent]:
        """Deal with what the link has told; all of it so far."""
        while not self.events.empty():
            event = self.events.get()
            self.seen.append(event)
            if isinstance(event, ReceiptArrived):
                self.journal.receive(event.upto, event.hash)
        return self.seen

    def told(self, kind: type[LinkEvent]) -> list[LinkEvent]:
        return [event for event in self.turn() if isinstance(event, kind)]

    def close(self) -> None:
        self.link.stop()
        self.journal.close()


class TownHall:
    """A client of the broker under one of the town hall's names."""

    def __init__(self, town: Town, name: str, *filters: str) -> None:
        self.town = town
        self.messages: SimpleQueue[MQTTMessage] = SimpleQueue()
        self.kept: list[MQTTMessage] = []
        self._filters = filters
        certificate, key = town.ca.client(f"user-{name}", name)
        self.client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5
        )
        self.client.tls_set(str(town.ca.path), str(certificate), str(key))
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self._on_connect
        self.client.on_message = lambda _client, _userdata, message: self.messages.put(message)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # as paho is
        properties.SessionExpiryInterval = 3600
        self.client.connect("localhost", town.broker.port, clean_start=False, properties=properties)
        self.client.loop_start()

    def _on_connect(
        self,
        client: Client,
        _userdata: object,
        _flags: ConnectFlags,
        _code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        # A broker that is killed just now would end paho's thread for good.
        with contextlib.suppress(OSError):
            for one in self._filters:
                client.subscribe(one, 1)

    def received(self) -> list[MQTTMessage]:
        while not self.messages.empty():
            self.kept.append(self.messages.get())
        return self.kept

    def on(self, name: Name) -> list[bytes]:
        """Payloads that came on the terminal's topic of that name."""
        place = topic(name, SITE, WALL)
        return [bytes(message.payload) for message in self.received() if message.topic == place]

    def say(self, place: str, payload: bytes, *, retain: bool = True) -> None:
        self.client.publish(place, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class SimpleLedger(TownHall):
    """Keeps records in memory by number and gives receipts for what is complete."""

    def __init__(self, town: Town) -> None:
        super().__init__(town, "ledger", topic_filter(Name.REC, SITE))
        self.records: dict[int, bytes] = {}
        self.copies = 0

    def turn(self) -> int:
        """Take in what came, give a receipt; how many records are complete."""
        before = len(self.kept)
        epoch = ""
        for message in self.received()[before:]:
            payload = bytes(message.payload)
            members = verify(RECORD, payload, [self.town.device_key.public_key()])
            seq, epoch = int(str(members["seq"])), str(members["epoch"])
            self.copies += seq in self.records
            self.records[seq] = payload
        upto = 0
        while upto + 1 in self.records:
            upto += 1
        if epoch and upto and self.client.is_connected():
            self.give_receipt(upto, epoch)
        return upto

    def give_receipt(self, upto: int, epoch: str, digest: str | None = None) -> None:
        self.send_receipt(self.receipt(upto, epoch, digest))

    def receipt(self, upto: int, epoch: str, digest: str | None = None) -> bytes:
        one = Receipt(WALL, epoch, upto, digest or hash_of(self.records[upto]), 1)
        return sign(RECEIPT, receipt_members(one), self.town.ledger_key)

    def send_receipt(self, payload: bytes) -> None:
        self.client.publish(topic(Name.RECEIPT, SITE, WALL), payload, qos=1, retain=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_up(wall: Wall) -> bool:
    changes = wall.told(LinkChanged)
    return bool(changes) and isinstance(changes[-1], LinkChanged) and changes[-1].up


def is_idle(wall: Wall) -> bool:
    talk = wall.link._talk
    return talk is not None and not talk._unacked


def all_received(wall: Wall, ledger: SimpleLedger) -> bool:
    ledger.turn()
    wall.turn()
    marks = wall.journal.marks()
    return marks.received == marks.committed


def refusals(wall: Wall) -> list[PublishRefused]:
    return [event for event in wall.turn() if isinstance(event, PublishRefused)]
