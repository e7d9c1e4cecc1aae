"""A real Mosquitto: who gets in, who may say and hear what, and how it is started and stopped."""

import os
import queue
import shutil
import signal
import socket
import ssl
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from provisioning import broker as room
from provisioning.authority_files import read_certificate, read_ec_key
from provisioning.broker import Broker, BrokerError, mosquitto_conf
from provisioning.mqtt import BrokerAddress, DeliveryRefused, connect
from provisioning.parts import MissingPartError
from provisioning.town import Town
from terminal.wire import topics
from terminal.wire.topics import TABLE, TERMINAL, Name
from tests.provisioning.hall import SITE, Party, identity_of, make_town

pytestmark = pytest.mark.real

EVERYBODY = ("gate-1", "gate-2", "ledger", "publisher", "operations")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return make_town(tmp_path_factory.mktemp("hall"))


@pytest.fixture(scope="module")
def broker(town: Town) -> Iterator[Broker]:
    with Broker(town.broker, SITE, persistence=False) as broker:
        yield broker


@pytest.fixture
def own(town: Town, tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, not yet started."""
    folder = tmp_path / "broker"
    folder.mkdir()
    for name in ("server.key", "server.crt", "town-ca.crt"):
        shutil.copy(town.broker / name, folder)
    broker = Broker(folder, SITE)
    yield broker
    broker.stop()


@pytest.fixture
def arrive(town: Town, broker: Broker) -> Iterator[Callable[..., Party]]:
    there: list[Party] = []

    def arrive(who: str, *filters: str) -> Party:
        there.append(Party(town, broker, who, *filters))
        return there[-1]

    yield arrive
    for party in there:
        party.close()


def at(name: Name, terminal: str = "gate-1") -> str:
    return topics.topic(name, SITE, terminal, "targets.json")


# --- who may say and hear what, shown by delivery


def test_every_topic_reaches_its_readers_and_nobody_else(arrive: Callable[..., Party]) -> None:
    parties = {who: arrive(who, "#", "kazasu/#") for who in EVERYBODY}
    for row in TABLE:
        for writer in EVERYBODY:
            try:
                parties[writer].says(at(row.name), f"{row.name} by {writer}".encode())
            except DeliveryRefused:
                continue
    # Whatever was on its way has come once these have: a broker keeps the order for each reader.
    parties["gate-1"].says(at(Name.CFG_STATE), b"the end")
    parties["gate-1"].says(at(Name.STATUS), b"the end")
    for terminal in ("gate-1", "gate-2"):
        parties["ledger"].says(at(Name.RECEIPT, terminal), b"the end")
        parties[terminal].hears(at(Name.RECEIPT, terminal), b"the end")
    parties["publisher"].hears(at(Name.CFG_STATE), b"the end")
    for watcher in ("ledger", "operations"):
        parties[watcher].hears(at(Name.STATUS), b"the end")
    for reader, party in parties.items():
        heard = {message.payload.decode() for message in party.heard} - {"the end"}
        assert heard == set(may_hear(reader)), reader


def may_hear(reader: str) -> Iterator[str]:
    """What the table says of the topics of gate-1."""
    for row in TABLE:
        of_one_terminal = "{terminal}" in row.pattern
        writer = "gate-1" if row.writer == TERMINAL else row.writer
        readers = set(row.readers)
        if TERMINAL in readers:
            # What all terminals may read is open to whoever has a certificate of the town.
            readers |= {"gate-1"} if of_one_terminal else set(EVERYBODY)
        if reader in readers:
            yield f"{row.name} by {writer}"


@pytest.mark.parametrize(
    ("who", "topic"),
    [
        ("gate-2", at(Name.REC)),
        ("gate-2", at(Name.HEAD)),
        ("gate-2", at(Name.STATUS)),
        ("gate-1", at(Name.RECEIPT)),
        ("publisher", at(Name.RECEIPT)),
        ("operations", at(Name.RECEIPT)),
        ("operations", at(Name.REC)),
        ("ledger", at(Name.REC)),
        ("gate-1", at(Name.INDEX)),
        ("operations", at(Name.FILE)),
        ("ledger", at(Name.SEALED)),
        ("publisher", at(Name.LEDGER_STATUS)),
        ("publisher", "kazasu/v1/minami/gate-1/anything"),
        ("gate-1", "kazasu/v1/minami/gate-1/anything"),
        ("gate-1", "kazasu/v1/kita/gate-1/rec"),
        ("gate-1", "homeassistant/device/gate-1/config"),
        ("gate-1", "$SYS/broker/uptime"),
    ],
)
def test_nobody_may_write_what_is_anothers(
    arrive: Callable[..., Party], who: str, topic: str
) -> None:
    with pytest.raises(DeliveryRefused, match="0x87"):
        arrive(who).says(topic, b"not mine to say")


def test_nobody_but_the_ledger_reads_records(arrive: Callable[..., Party]) -> None:
    others = [arrive(who, at(Name.REC), "kazasu/v1/+/+/rec") for who in EVERYBODY[1:]]
    others = [party for party in others if party.who != "ledger"]
    ledger = arrive("ledger", at(Name.REC))
    terminal = arrive("gate-1", at(Name.REC))
    terminal.says(at(Name.REC), b"a record")
    ledger.hears(at(Name.REC), b"a record")
    terminal.says(at(Name.STATUS), b"online")
    terminal.says(at(Name.CFG_STATE), b"{}")
    assert [party.who for party in (*others, terminal) if party.heard] == []


def test_a_refused_subscription_is_granted_all_the_same_and_delivers_nothing(
    town: Town, broker: Broker, arrive: Callable[..., Party]
) -> None:
    granted: queue.SimpleQueue[object] = queue.SimpleQueue()
    client = paho.Client(CallbackAPIVersion.VERSION2, "gate-2", protocol=MQTTProtocolVersion.MQTTv5)
    identity = identity_of(town, "gate-2")
    client.tls_set(
        str(identity / "town-ca.crt"),
        str(identity / "client.crt"),
        str(identity / "client.key"),
    )
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    both = [(at(Name.REC), SubscribeOptions(1)), (at(Name.RECEIPT, "gate-2"), SubscribeOptions(1))]

    def connected(*_: object) -> None:
        client.subscribe(both)

    client.on_connect = connected
    client.on_subscribe = lambda *given: granted.put([code.value for code in given[3]])
    client.on_message = lambda *given: heard.put(given[2].payload)
    client.connect("localhost", broker.port)
    client.loop_start()
    try:
        assert granted.get(timeout=5) == [1, 1]
        ledger = arrive("ledger", at(Name.REC))
        arrive("gate-1").says(at(Name.REC), b"a record")
        ledger.hears(at(Name.REC), b"a record")
        ledger.says(at(Name.RECEIPT, "gate-2"), b"a receipt")
        assert heard.get(timeout=5) == b"a receipt"
    finally:
        client.disconnect()
        client.loop_stop()


# --- who gets in


def refused(broker: Broker, context: ssl.SSLContext) -> bool:
    """Whether somebody with this idea of TLS never gets an answer to a CONNECT."""
    hello = bytes.fromhex("101000044d5154540502003c00000367312d")
    try:
        with (
            socket.create_connection(("localhost", broker.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secured,
        ):
            secured.sendall(hello)
            return not secured.recv(4)
    except (ssl.SSLError, ConnectionError):
        return True


def context_of(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "town-ca.crt")
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    return context


def test_a_client_with_a_certificate_of_the_town_gets_in(town: Town, broker: Broker) -> None:
    assert not refused(broker, context_of(town.client("operations")))


def test_nobody_gets_in_without_a_certificate(town: Town, broker: Broker) -> None:
    context = ssl.create_default_context(cafile=town.broker / "town-ca.crt")
    assert refused(broker, context)


def test_nobody_gets_in_with_a_certificate_of_another_town(
    town: Town, broker: Broker, tmp_path: Path
) -> None:
    other = make_town(tmp_path)
    context = ssl.create_default_context(cafile=town.broker / "town-ca.crt")
    folder = other.client("operations")
    context.load_cert_chain(folder / "client.crt", folder / "client.key")
    assert refused(broker, context)


def test_nobody_gets_in_with_an_old_tls(town: Town, broker: Broker) -> None:
    context = context_of(town.client("operations"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert refused(broker, context)


def test_nobody_gets_in_without_tls(broker: Broker) -> None:
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as plain:
        plain.sendall(bytes.fromhex("101000044d5154540502003c00000367312d"))
        try:
            answer = plain.recv(4)
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"\x20")


def test_a_borrowed_client_id_does_not_put_its_owner_out(
    town: Town, broker: Broker, arrive: Callable[..., Party]
) -> None:
    owner = arrive("gate-1", at(Name.RECEIPT))
    thief = connect(BrokerAddress("localhost", broker.port), "gate-1", identity_of(town, "gate-2"))
    try:
        arrive("ledger").says(at(Name.RECEIPT), b"still for you")
        owner.hears(at(Name.RECEIPT), b"still for you")
        assert owner.connection.session == 1
    finally:
        thief.close()


def test_a_revoked_certificate_does_not_get_in(town: Town, own: Broker, tmp_path: Path) -> None:
    revoked = read_certificate(town.client("publisher") / "client.crt")
    ca = read_certificate(town.authority / "device-ca.crt")
    now = datetime.now(UTC)
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(revoked.serial_number)
        .revocation_date(now)
        .build()
    )
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(entry)
        .sign(read_ec_key(town.authority / "device-ca.key"), hashes.SHA256())
    )
    (tmp_path / "town.crl").write_bytes(crl.public_bytes(Encoding.PEM))
    own.crl = tmp_path / "town.crl"
    own.start()
    assert refused(own, context_of(town.client("publisher")))
    assert not refused(own, context_of(town.client("operations")))


# --- how it is started and stopped


def test_it_listens_on_its_one_address_only(own: Broker) -> None:
    own.start()
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/{own.pid}/net/{table}").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{own.port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{own.port:04X}"]


def test_a_killed_broker_comes_back_on_the_same_port(own: Broker) -> None:
    own.start()
    port, pid = own.port, own.pid
    own.kill()
    assert not own.running
    assert own.pid is None
    own.start()
    assert own.port == port
    assert own.pid != pid


def test_starting_twice_changes_nothing_and_stopping_twice_neither(own: Broker) -> None:
    own.start()
    pid = own.pid
    own.start()
    assert own.pid == pid
    own.stop()
    own.stop()
    assert not own.running


def test_a_taken_port_is_named_with_the_remedy(own: Broker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        blocked = Broker(own.directory, SITE, port)
        with pytest.raises(BrokerError, match=rf"port {port} .* choose another port"):
            blocked.start()


def test_a_port_that_is_taken_at_the_last_moment_is_passed_over(
    own: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        true_free_port = room._free_port
        found = iter([taken.getsockname()[1]])
        monkeypatch.setattr(
            room, "_free_port", lambda address: next(found, None) or true_free_port(address)
        )
        own.start()
        assert own.port != taken.getsockname()[1]


def test_one_broker_for_each_directory(own: Broker) -> None:
    own.start()
    with pytest.raises(BrokerError, match="a broker already runs in"):
        Broker(own.directory, SITE).start()


def test_a_missing_certificate_is_named(own: Broker) -> None:
    (own.directory / "server.crt").unlink()
    with pytest.raises(BrokerError, match=r"server\.crt is missing; the town's authority"):
        own.start()


def test_a_damaged_certificate_is_told_with_what_mosquitto_said(own: Broker) -> None:
    (own.directory / "server.crt").write_text("nothing")
    with pytest.raises(BrokerError, match=r"ended at once: .*server certificate"):
        own.start()


def test_a_missing_mosquitto_is_told_with_the_remedy(
    own: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KAZASU_PARTS", str(tmp_path))
    monkeypatch.setattr("provisioning.parts._MACHINE", tmp_path)
    with pytest.raises(MissingPartError, match="kazasu"):
        own.start()


def test_a_path_with_a_line_break_cannot_smuggle_a_setting_in() -> None:
    with pytest.raises(BrokerError, match="line break"):
        mosquitto_conf(Path("/town\nallow_anonymous true"), 8883)


def test_what_is_retained_outlives_a_stop_only_with_persistence(town: Town, own: Broker) -> None:
    for persistence, kept in ((True, [b"{}"]), (False, [])):
        own.persistence = persistence
        own.start()
        writer = Party(town, own, "gate-1")
        writer.says(at(Name.HEALTH), b"{}", retained=True)
        writer.close()
        own.restart()
        reader = Party(town, own, "operations", at(Name.HEALTH), at(Name.STATUS))
        writer = Party(town, own, "gate-1")
        writer.says(at(Name.STATUS), b"online")
        reader.hears(at(Name.STATUS), b"online")
        assert reader.heard_on(at(Name.HEALTH)) == kept
        reader.close()
        writer.close()
        own.stop()
        (own.directory / "mosquitto.db").unlink(missing_ok=True)


def test_the_broker_outlives_a_ctrl_c_that_is_meant_for_us(own: Broker) -> None:
    own.start()
    assert own.pid is not None
    assert os.getpgid(own.pid) != os.getpgid(0)


def test_a_broker_that_does_not_end_is_killed(own: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    own.start()
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    monkeypatch.setattr(room, "STOP_WITHIN_S", 0.1)
    own.stop()
    assert not own.running


def test_the_settings_are_what_mosquitto_itself_accepts(own: Broker) -> None:
    own.start()
    said = own.log.read_text()
    assert "Unknown configuration" not in said
    assert own.pid is not None
    os.kill(own.pid, 0)


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", "::", "broker.minami.example"])  # noqa: S104 - refused
def test_root_lets_nobody_in_from_the_network(
    own: Broker, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(BrokerError, match=r"not as root.*sudo -u"):
        Broker(own.directory, SITE, address=address).start()
    assert not (own.directory / "mosquitto.conf").exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_may_be_served_by_anybody(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    room.check_user(address)


def test_the_network_may_be_served_by_an_ordinary_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    room.check_user("192.0.2.7")
