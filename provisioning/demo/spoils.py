"""The six things that ``--plant`` spoils, to show that the check would find them.

Three spoil the ledger's database just before the proof, one is a message at the broker from
somebody who stole a terminal's identity, two are terminals that were tampered with (``plants``).
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from provisioning import mqtt
from provisioning.demo.stage import TERMINAL_MODULE, Stage
from provisioning.demo.town import LOOPBACK, SITE, TERMINAL
from provisioning.ledger.store import Reading
from terminal.wire.signed import RECORD, sign
from terminal.wire.strict_json import Malformed, parse
from terminal.wire.topics import Name, topic

FORGED_WITHIN_S = 20.0
_PLANTS_MODULE = "provisioning.demo.plants"


@dataclass(frozen=True, slots=True)
class Plant:
    """How the terminal is started, and what happens to the records before they are proven."""

    terminal: tuple[str, ...] = (TERMINAL_MODULE,)
    spoil: Callable[[Stage], None] | None = None


def drop(stage: Stage) -> None:
    """Delete a record from the middle of the ledger."""
    with closing(_ledger(stage)) as database:
        middle = _middle(database)
        database.execute("DELETE FROM records WHERE seq = ?", (middle,))


def edit(stage: Stage) -> None:
    """Change one digit of a record in the ledger: a minute earlier, or another person."""
    with closing(_ledger(stage)) as database:
        middle = _middle(database)
        (payload,) = database.execute(
            "SELECT payload FROM records WHERE seq = ?", (middle,)
        ).fetchone()
        place = payload.index(b'"at_ms":') + len(b'"at_ms":') + 6
        digit = b"1" if payload[place : place + 1] != b"1" else b"2"
        edited = payload[:place] + digit + payload[place + 1 :]
        database.execute("UPDATE records SET payload = ? WHERE seq = ?", (edited, middle))


def reorder(stage: Stage) -> None:
    """Let two records of the ledger change places."""
    with closing(_ledger(stage)) as database:
        middle = _middle(database)
        for number, becomes in ((middle, -1), (middle + 1, middle), (-1, middle + 1)):
            database.execute("UPDATE records SET seq = ? WHERE seq = ?", (becomes, number))


def forge(stage: Stage) -> None:
    """Publish a record as the terminal, with its stolen TLS identity but another signing key."""
    with Reading(stage.town.places.ledger) as held:
        newest = next(iter(held.records(newest=1)))
    members = parse(newest.payload, longest=len(newest.payload))
    if not isinstance(members, dict):
        raise Malformed("record", "is no object")
    del members["key"], members["sig"]
    members |= {"seq": newest.seq + 1, "prev": newest.hash, "result": "granted"}
    payload = sign(RECORD, members, ec.generate_private_key(ec.SECP256R1()))
    identity = stage.town.identity
    with tempfile.TemporaryDirectory() as folder:
        for own, called in (("device.key", "client.key"), ("device.crt", "client.crt")):
            shutil.copy(identity / own, Path(folder) / called)
        shutil.copy(identity / "town-ca.crt", folder)
        address = mqtt.BrokerAddress(LOOPBACK, stage.broker.port)
        thief = mqtt.connect(address, TERMINAL, Path(folder))
        try:
            thief.publish(topic(Name.REC, SITE, TERMINAL), payload).wait()
        finally:
            thief.close()
    stage.wait_for(lambda: _put_aside(stage), FORGED_WITHIN_S)


PLANTS: Mapping[str, Plant] = {
    "drop": Plant(spoil=drop),
    "edit": Plant(spoil=edit),
    "reorder": Plant(spoil=reorder),
    "forge": Plant(spoil=forge),
    "early-beep": Plant(terminal=(_PLANTS_MODULE, "early-beep")),
    "off-list-apdu": Plant(terminal=(_PLANTS_MODULE, "off-list-apdu")),
}
"""By the name on the command line, which is also the name that the check must give it."""


def _ledger(stage: Stage) -> sqlite3.Connection:
    return sqlite3.connect(stage.town.places.ledger, isolation_level=None, timeout=5.0)


def _middle(database: sqlite3.Connection) -> int:
    (highest,) = database.execute("SELECT max(seq) FROM records").fetchone()
    return int(highest) // 2


def _put_aside(stage: Stage) -> bool:
    with Reading(stage.town.places.ledger) as held:
        return any(True for _ in held.quarantined())
