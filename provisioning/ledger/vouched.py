"""What an enrolled key has signed: who vouches for a record first, what it says afterwards.

A record is its terminal's word as soon as the signature holds. That this software cannot make
sense of all of it (a newer terminal, a fault in one) takes nothing away from that: if it were
left out, its number would stay empty, and its terminal would wait for a receipt for ever. So what
can be read for certain is read, and the rest is named.

Rules: of a member that is named twice, or is no plain value, or none that the house's strict
parser takes, nothing is believed, for two readers could read two things. Only where terminal,
epoch and number are certain the record has a place. Collector and proof both read with this.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from provisioning.ledger.enrolled import EnrolledKey
from terminal.wire.fields import IDENTIFIER
from terminal.wire.signed import RECORD, SignatureInvalid, signer
from terminal.wire.strict_json import MOST, Malformed, parse

_PLAIN = (str, int, float, type(None))


class _Unsure:
    """Stands for a value that cannot be told for certain."""


_UNSURE = _Unsure()


@dataclass(frozen=True, slots=True)
class Vouched:
    """A record that ``key`` has signed.

    ``members`` are those of its members that are plain and certain, without the signature's own;
    ``strange`` is what stands in the way of the others, "" if nothing does.
    """

    key: EnrolledKey
    members: dict[str, object] = field(default_factory=dict)
    strange: str = ""

    @property
    def place(self) -> tuple[str, str, int] | None:
        """Terminal, epoch and number it is signed for, or None where they are not certain."""
        terminal, epoch, seq = (self.members.get(name) for name in ("terminal", "epoch", "seq"))
        if not (isinstance(terminal, str) and isinstance(epoch, str)):
            return None
        if not IDENTIFIER.fullmatch(epoch) or not isinstance(seq, int) or isinstance(seq, bool):
            return None
        return (terminal, epoch, seq) if seq >= 1 else None


def read_vouched(payload: bytes, keys: Iterable[EnrolledKey], received_ms: int) -> Vouched:
    """Who signed the record ``payload``, and what it says; raises as ``who_signed``."""
    return _read(payload, who_signed(RECORD, payload, keys, received_ms))


def who_signed(
    context: str, payload: bytes, keys: Iterable[EnrolledKey], received_ms: int
) -> EnrolledKey:
    """Which of ``keys`` signed ``payload`` for ``context``.

    One key may stand in several certificates: the one that counts at ``received_ms`` and is in
    its span is named before the others.

    Raises:
        SignatureInvalid: none of them did.
        Malformed: not the form of a signed message at all.
    """
    best_first = sorted(
        keys, key=lambda key: (not key.counts_at(received_ms), not key.in_span(received_ms))
    )
    for key in best_first:
        try:
            signer(context, payload, [key.public])
        except SignatureInvalid:
            continue
        return key
    # Without a key the form is still looked at: rubbish is dropped, not quarantined.
    signer(context, payload, ())
    raise SignatureInvalid("no key vouches for it")


def _read(payload: bytes, key: EnrolledKey) -> Vouched:
    strange = ""
    try:
        said = parse(payload, longest=len(payload))
    except Malformed as error:
        strange = str(error)
        try:
            said = _read_loosely(payload)
        except (ValueError, RecursionError):
            return Vouched(key, strange=strange)
    if not isinstance(said, dict):
        return Vouched(key, strange="not a JSON object")
    if not strange and said.get("key") != key.id:
        strange = "key: does not name the key that signed"
    members: dict[str, object] = {}
    for name, value in said.items():
        if isinstance(value, _PLAIN):
            members[name] = value
        else:
            strange = strange or f"member {name[:40]!a} is no plain value"
    for own in ("key", "sig"):
        members.pop(own, None)
    return Vouched(key, members, strange)


def _read_loosely(payload: bytes) -> object:
    """JSON that the strict parser refuses; whatever it would refuse is unsure.

    Raises:
        ValueError: not even that.
        RecursionError: nested too deeply to be read.
    """
    return json.loads(
        payload.decode(),
        object_pairs_hook=_sure,
        parse_int=_integer,
        parse_float=lambda _: _UNSURE,
        parse_constant=lambda _: _UNSURE,
    )


def _sure(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    return {
        name: value
        for name, value in pairs
        if names.count(name) == 1 and not (_has_half(name) or _has_half(value))
    }


def _has_half(value: object) -> bool:
    """Whether ``value`` is text with half of a surrogate pair, which no UTF-8 can carry."""
    return isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value)


def _integer(digits: str) -> object:
    number = int(digits)
    return number if -MOST - 1 <= number <= MOST else _UNSURE
