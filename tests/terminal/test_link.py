"""The link against a real Mosquitto with mutual TLS, and against brokers that no Mosquitto is."""

import json
import logging
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import link_drain, link_rhythm, link_session, link_talk
from terminal.core.events import (
    LinkChanged,
    MessageDropped,
    PublishRefused,
    ReceiptRefused,
    RecordLost,
)
from terminal.core.moment import ClockState
from terminal.core.reasons import Alarm
from terminal.link import LinkSettings
from terminal.wire.messages import CfgState, Health, Info, Receipt, head_of, receipt_members
from terminal.wire.signed import HEAD, RECEIPT, sign, verify
from terminal.wire.topics import Name, topic, topic_filter
from tests.terminal.strange_broker import (
    CONNECT,
    PUBLISH,
    SUBACK,
    SUBSCRIBE,
    StrangeBroker,
    Wire,
    connack,
    packet,
)
from tests.terminal.test_journal import spoil
from tests.terminal.town_broker import SITE, WALL, SimpleLedger, Town, TownHall, Wall, free_port
from tests.terminal.wall import BOOT, eventually, now, tap
from tests.town_ca import TownCa

pytestmark = pytest.mark.real

EVERYTHING = f"kazasu/v1/{SITE}/#"


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    # The waits of a day are seconds here; their lengths are tested where no clock is needed.
    monkeypatch.setattr(link_rhythm, "SHORTEST_S", 0.1)
    monkeypatch.setattr(link_rhythm, "LONGEST_S", 0.3)
    monkeypatch.setattr(link_drain, "RETRY_S", 0.3)
    one = Town(tmp_path)
    one.broker.start()
    yield one
    one.broker.stop()


@pytest.fixture
def ledger(town: Town) -> Iterator[SimpleLedger]:
    one = SimpleLedger(town)
    eventually(one.client.is_connected)
    yield one
    one.close()


@pytest.fixture
def operations(town: Town) -> Iterator[TownHall]:
    one = TownHall(town, "operations", EVERYTHING)
    eventually(one.client.is_connected)
    yield one
    one.close()


@pytest.fixture
def wall(town: Town, tmp_path: Path) -> Iterator[Wall]:
    one = Wall(town, tmp_path)
    yield one
    one.close()


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


def test_the_birth_is_retained_for_whoever_comes_later(wall: Wall, town: Town) -> None:
    wall.link.set_info_source(lambda: Info(WALL, wall.journal.epoch, "0.1.0", BOOT, 1, 7))
    wall.link.set_health_source(
        lambda: Health(1, 0, 0, 0, 0, 100, ClockState.SYNCED, 1, 60, 7, reader_ok=True)
    )
    wall.link.set_cfg_state(CfgState(1, 7, 8, "fetching"))
    wall.link.set_alarm(Alarm.READER_LOST, on=True, detail="unplugged")
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


def refusals(wall: Wall) -> list[PublishRefused]:
    return [event for event in wall.turn() if isinstance(event, PublishRefused)]


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


def test_the_brokers_receive_maximum_is_kept(town: Town, tmp_path: Path) -> None:
    """A broker that takes three at a time and answers none of them."""

    def answer(kind: int, _body: bytes) -> bytes:
        return connack(3) if kind == CONNECT else b""

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port))
        wall.journal.append([tap(now())] * 50)
        wall.link.start()
        eventually(lambda: len(strange.publishes()) >= 3)
        # Whatever would come too many comes at once.
        never = threading.Event()
        assert not never.wait(0.5)
        assert len(strange.publishes()) == 3
        wall.close()


def test_a_broker_that_acknowledges_nothing_is_left(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_talk, "PUBACK_WITHIN_S", 0.5)
    with StrangeBroker(town, lambda kind, _: connack(20) if kind == CONNECT else b"") as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port))
        wall.link.start()
        eventually(lambda: [kind for kind, _, _ in strange.packets].count(CONNECT) >= 2)
        wall.close()


# --- who the broker is


