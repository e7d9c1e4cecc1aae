"""A terminal as the ledger sees it: a key, a certificate, and the signed records it sends."""

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from provisioning.authority_certificates import YEAR, Issuer, Span, issue_client, make_ca, span
from terminal.core.credential import Assurance
from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms
from terminal.core.reasons import Note, Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.wire.chain import GENESIS, declaration, hash_of
from terminal.wire.messages import Head, Value, head_members, record_members
from terminal.wire.signed import HEAD, RECORD, key_id, sign

MORNING_MS = 1_795_000_000_000
EPOCH = "a1b2c3d4e5f60718"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group P-256; of the two signatures with s and ORDER - s the lower one counts."""

_CA_KEY = ec.generate_private_key(ec.SECP256R1())
DEVICE_CA = Issuer(make_ca("device-ca", _CA_KEY, span(YEAR, from_ms(MORNING_MS))), _CA_KEY)

PUNCH = Entry(
    kind=RecordKind.ATTENDANCE,
    result=Result.GRANTED,
    reason=Reason.PUNCHED_IN,
    stamp=Stamp(from_ms(MORNING_MS), "boot-1", 0, ClockQuality(ClockState.SYNCED)),
    purpose="service-regulations-12",
    publication=7,
    holder="h-0001",
    profile="piv-town",
    assurance=Assurance.AUTHENTICATED,
    punch=Punch.IN,
    elapsed_ms=410,
)


class Wall:
    """One terminal and its journal; ``sent`` are the wire bytes, in order of their numbers."""

    def __init__(self, terminal: str = "gate-1", epoch: str = EPOCH) -> None:
        self.terminal = terminal
        self.epoch = epoch
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.boot = "boot-1"
        self.mono_ms = 0
        self.sent: list[bytes] = []

    def enrol(self, terminals: Path, valid: Span | None = None, file: str = "device.crt") -> None:
        """Put its certificate where the town keeps it."""
        certificate = issue_client(
            DEVICE_CA,
            self.key.public_key(),
            self.terminal,
            valid or span(YEAR, from_ms(MORNING_MS)),
        )
        folder = terminals / self.terminal
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(certificate.public_bytes(Encoding.PEM))

    def members(self, seq: int, prev: str, /, **changed: object) -> dict[str, Value]:
        entry = replace(
            PUNCH,
            stamp=Stamp(
                from_ms(MORNING_MS + self.mono_ms),
                self.boot,
                self.mono_ms,
                ClockQuality(ClockState.SYNCED),
            ),
        )
        members = record_members(entry, self.terminal, self.epoch, seq, prev)
        for name, value in changed.items():
            assert value is None or isinstance(value, str | int)
            members[name] = value
        return members

    def sign(self, members: Mapping[str, Value]) -> bytes:
        return sign(RECORD, members, self.key)

    def tap(self, **changed: object) -> bytes:
        """Its next record."""
        self.mono_ms += 1000
        prev = hash_of(self.sent[-1]) if self.sent else GENESIS
        payload = self.sign(self.members(len(self.sent) + 1, prev, **changed))
        self.sent.append(payload)
        return payload

    def tap_odd(self, extra: bytes, without: bytes = b"") -> bytes:
        """Its next record, truly signed, with ``extra`` in its JSON and ``without`` cut out."""
        head = self.tap().partition(b',"key":')[0].replace(without, b"")
        head += extra + b',"key":"' + key_id(self.key.public_key()).encode() + b'"'
        self.sent[-1] = self.sign_bytes(head)
        return self.sent[-1]

    def sign_bytes(self, head: bytes) -> bytes:
        """``head``, whatever it is, as a record that this terminal's key has signed."""
        der = self.key.sign(b"kazasu/1 record\n" + head, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        raw = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
        return head + b',"sig":"' + base64.urlsafe_b64encode(raw).rstrip(b"=") + b'"}'

    def taps(self, number: int) -> list[bytes]:
        return [self.tap() for _ in range(number)]

    def declare_unreadable(self, seq: int) -> bytes:
        """Its next record says that record ``seq`` can no longer be read."""
        return self.tap(
            kind=RecordKind.TERMINAL.value,
            result=Result.NOTED.value,
            reason=Note.RECORD_UNREADABLE.value,
            holder=None,
            punch=None,
            detail=declaration(seq, hash_of(self.sent[seq - 1])),
        )

    def head(self, **changed: object) -> bytes:
        """How far its journal reaches now, or what is ``changed`` of it."""
        head = Head(
            self.terminal,
            self.epoch,
            len(self.sent),
            hash_of(self.sent[-1]) if self.sent else GENESIS,
            self.boot,
            self.mono_ms + 1,
            MORNING_MS + self.mono_ms,
        )
        return sign(HEAD, {**head_members(head), **changed}, self.key)  # type: ignore[dict-item]

    def copied(self) -> Self:
        """A second device with the same card: key, certificate and journal as they are now."""
        other = type(self)(self.terminal, self.epoch)
        other.key = self.key
        other.boot = self.boot
        other.mono_ms = self.mono_ms
        other.sent = list(self.sent)
        return other

    def restart(self, boot: str) -> None:
        """A new boot, which the journal notes as its first thing."""
        self.boot, self.mono_ms = boot, 0
        self.tap(
            kind=RecordKind.TERMINAL.value,
            result=Result.NOTED.value,
            reason=Note.STARTED.value,
            holder=None,
            punch=None,
        )


def long_ago() -> Span:
    """The span of a certificate that ended yesterday, by any clock that these tests use."""
    past = from_ms(MORNING_MS) - timedelta(days=800)
    return Span(past, past + timedelta(days=30))
