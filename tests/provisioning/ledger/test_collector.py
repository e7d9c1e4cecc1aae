"""The ledger's process at a real broker: killed, restarted, robbed, and nothing is lost."""

import json
import os
import queue
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from provisioning.authority_files import read_ec_key
from provisioning.broker import Broker
from provisioning.ledger import collector as room
from provisioning.ledger.__main__ import database_of, ledger_keys, main
from provisioning.ledger.collector import Collector, Road
from provisioning.ledger.enrolled import EnrolmentDirectory, read_enrolled
from provisioning.ledger.intake import Intake
from provisioning.ledger.store import Reading, Store
from provisioning.ledger.verify import verify_ledger
from provisioning.mqtt import BrokerAddress, BrokerUnreachable, DeliveryRefused, Message
from provisioning.town import Town
from terminal.wire import topics
from terminal.wire.messages import receipt_of
from terminal.wire.signed import RECEIPT, verify
from terminal.wire.topics import Name
from tests.provisioning.hall import SITE, Party, eventually, make_town
from tests.provisioning.ledger.wall import Wall
from tests.proxy import Proxy, Towards

pytestmark = pytest.mark.real

REC = topics.topic(Name.REC, SITE, "gate-1")
RECEIPTS = topics.topic(Name.RECEIPT, SITE, "gate-1")
STATUS = topics.topic(Name.LEDGER_STATUS, SITE)
WINDOW = 20


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return make_town(tmp_path)


@pytest.fixture
def broker(town: Town) -> Iterator[Broker]:
    # Without persistence: whatever it has acknowledged is gone when it is killed.
    with Broker(town.broker, SITE, persistence=False) as broker:
        yield broker


class Ledger:
    """The ledger as a process of its own."""

    def __init__(self, town: Town, broker: Broker, port: int = 0) -> None:
        self.town = town
        self.broker = broker
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, said: Path = Path(os.devnull)) -> None:
        with said.open("wb") as stderr:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "provisioning.ledger", "serve", "--town"),
                    *(str(self.town.folder), "--port", str(self._port or self.broker.port)),
                ],
                stderr=stderr,
            )

    def end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        return self._process.wait(10)

    def held(self) -> list[bytes]:
        if not database_of(self.town).exists():
            return []
        with Reading(database_of(self.town)) as held:
            return [row.payload for row in held.records()]


@pytest.fixture
def ledger(town: Town, broker: Broker) -> Iterator[Ledger]:
    ledger = Ledger(town, broker)
    yield ledger
    ledger.end(signal.SIGKILL)


class Gate(Party):
    """A terminal that sends again whatever has no receipt."""

    def __init__(self, town: Town, broker: Broker) -> None:
        super().__init__(town, broker, "gate-1", RECEIPTS, STATUS)
        self._keys = ledger_keys(town)
        self.wall = Wall("gate-1")
        self.wall.key = read_ec_key(town.identity("gate-1") / "device.key")

    @property
    def receipted(self) -> int:
        payloads = self.heard_on(RECEIPTS)
        return max(
            (receipt_of(verify(RECEIPT, one, self._keys)).upto for one in payloads), default=0
        )

    def deliver(self, until: Callable[[int], bool]) -> None:
        """Send what is not receipted until ``until`` says so of the last receipted number."""

        def moved_on(from_: int) -> bool:
            return self.receipted > from_ or until(self.receipted)

        while not until(reached := self.receipted):
            try:
                for payload in self.wall.sent[reached : reached + WINDOW]:
                    self.connection.publish(REC, payload)
                eventually(lambda reached=reached: moved_on(reached), within_s=0.5)  # type: ignore[misc]
            except (BrokerUnreachable, DeliveryRefused, AssertionError):
                # Broker or ledger are away; a terminal would wait, and try again just so.
                continue


@pytest.fixture
def gate(town: Town, broker: Broker) -> Iterator[Gate]:
    gate = Gate(town, broker)
    yield gate
    gate.close()


def proven(town: Town) -> int:
    with Reading(database_of(town)) as held:
        (verdict,) = verify_ledger(
            held, read_enrolled(town.folder / "terminals"), ledger_keys(town)
        )
    assert verdict.broken is None
    return verdict.records


def test_a_record_is_receipted_once_it_is_committed(ledger: Ledger, gate: Gate) -> None:
    ledger.start()
    gate.wall.taps(3)
    gate.deliver(lambda upto: upto == 3)
    assert ledger.held() == gate.wall.sent