class Refused:
    """Collects why the broker was not reached."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "terminal.link")
        self._log = caplog

    def reason(self) -> str:
        texts = [record.getMessage() for record in self._log.records]
        return next((text for text in texts if "was not reached" in text), "")


def settings_for(town: Town, tmp_path: Path, case: str) -> LinkSettings:
    """A broker that is not the town's, or not as the town wants it."""
    town.broker.stop()
    foreign = TownCa(tmp_path / "foreign")
    if case == "another CA":
        town.put_certificate(foreign)
    elif case == "another name":
        town.put_certificate(town.ca, names=("other.example", "127.0.0.1"))
    elif case == "expired":
        town.put_certificate(town.ca, age_days=400)
    elif case == "a terminal's certificate":
        certificate, key = town.ca.client("fake", "localhost")
        (town.folder / "broker" / "server.crt").write_bytes(certificate.read_bytes())
        (town.folder / "broker" / "server.key").write_bytes(key.read_bytes())
    town.broker.start()
    return town.settings()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("another CA", "certificate verify failed"),
        ("another name", "Hostname mismatch"),
        ("expired", "certificate has expired"),
        ("a terminal's certificate", "certificate"),
    ],
)
def test_a_broker_that_is_not_the_towns_is_refused(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str, reason: str
) -> None:
    refused = Refused(caplog)
    wall = Wall(town, tmp_path, settings_for(town, tmp_path, case))
    wall.journal.append([tap(now())])
    wall.link.start()
    assert reason in eventually(refused.reason)
    assert wall.told(LinkChanged) == []
    wall.close()


def test_old_tls_is_refused(town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused = Refused(caplog)

    def rubbish(kind: int, body: bytes) -> bytes:
        raise AssertionError((kind, body))

    with StrangeBroker(town, rubbish) as old:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            old._context.minimum_version = ssl.TLSVersion.TLSv1
            old._context.maximum_version = ssl.TLSVersion.TLSv1_1
        old._context.set_ciphers("ALL:@SECLEVEL=0")
        wall = Wall(town, tmp_path, town.settings(old.port))
        wall.link.start()
        assert "tls" in eventually(refused.reason).lower()
        assert old.packets == []
        wall.close()


def test_plain_tcp_is_refused(town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refused = Refused(caplog)
    with socket.create_server(("127.0.0.1", 0)) as plain:
        wall = Wall(town, tmp_path, town.settings(int(plain.getsockname()[1])))
        wall.link.start()
        accepted, _ = plain.accept()
        with accepted:
            assert accepted.recv(4096)[:1] == b"\x16"
            accepted.sendall(connack(20))
        assert "ssl" in eventually(refused.reason).lower()
    wall.close()


def test_nobody_there_is_told_and_tried_again(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Refused(caplog)
    wall = Wall(town, tmp_path, town.settings(free_port()))
    wall.link.start()
    assert "refused" in eventually(refused.reason).lower()
    wall.close()


# --- what a hostile broker can say


def test_rubbish_on_the_receipts_topic_is_dropped_and_the_link_goes_on(
    wall: Wall, ledger: SimpleLedger
) -> None:
    wall.link.start()
    eventually(lambda: is_up(wall))
    place = topic(Name.RECEIPT, SITE, WALL)
    for payload in (b"{", b"\xff" * 5000, b"[" * 3000, b'{"v":1e400}', b"null"):
        ledger.say(place, payload)
    eventually(lambda: wall.link._ears.dropped_total == 5)
    assert wall.told(MessageDropped)
    wall.journal.append([tap(now())])
    eventually(lambda: all_received(wall, ledger))


def test_a_receipt_that_somebody_else_signed_does_not_count(
    wall: Wall, ledger: SimpleLedger, town: Town
) -> None:
    (stored,) = wall.journal.append([tap(now())])
    wall.link.start()
    eventually(lambda: len(ledger.received()) == 1)
    members = receipt_members(Receipt(WALL, wall.journal.epoch, 1, stored.hash, 1))
    forged = sign(RECEIPT, members, town.device_key)
    ledger.send_receipt(forged)
    (refusal,) = eventually(lambda: wall.told(ReceiptRefused))
    assert isinstance(refusal, ReceiptRefused)
    assert refusal.reason == "unknown_key"
    assert wall.journal.marks().received == 0


def test_a_packet_that_announces_to_be_endless_ends_the_session(town: Town, tmp_path: Path) -> None:
    def answer(kind: int, _body: bytes) -> bytes:
        if kind == CONNECT:
            return connack(20)
        # PUBLISH of 256 MB, of which a megabyte comes.
        return b"\x30\xff\xff\xff\x7f" + bytes(1_000_000) if kind == SUBSCRIBE else b""

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port))
        wall.link.start()
        eventually(lambda: [kind for kind, _, _ in strange.packets].count(CONNECT) >= 2)
        wall.close()


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x20\x02\x00",
        b"\xff" * 300,
        packet(SUBACK, b""),
        packet(PUBLISH, b"\x00\x05ab"),
        packet(PUBLISH, b"\x00\x02\xff\xfe\x00x"),
        packet(PUBLISH, b"\x00\x01a\x00\x01\xff\xffx", flags=4),
        packet(4, b"\x00\x01\xfe\x7f\x7f"),
        packet(14, b"\x8e\x05\x1f\x00\x02\xff\xfe"),
    ],
)
def test_bytes_that_are_no_mqtt_end_a_session_and_not_the_link(
    town: Town, tmp_path: Path, rubbish: bytes
) -> None:
    sessions = 0

    def answer(kind: int, _body: bytes) -> bytes:
        nonlocal sessions
        if kind == CONNECT:
            sessions += 1
            return connack(20)
        return rubbish if kind == SUBSCRIBE and sessions == 1 else b""

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port))
        wall.link.start()
        eventually(lambda: is_up(wall))
        wall.journal.append([tap(now())])
        eventually(lambda: any(WALL.encode() in body for body in strange.publishes()))
        assert wall.link._thread.is_alive()
        wall.close()


