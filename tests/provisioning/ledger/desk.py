"""The town hall's side without a broker: a ledger that is handed messages."""

from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.enrolled import EnrolmentDirectory, read_enrolled
from provisioning.ledger.intake import Arrival, Intake, Outgoing
from provisioning.ledger.store import Store
from provisioning.ledger.verify import ChainVerdict, verify_ledger
from terminal.wire.messages import Receipt, receipt_of
from terminal.wire.signed import RECEIPT, verify
from tests.provisioning.ledger.wall import MORNING_MS, Wall


class Desk:
    """A ledger with a clock that tests move."""

    def __init__(self, folder: Path) -> None:
        self.terminals = folder / "terminals"
        self.terminals.mkdir(exist_ok=True)
        self.path = folder / "ledger" / "ledger.db"
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.now_ms = MORNING_MS
        self.open()

    def open(self) -> None:
        self.store = Store(self.path)
        self.intake = Intake(self.store, EnrolmentDirectory(self.terminals), self.key)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def enrolled_wall(self, terminal: str = "gate-1") -> Wall:
        wall = Wall(terminal)
        wall.enrol(self.terminals)
        return wall

    def take(self, wall: Wall, *payloads: bytes, heads: Iterable[bytes] = ()) -> list[Receipt]:
        """Hand in records and then heads, a second later; returns the receipts that go out."""
        self.now_ms += 1000
        arrivals = [Arrival(wall.terminal, payload) for payload in payloads]
        arrivals += [Arrival(wall.terminal, head, is_head=True) for head in heads]
        return [self.opened(one) for one in self.intake.take(arrivals, self.now_ms)]

    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def opened(self, outgoing: Outgoing) -> Receipt:
        return receipt_of(verify(RECEIPT, outgoing.payload, [self.key.public_key()]))

    def held(self) -> list[bytes]:
        return [row.payload for row in self.store.records()]

    def alarms(self) -> set[LedgerAlarm]:
        """The alarms that have not ended."""
        return {LedgerAlarm(one.alarm) for one in self.store.alarms() if one.ended_ms is None}

    def aside(self) -> list[str]:
        return [row.reason for row in self.store.quarantined()]

    def verdicts(self) -> list[ChainVerdict]:
        enrolled = read_enrolled(self.terminals)
        return verify_ledger(self.store, enrolled, [self.key.public_key()])

    def verdict(self) -> ChainVerdict:
        (only,) = self.verdicts()
        return only