def strike_again_and_again(
    ledger: Ledger, gate: Gate, strike: Callable[[], None], strikes: int, records: int
) -> None:
    """Deliver ``records`` while ``strike`` happens now and then; nothing may be lost or doubled."""
    chance = random.Random(strikes)
    moments = sorted(chance.sample(range(1, records - WINDOW), strikes))
    gate.wall.taps(records)
    given_up = threading.Event()
    sender = threading.Thread(
        target=gate.deliver, args=(lambda upto: upto == records or given_up.is_set(),)
    )
    ledger.start()
    sender.start()
    watcher = Party(ledger.town, ledger.broker, "operations", RECEIPTS)
    try:
        for moment in moments:
            eventually(lambda: len(ledger.held()) >= moment, within_s=30)  # noqa: B023 - used at once
            strike()
            held = ledger.held()
            named = [json.loads(payload)["upto"] for payload in watcher.heard_on(RECEIPTS)]
            assert len(held) >= max(named, default=0)
        sender.join(60)
    finally:
        given_up.set()
        sender.join()
        watcher.close()
    assert sorted(ledger.held()) == sorted(gate.wall.sent)
    assert proven(ledger.town) == records


def kill_ledger(ledger: Ledger) -> None:
    ledger.end(signal.SIGKILL)
    ledger.start()


def test_killing_the_ledger_loses_nothing_receipted_and_doubles_nothing(
    ledger: Ledger, gate: Gate
) -> None:
    strike_again_and_again(ledger, gate, lambda: kill_ledger(ledger), strikes=5, records=300)


def test_killing_a_broker_that_keeps_nothing_loses_nothing(
    ledger: Ledger, gate: Gate, broker: Broker
) -> None:
    def kill_broker() -> None:
        broker.kill()
        broker.start()

    strike_again_and_again(ledger, gate, kill_broker, strikes=2, records=120)


def test_cutting_the_ledgers_line_at_any_byte_loses_nothing(
    town: Town, broker: Broker, gate: Gate
) -> None:
    chance = random.Random(7)
    ways = iter(["reset", "finish", "reset"])

    def cut() -> None:
        towards = chance.choice([*Towards])
        proxy.cut_at(chance.randrange(1, 3000), towards, next(ways))

    with Proxy(broker.port) as proxy:
        ledger = Ledger(town, broker, proxy.port)
        try:
            strike_again_and_again(ledger, gate, cut, strikes=3, records=200)
        finally:
            ledger.end(signal.SIGKILL)
    assert proxy.accepted > 3


@pytest.mark.all
@pytest.mark.timeout(600)
def test_killing_broker_and_ledger_fifty_times_loses_nothing(
    ledger: Ledger, gate: Gate, broker: Broker
) -> None:
    chance = random.Random(50)

    def kill_either() -> None:
        if chance.random() < 0.3:
            broker.kill()
            broker.start()
        else:
            kill_ledger(ledger)

    strike_again_and_again(ledger, gate, kill_either, strikes=50, records=3000)


def test_a_kill_at_any_statement_of_a_batch_leaves_all_of_it_or_nothing(tmp_path: Path) -> None:
    program = Path(__file__).with_name("killed_at_each_statement.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
        capture_output=True,
        text=True,
    )
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) > 20
    for kill in kills:
        assert kill["held"] in {2, 6}
        assert kill["receipted"] <= kill["held"]
        assert kill["held_again"] == 6
        assert not kill["broken"]
    assert kills[-1] == {
        "finished": True, "receipted": 6, "held": 6, "held_again": 6, "broken": False,
    }  # fmt: skip


def test_records_that_came_while_the_ledger_was_away_are_waiting_for_it(
    ledger: Ledger, gate: Gate
) -> None:
    ledger.start()
    gate.hears(STATUS, b"online")
    assert ledger.end(signal.SIGTERM) == 0
    for payload in gate.wall.taps(3):
        gate.connection.publish(REC, payload).wait()
    ledger.start()
    eventually(lambda: gate.receipted == 3)


