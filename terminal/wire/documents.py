"""The documents of a publication, from verified bytes to the values that ``step`` decides by.

Every document is checked whole before anything of it is used: unknown keys, wrong units, ids that
name nothing and cards given twice are refused with document, place and remedy. All documents of
one publication carry the same number, so that no two publications are ever mixed. ``profiles.toml``
is read by ``terminal.cards``.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from terminal.core.roster import CredentialState, Holder, Roster, RosterEntry
from terminal.core.rules import Language, Rules, TerminalSettings
from terminal.wire.access_document import access_of
from terminal.wire.fields import Fields, checked_identifier, checked_text, unique
from terminal.wire.strict_json import Malformed, parse
from terminal.wire.terminals_document import settings_of
from terminal.wire.x509 import Revocation, Trust, why_unfit_as_card_ca

ROSTER = "roster.json"
ACCESS = "access.json"
TERMINALS = "terminals.json"
TEXTS = "texts.json"
TRUST = "trust.json"
PROFILES = "profiles.toml"

DOCUMENTS = (ROSTER, ACCESS, TERMINALS, TEXTS, TRUST, PROFILES)
"""What a publication consists of."""

SEALED = frozenset({ROSTER})
"""The documents that name persons; they travel sealed to each terminal."""

LONGEST = 16 * 1024 * 1024
"""No document is longer, in bytes."""

_NUMBERED = (ROSTER, ACCESS, TERMINALS, TEXTS, TRUST)
_SERIAL = re.compile(r"[0-9A-Fa-f]{1,40}")
_LONGEST_PEM = 16_384
_MOST_LINES = 4
_LONGEST_LINE = 40


def rules_of(documents: Mapping[str, bytes], terminal: str) -> Rules:
    """What ``terminal`` is to decide by.

    Args:
        documents: the verified bytes of a publication's documents, by file name.
        terminal: this terminal's id.

    Raises:
        Malformed: a document is missing or wrong, or the terminal is not in it.
    """
    number, issued = publication_of(documents)
    with document(documents, ROSTER) as fields:
        roster = _roster(fields)
    with document(documents, ACCESS) as fields:
        portals, schedules, permits = access_of(fields)
    with document(documents, TERMINALS) as fields:
        settings = _settings(fields, terminal)
        if settings.portal is not None and settings.portal not in portals:
            place = f"terminals.{terminal}.portal"
            raise Malformed(place, f"{settings.portal} is no portal of {ACCESS}")
    with document(documents, TEXTS) as fields:
        texts = {language: _texts(fields, language) for language in Language}
    return Rules(
        publication=number,
        issued=issued,
        settings=settings,
        roster=roster,
        portals=portals,
        permits=permits,
        schedules=schedules,
        texts=texts[settings.language],
    )


def trust_of(documents: Mapping[str, bytes]) -> Trust:
    """What the publication names as trusted: card CAs, revoked cards, keys of the ledger.

    Raises:
        Malformed: ``trust.json`` is missing or wrong.
    """
    with document(documents, TRUST) as fields:
        return Trust(
            card_cas=tuple(_card_ca(one) for one in fields.objects("card_cas")),
            revocation=_revocation(Fields(fields.need("revocation"), "revocation")),
            ledger_keys=fields.items("ledger_keys", _ledger_key),
        )


def publication_of(documents: Mapping[str, bytes]) -> tuple[int, datetime]:
    """The publication's number, which all its documents carry, and when it was issued.

    Raises:
        Malformed: a document is missing, or they are not of one publication.
    """
    found: dict[str, tuple[int, datetime]] = {}
    for name in _NUMBERED:
        with _placed(name):
            fields = _opened(documents, name)
            found[name] = (fields.number("number", least=1), fields.moment("issued_ms"))
    number, issued = found[_NUMBERED[0]]
    for name, (other, _) in found.items():
        if other != number:
            raise Malformed(name, f"belongs to publication {other}, {_NUMBERED[0]} to {number}")
    return number, issued


@contextmanager
def document(documents: Mapping[str, bytes], name: str) -> Iterator[Fields]:
    """The members of one document; on leaving, what was not asked for is refused.

    Errors raised inside get the document's name before their place.
    """
    with _placed(name):
        fields = _opened(documents, name)
        for common in ("v", "number", "issued_ms", "salt"):
            fields.raw(common)
        yield fields
        fields.finish()


@contextmanager
def _placed(name: str) -> Iterator[None]:
    try:
        yield
    except Malformed as error:
        raise Malformed(f"{name} {error.place}".strip(), error.reason) from error


def _opened(documents: Mapping[str, bytes], name: str) -> Fields:
    data = documents.get(name)
    if data is None:
        raise Malformed("", "is missing from the publication")
    fields = Fields(parse(data, longest=LONGEST))
    if fields.need("v") != 1:
        raise Malformed("v", "must be 1, the only version that this software reads")
    return fields


def _roster(fields: Fields) -> Roster:
    entries: dict[tuple[str, str], RosterEntry] = {}
    ids: list[str] = []
    for one in fields.objects("holders"):
        holder = Holder(
            id=one.identifier("id"),
            name=one.text("name", longest=60, default=""),
            kana=one.text("kana", longest=60, default=""),
            section=one.text("section", longest=60, default=""),
            groups=frozenset(one.items("groups", checked_identifier)),
            not_before=one.optional_moment("not_before_ms"),
            not_after=one.optional_moment("not_after_ms"),
        )
        ids.append(holder.id)
        for card in one.objects("cards"):
            key = (card.identifier("profile"), card.text("id", longest=128))
            if key in entries:
                raise Malformed(card.at("id"), "this card belongs to two entries")
            entries[key] = RosterEntry(holder, card.word("state", CredentialState))
            card.finish()
        one.finish()
    unique(ids, "holders")
    return Roster(entries)


def _settings(fields: Fields, terminal: str) -> TerminalSettings:
    # All of them are read, so that a mistake shows at the publisher's and not at one wall only.
    every = {
        name: settings_of(Fields(value, f"terminals.{name}"), name)
        for name, value in Fields(fields.need("terminals"), "terminals").members()
    }
    if terminal not in every:
        place = f"terminals.{terminal}"
        raise Malformed(place, "is missing: this publication knows no such terminal")
    return every[terminal]


def _texts(fields: Fields, language: Language) -> dict[str, tuple[str, ...]]:
    own = Fields(fields.raw(language) or {}, language)
    texts = {}
    for key, _ in own.members():
        lines = own.items(key, lambda value, place: checked_text(value, place, _LONGEST_LINE))
        if len(lines) > _MOST_LINES:
            raise Malformed(own.at(key), f"has more than {_MOST_LINES} lines")
        texts[key] = lines
    return texts


def _card_ca(fields: Fields) -> tuple[str, x509.Certificate]:
    profile, pem = fields.identifier("profile"), _pem(fields.need("certificate"), fields.place)
    fields.finish()
    place = fields.at("certificate")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Malformed(place, "must be one certificate in PEM") from error
    unfit = why_unfit_as_card_ca(certificate)
    if unfit:
        raise Malformed(place, unfit)
    return profile, certificate


def _revocation(fields: Fields) -> Revocation:
    serials = set()
    for one in fields.objects("serials"):
        serial = one.text("serial", longest=40)
        if _SERIAL.fullmatch(serial) is None:
            raise Malformed(one.at("serial"), "must be a certificate's serial in hex")
        serials.add((one.identifier("profile"), int(serial, 16)))
        one.finish()
    revocation = Revocation(fields.number("number"), fields.moment("issued_ms"), frozenset(serials))
    fields.finish()
    return revocation


def _ledger_key(value: object, place: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(_pem(value, place))
    except ValueError as error:
        raise Malformed(place, "must be a public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != ec.SECP256R1.name:
        raise Malformed(place, "must be a P-256 key")
    return key


def _pem(value: object, place: str) -> bytes:
    if not isinstance(value, str) or len(value) > _LONGEST_PEM or not value.isascii():
        raise Malformed(place, f"must be PEM of at most {_LONGEST_PEM} characters")
    return value.encode()
