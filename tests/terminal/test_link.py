"""The link against a real Mosquitto with mutual TLS: the road, and that nothing is lost on it."""

import json
import threading
from pathlib import Path

import pytest

from terminal import link_drain, link_session, link_talk
from terminal.core.events import (
    RecordLost,
)
from terminal.core.moment import ClockState
from terminal.core.reasons import Alarm
from terminal.wire.messages import CfgState, Health, Info, head_of
from terminal.wire.signed import HEAD, verify
from terminal.wire.topics import Name, topic, topic_filter
from tests.terminal.journals import spoil
from tests.terminal.strange_broker import (
    CONNECT,
    PUBACK,
    StrangeBroker,
    Wire,
    connack,
    number_of,
    packet,
    topic_of,
)
from tests.terminal.town_broker import (
    SITE,
    WALL,
    SimpleLedger,
    Town,
    TownHall,
    Wall,
    all_received,
    is_up,
    refusals,
)
from tests.terminal.wall import BOOT, eventually, now, tap

pytestmark = pytest.mark.real

EVERYTHING = f"kazasu/v1/{SITE}/#"


# --- the road


def test_every_record_arrives_once_signed_and_its_receipt_comes_back(
    wall: Wall, ledger: SimpleLedger
) -> None:
    for _ in range(50):
        wall.journal.append([tap(now())])
    wall.link.start()
    for _ in range(50):
        wall.journal.append([tap(now())])
    eventually(lambda: all_received(wall, ledger))
    assert sorted(ledger.records) == list(range(1, 101))
    assert ledger.copies == 0


def has_much_to_say(wall: Wall) -> None:
    """Let every source of statements have one."""
    wall.link.set_info_source(lambda: Info(WALL, wall.journal.epoch, "0.1.0", BOOT, 1, 7))
    wall.link.set_health_source(
        lambda: Health(1, 0, 0, 0, 0, 100, ClockState.SYNCED, 1, 60, 7, reader_ok=True)
    )
    wall.link.set_cfg_state(CfgState(1, 7, 8, "fetching"))
    wall.link.set_alarm(Alarm.READER_LOST, on=True, detail="unplugged")


def test_the_birth_is_retained_for_whoever_comes_later(wall: Wall, town: Town) -> None:
    has_much_to_say(wall)
    wall.link.start()
    eventually(lambda: is_up(wall))
    later = TownHall(town, "operations", EVERYTHING)
    try:
        eventually(lambda: later.on(Name.CFG_STATE) and later.on(Name.HEALTH))
        assert later.on(Name.STATUS) == [b"online"]
        assert json.loads(later.on(Name.INFO)[-1])["epoch"] == wall.journal.epoch
        assert json.loads(later.on(Name.ALARMS)[-1])["reader_lost"] is True
        assert json.loads(later.on(Name.HEALTH)[-1])["reader_ok"] is True
        assert json.loads(later.on(Name.CFG_STATE)[-1])["in_progress"] is True
        head = verify(HEAD, later.on(Name.HEAD)[-1], [town.device_key.public_key()])
        assert head_of(head).epoch == wall.journal.epoch
    finally:
        later.close()


def test_operations_see_taps_live_but_no_records_and_no_persons(
    wall: Wall, ledger: SimpleLedger, operations: TownHall
) -> None:
    wall.link.start()
    eventually(lambda: is_up(wall))
    wall.journal.append([tap(now(), "h-4711")])
    eventually(lambda: operations.on(Name.LIVE))
    eventually(lambda: all_received(wall, ledger))
    assert operations.on(Name.REC) == []
    assert not any(b"h-4711" in message.payload for message in operations.received())


def test_a_clean_stop_says_offline_at_once(
    wall: Wall, operations: TownHall, ledger: SimpleLedger
) -> None:
    wall.link.start()
    eventually(lambda: operations.on(Name.STATUS) == [b"online"])
    wall.link.stop()
    eventually(lambda: operations.on(Name.STATUS) == [b"online", b"offline"], within_s=5)