# --- lives of a link


def test_a_dead_peer_is_noticed_within_one_and_a_half_keepalives(
    town: Town, tmp_path: Path
) -> None:
    with Wire(town.broker.port) as wire:
        wall = Wall(town, tmp_path, town.settings(wire.port, keepalive_s=4))
        wall.link.start()
        eventually(lambda: is_up(wall) and is_idle(wall))
        wire.silent = True
        began = time.monotonic()
        eventually(lambda: not is_up(wall))
        assert time.monotonic() - began < 1.5 * 4 + 1.5
        wall.close()


def test_a_terminal_with_a_twin_says_so(town: Town, tmp_path: Path, operations: TownHall) -> None:
    """Two SD cards, one identity: each pushes the other out."""
    (tmp_path / "twin").mkdir()
    wall, twin = Wall(town, tmp_path), Wall(town, tmp_path / "twin")
    wall.link.start()
    twin.link.start()
    eventually(
        lambda: any(json.loads(one)["duplicate_identity"] for one in operations.on(Name.ALARMS))
    )
    wall.close()
    twin.close()


def test_a_fault_of_ours_in_a_callback_does_not_end_the_link(
    town: Town, tmp_path: Path, ledger: SimpleLedger
) -> None:
    wall = Wall(town, tmp_path)
    failed = threading.Event()
    put = wall.events.put

    def emit(event: object) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("a fault of ours")
        put(event)  # type: ignore[arg-type]  # whatever the link tells

    wall.link._emit = emit
    wall.link._parts = link_talk.Parts(
        wall.link._drain, wall.link._voice, wall.link._ears, emit, wall.stamp
    )
    wall.journal.append([tap(now())])
    wall.link.start()
    eventually(lambda: all_received(wall, ledger))
    assert failed.is_set()
    wall.close()


def test_stopping_takes_no_longer_than_it_may_when_nobody_answers(
    town: Town, tmp_path: Path
) -> None:
    with Wire(town.broker.port) as wire:
        wire.silent = True
        wall = Wall(town, tmp_path, town.settings(wire.port))
        wall.link.start()
        eventually(lambda: wall.link._sessions == 1)
        began = time.monotonic()
        wall.link.stop(3)
        assert time.monotonic() - began < 3.5
        wall.journal.close()


def test_stopping_a_link_that_waits_takes_no_time(town: Town, tmp_path: Path) -> None:
    wall = Wall(town, tmp_path, town.settings(free_port(), first_delay_s=60.0))
    wall.link.start()
    began = time.monotonic()
    wall.close()
    assert time.monotonic() - began < 2


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
