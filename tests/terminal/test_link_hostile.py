"""The link among strangers: false brokers, hostile bytes, a twin, a dead wire, faults of ours."""

import json
import logging
import socket
import ssl
import threading
import time
import warnings
from pathlib import Path

import pytest

from terminal import link_talk
from terminal.core.events import (
    LinkChanged,
    MessageDropped,
    ReceiptRefused,
)
from terminal.link import LinkSettings
from terminal.wire.messages import Receipt, receipt_members
from terminal.wire.signed import RECEIPT, sign
from terminal.wire.topics import Name, topic
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
from tests.terminal.town_broker import (
    SITE,
    WALL,
    SimpleLedger,
    Town,
    TownHall,
    Wall,
    all_received,
    free_port,
    is_idle,
    is_up,
)
from tests.terminal.wall import eventually, now, tap
from tests.town_ca import TownCa

pytestmark = pytest.mark.real

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


def test_the_brokers_name_may_differ_from_its_address(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = Refused(caplog)
    town.broker.stop()
    town.put_certificate(town.ca, names=("broker.minami.example",))
    town.broker.start()
    wrong = Wall(town, tmp_path / "wrong", town.settings(server_name=""))
    wrong.link.start()
    assert "mismatch" in eventually(refused.reason)
    wrong.close()
    right = Wall(town, tmp_path / "right", town.settings(server_name="broker.minami.example"))
    right.link.start()
    eventually(lambda: is_up(right))
    right.close()


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


def test_a_packet_that_announces_to_be_endless_ends_the_session(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_talk, "PUBACK_WITHIN_S", 60)

    def answer(kind: int, _body: bytes) -> bytes:
        if kind == CONNECT:
            return connack(20)
        # PUBLISH of 256 MB, of which a megabyte comes.
        return b"\x30\xff\xff\xff\x7f" + bytes(1_000_000) if kind == SUBSCRIBE else b""

    with StrangeBroker(town, answer) as strange:
        wall = Wall(town, tmp_path, town.settings(strange.port, keepalive_s=60))
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


def test_an_order_that_fails_ends_neither_the_link_nor_its_session(
    wall: Wall, ledger: SimpleLedger
) -> None:
    def fails() -> None:
        raise RuntimeError("a fault of ours")

    wall.link._order(fails)
    wall.journal.append([tap(now())])
    wall.link.start()
    eventually(lambda: all_received(wall, ledger))
    wall.link._order(fails)
    wall.journal.append([tap(now())])
    eventually(lambda: all_received(wall, ledger))
    assert wall.link._sessions == 1


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