def test_a_terminal_that_vanishes_is_said_to_be_offline_by_its_will(
    town: Town, tmp_path: Path, operations: TownHall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_session, "WILL_DELAY_S", 1)
    with Wire(town.broker.port) as wire:
        wall = Wall(town, tmp_path, town.settings(wire.port))
        wall.link.start()
        eventually(lambda: operations.on(Name.STATUS) == [b"online"])
        wire.cut = True
        eventually(lambda: operations.on(Name.STATUS)[-1] == b"offline")
        wall.close()


def test_a_short_cut_of_the_wire_is_not_announced(
    town: Town, tmp_path: Path, operations: TownHall
) -> None:
    with Wire(town.broker.port) as wire:
        wall = Wall(town, tmp_path, town.settings(wire.port))
        wall.link.start()
        eventually(lambda: is_up(wall))
        wire.cut = True
        eventually(lambda: not is_up(wall))
        wire.cut = False
        eventually(lambda: is_up(wall))
        eventually(lambda: len(operations.on(Name.STATUS)) == 2)
        assert operations.on(Name.STATUS) == [b"online", b"online"]
        wall.close()


# --- nothing is lost


def test_a_broker_that_forgets_what_it_acknowledged_loses_nothing(
    wall: Wall, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_drain, "RESEND_S", 1.0)
    ledger = SimpleLedger(town)
    eventually(ledger.client.is_connected)
    wall.link.start()
    eventually(lambda: is_up(wall))
    ledger.close()
    wall.journal.append([tap(now())] * 100)
    eventually(lambda: wall.link._drain._cursor == 100 and wall.link._drain.in_flight == 0)
    town.broker.kill()
    town.broker.start()
    ledger = SimpleLedger(town)
    eventually(lambda: all_received(wall, ledger))
    assert sorted(ledger.records) == list(range(1, 101))
    ledger.close()


def test_kills_of_the_broker_at_any_moment_lose_nothing(
    wall: Wall, ledger: SimpleLedger, town: Town
) -> None:
    wall.link.start()
    for _ in range(5):
        for _ in range(40):
            wall.journal.append([tap(now())])
            ledger.turn()
            wall.turn()
        town.broker.kill()
        wall.journal.append([tap(now())])
        town.broker.start()
    eventually(lambda: all_received(wall, ledger), within_s=60)
    assert sorted(ledger.records) == list(range(1, 206))
    assert wall.journal.marks().received == 205


def test_a_backlog_from_a_day_without_network_drains_in_order(
    wall: Wall, ledger: SimpleLedger
) -> None:
    for _ in range(30):
        wall.journal.append([tap(now())] * 100)
    wall.link.start()
    eventually(lambda: all_received(wall, ledger), within_s=60)
    numbers = [int(json.loads(message.payload)["seq"]) for message in ledger.received()]
    assert numbers == sorted(numbers)
    assert len(ledger.records) == 3000


def test_what_the_broker_refuses_is_not_counted_as_sent(
    town: Town, tmp_path: Path, ledger: SimpleLedger
) -> None:
    """The broker's access list knows this terminal in one site only."""
    wall = Wall(town, tmp_path, town.settings(site="kita"))
    wall.journal.append([tap(now())])
    wall.link.start()
    codes = eventually(lambda: {one.code for one in refusals(wall) if one.topic == "rec"})
    assert codes == {0x87}
    assert wall.journal.marks().received == 0
    wall.close()


def test_what_nobody_subscribes_to_is_not_counted_as_sent(wall: Wall, town: Town) -> None:
    wall.journal.append([tap(now())])
    wall.link.start()
    assert eventually(lambda: {one.code for one in refusals(wall)}) == {0x10}
    late = SimpleLedger(town)
    eventually(lambda: all_received(wall, late))
    late.close()


def test_a_spoilt_record_is_told_and_does_not_stop_those_behind_it(
    wall: Wall, ledger: SimpleLedger, tmp_path: Path
) -> None:
    stored = [wall.journal.append([tap(now())])[0] for _ in range(4)]
    spoil(tmp_path / "journal.db", 2)
    wall.link.start()
    (lost,) = eventually(lambda: wall.told(RecordLost))
    assert isinstance(lost, RecordLost)
    assert (lost.seq, lost.hash) == (2, stored[1].hash)
    eventually(lambda: ledger.turn() == 1 and sorted(ledger.records) == [1, 3, 4])


# --- the window