def test_a_thief_of_the_broker_account_forges_nothing(ledger: Ledger, gate: Gate) -> None:
    ledger.start()
    gate.hears(STATUS, b"online")
    thief = Wall("gate-1")
    gate.wall.taps(2)
    for forged in (*thief.taps(3), b"{}", gate.wall.sent[0][:-3]):
        gate.connection.publish(REC, forged)
    gate.deliver(lambda upto: upto == 2)
    assert ledger.held() == gate.wall.sent
    with Reading(database_of(ledger.town)) as held:
        assert [row.reason for row in held.quarantined()] == ["signature_invalid"] * 3
        assert {row.alarm for row in held.alarms()} == {"signature_invalid", "malformed"}
    assert proven(ledger.town) == 2


def test_a_flood_costs_neither_memory_nor_records(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MOST_HEARD", 3)
    with closing(Store(database_of(town))) as store:
        key = read_ec_key(town.client("ledger") / "ledger.key")
        intake = Intake(store, EnrolmentDirectory(town.folder / "terminals"), key)
        address = BrokerAddress("localhost", 1)
        collector = Collector(intake, Road(SITE, address, town.client("ledger")))
        collector._hear(Message(REC, b"unasked", False, 1, 0, 0))
        collector._hear(Message(REC, b"x" * 300_000, False, 1, 1, 1))
        for number in range(2, 9):
            collector._hear(Message(REC, b"record", False, 1, number, 1))
        waiting = [(one.number, one.payload) for one in collector._next_batch()]
    assert waiting == [(1, b""), (2, b"record"), (3, b"record")]


def test_birth_good_bye_and_will_are_heard(ledger: Ledger, gate: Gate) -> None:
    ledger.start()
    gate.hears(STATUS, b"online")
    assert ledger.end(signal.SIGTERM) == 0
    gate.hears(STATUS, b"offline")
    gate._heard.clear()
    ledger.start()
    gate.hears(STATUS, b"online")
    ledger.end(signal.SIGKILL)
    gate.hears(STATUS, b"offline")


def test_a_broker_that_has_forgotten_its_receipts_gets_them_again(
    ledger: Ledger, gate: Gate, broker: Broker, town: Town
) -> None:
    ledger.start()
    gate.wall.taps(2)
    gate.deliver(lambda upto: upto == 2)
    broker.kill()
    broker.start()
    eventually(lambda: gate.heard_on(STATUS).count(b"online") >= 2, within_s=20)
    late = Party(town, broker, "operations", RECEIPTS)
    eventually(lambda: late.heard_on(RECEIPTS))
    assert late.heard[-1].retained
    late.close()


def test_a_disk_that_refuses_loses_nothing_and_is_asked_again(
    town: Town, broker: Broker, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "DISK_AGAIN_S", 0.05)
    refusals = iter(range(2))
    true_add = Store.add

    def add(*given: object) -> None:
        if next(refusals, None) is not None:
            raise sqlite3.OperationalError("database or disk is full")
        true_add(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "add", add)
    collectors: queue.SimpleQueue[Collector] = queue.SimpleQueue()

    def collect() -> None:
        store = Store(database_of(town))
        key = read_ec_key(town.client("ledger") / "ledger.key")
        intake = Intake(store, EnrolmentDirectory(town.folder / "terminals"), key)
        address = BrokerAddress("localhost", broker.port)
        collector = Collector(intake, Road(SITE, address, town.client("ledger")))
        collectors.put(collector)
        collector.run()
        store.close()

    runner = threading.Thread(target=collect)
    runner.start()
    collector = collectors.get(timeout=10)
    try:
        gate.hears(STATUS, b"online")
        gate.wall.taps(2)
        gate.connection.publish(REC, gate.wall.sent[0]).wait()
        gate.connection.publish(REC, gate.wall.sent[1]).wait()
        # Never sent again by us: the broker still has what was not acknowledged.
        eventually(lambda: gate.receipted == 2)
        assert next(refusals, None) is None
    finally:
        collector.stop()
        runner.join(10)
    assert proven(town) == 2


def test_whoever_starts_it_reads_what_it_collects_and_how_it_ends(
    ledger: Ledger, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    ledger.start(said)
    line = f"collecting for {ledger.town.site} from localhost:{ledger.broker.port}; Ctrl-C ends\n"
    eventually(lambda: line in said.read_text())
    assert ledger.end(signal.SIGINT) == 0


def test_a_second_ledger_for_the_same_database_is_refused(
    town: Town, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(database_of(town))
    try:
        assert main(["serve", "--town", str(town.folder), "--port", str(broker.port)]) == 2
    finally:
        store.close()
    assert "another ledger already writes" in capsys.readouterr().err
