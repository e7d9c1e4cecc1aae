"""Why a journal can be believed as a whole: each record carries the hash of the one before.

Signatures alone would not show that a record was left out, doubled or moved; the chain does, up
to its end. A cut end shows only from outside: by the head that a terminal signs every minute, and
by the receipts it was given.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from terminal.wire.signed import RECORD, PublicKey, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed

GENESIS = "0" * 64
"""What stands in the first record of an epoch in place of a hash."""

_DECLARATION = re.compile(r"([1-9][0-9]{0,17})(?: ([0-9a-f]{64}))?")


class ChainBroken(Exception):
    """A record does not follow the one before it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found.

    ``count`` records in order were proven, the last of them with number ``seq`` and hash
    ``head``. ``broken_at`` is the number (as far as it could be counted) of the first record that
    does not belong where it lies, ``reason`` says why; None and "" when all do.
    """

    count: int
    seq: int
    head: str
    broken_at: int | None = None
    reason: str = ""

    @property
    def whole(self) -> bool:
        """Whether every record is where it belongs."""
        return self.broken_at is None


def hash_of(payload: bytes) -> str:
    """A record's hash: SHA-256 of its whole wire bytes, signature included, in hex."""
    return hashlib.sha256(payload).hexdigest()


def check_link(previous_hash: str, members: Mapping[str, object]) -> None:
    """Hold one record's ``prev`` against the hash of the record before it (or GENESIS).

    Raises:
        ChainBroken: it carries another hash.
    """
    if members.get("prev") != previous_hash:
        raise ChainBroken("does not carry the hash of the record before it")


def verify_chain(
    payloads: Iterable[bytes],
    keys: Iterable[PublicKey],
    *,
    after: tuple[int, str] = (0, GENESIS),
    declared: Mapping[int, str] | None = None,
) -> Verdict:
    """Walk the records of one terminal and epoch in the order of their numbers.

    Args:
        payloads: the records' wire bytes.
        keys: the public keys that the terminal had while it wrote them.
        after: number and hash of the record before the first of ``payloads``.
        declared: numbers and hashes of records that the terminal has declared unreadable; they
            may be missing. Where the hash is "" the link behind such a record cannot be checked.
    """
    known = tuple(keys)
    missing = declared or {}
    origin: tuple[object, object] | None = None
    seq, head = after
    count = 0
    for payload in payloads:
        while seq + 1 in missing and not _numbered(payload, seq + 1):
            seq, head = seq + 1, missing[seq + 1]
        try:
            members = verify(RECORD, payload, known)
            _check_number(seq + 1, members)
            if head:
                check_link(head, members)
            own = (members.get("terminal"), members.get("epoch"))
            if origin is not None and own != origin:
                raise ChainBroken("comes from another terminal or epoch")
        except (SignatureInvalid, Malformed, ChainBroken) as error:
            return Verdict(count, seq, head, broken_at=seq + 1, reason=str(error))
        origin = own
        seq, head = seq + 1, hash_of(payload)
        count += 1
    return Verdict(count, seq, head)


def declaration(seq: int, digest: str) -> str:
    """How a RECORD_UNREADABLE record's ``detail`` names the record that is lost.

    ``digest`` is "" where the disk no longer tells it.
    """
    return f"{seq} {digest}".strip()


def declared_in(detail: str) -> tuple[int, str] | None:
    """Number and hash (64 hex digits, or "" for unknown) that ``detail`` declares lost, or None."""
    found = _DECLARATION.fullmatch(detail)
    return None if found is None else (int(found[1]), found[2] or "")


def _check_number(expected: int, members: Mapping[str, object]) -> None:
    if members.get("seq") != expected:
        raise ChainBroken(f"has number {members.get('seq')} where {expected} belongs")


def _numbered(payload: bytes, seq: int) -> bool:
    """Whether ``payload`` says it is number ``seq``; only tells which of two errors is shown."""
    return f'"seq":{seq},'.encode() in payload