@pytest.mark.parametrize("most", [1, 2, 12])
def test_the_brokers_receive_maximum_is_kept_to_the_last_word(
    town: Town, tmp_path: Path, most: int
) -> None:
    """A broker that takes so many at a time and answers none of them."""

    def answer(kind: int, _body: bytes) -> bytes:
        return connack(most) if kind == CONNECT else b""

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port))
        has_much_to_say(wall)
        wall.journal.append([tap(now())] * 50)
        wall.link.start()
        eventually(lambda: len(strange.publishes()) >= most)
        # Whatever would come too many comes at once, or as the link stops.
        never = threading.Event()
        assert not never.wait(0.5)
        wall.close()
        assert len(strange.publishes()) == most


def test_a_small_receive_maximum_keeps_nothing_back(town: Town, tmp_path: Path) -> None:
    """A broker that takes two at a time, and answers them when they are two."""
    answered: list[bytes] = []

    def answer(kind: int, _body: bytes) -> bytes:
        if kind == CONNECT:
            return connack(2)
        waiting = strange.publishes()[len(answered) :]
        if len(waiting) < 2:
            return b""
        answered.extend(waiting)
        return b"".join(packet(PUBACK, number_of(body)) for body in waiting)

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port, keepalive_s=60))
        has_much_to_say(wall)
        wall.journal.append([tap(now())] * 50)
        wall.link.start()
        # Six statements and fifty records, an even number.
        eventually(lambda: len(strange.publishes()) == 56)
        said = {topic_of(body).rpartition("/")[2] for body in strange.publishes()}
        assert said == {"status", "info", "alarms", "head", "health", "state", "rec"}
        wall.close()


def test_a_broker_that_acknowledges_nothing_is_left(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_talk, "PUBACK_WITHIN_S", 0.5)
    with StrangeBroker(town, lambda kind, _: connack(20) if kind == CONNECT else b"") as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port, keepalive_s=60))
        wall.link.start()
        eventually(lambda: [kind for kind, _, _ in strange.packets].count(CONNECT) >= 2)
        wall.close()


# --- publications


def test_whoever_subscribes_gets_what_is_retained_and_what_comes(wall: Wall, town: Town) -> None:
    publisher = TownHall(town, "publisher")
    index, chunk = topic(Name.INDEX, SITE), topic(Name.FILE, SITE, path="metadata/1.root.json")
    publisher.say(index, b'{"files":{}}')
    heard: list[tuple[str, bytes]] = []
    wall.link.subscribe(index, lambda *what: heard.append(what))
    wall.link.start()
    eventually(lambda: heard == [(index, b'{"files":{}}')])
    publisher.say(chunk, b"root")
    wall.link.subscribe(chunk, lambda *what: heard.append(what))
    eventually(lambda: (chunk, b"root") in heard)
    wall.link.unsubscribe(chunk)
    wall.link.unsubscribe(index)
    publisher.close()


def test_another_terminals_sealed_files_are_not_delivered(wall: Wall, town: Town) -> None:
    publisher = TownHall(town, "publisher")
    own = topic(Name.SEALED, SITE, WALL, path="roster.json")
    publisher.say(topic(Name.SEALED, SITE, "ent-2", path="roster.json"), b"theirs")
    publisher.say(own, b"ours")
    heard: list[bytes] = []
    every = topic_filter(Name.SEALED, SITE)
    wall.link.subscribe(every, lambda _, payload: heard.append(payload))
    wall.link.start()
    eventually(lambda: heard == [b"ours"])
    publisher.close()


def test_the_link_can_speak_the_older_protocol_where_the_town_asks_for_it(
    town: Town, tmp_path: Path, ledger: SimpleLedger
) -> None:
    wall = Wall(town, tmp_path, town.settings(protocol="3.1.1"))
    wall.journal.append([tap(now())] * 3)
    wall.link.start()
    eventually(lambda: all_received(wall, ledger))
    wall.close()


@pytest.mark.parametrize(
    "changes", [{"terminal": "Ent 1"}, {"terminal": "ledger"}, {"site": "+"}, {"protocol": "3"}]
)
def test_a_link_has_only_names_that_a_topic_can_carry(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match=r"1 to 32|user of the town hall|must be"):
        Town(tmp_path).settings(1, **changes)
