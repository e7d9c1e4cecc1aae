"""The ledger's tables, and what a row of each is called outside the database.

``records`` holds what counts, bytes as received, and is only ever added to. ``declared`` names
records that their terminal can no longer read. ``receipts`` and ``heads`` hold the last of each
epoch, ``quarantined`` what was put aside, ``alarms`` what operations should see. Times are UTC
milliseconds since 1970 by the ledger's clock, except ``at_ms``, which is the terminal's.
"""

from dataclasses import dataclass

FORM = 1
"""The form of the tables, kept in the file."""

SCHEMA = """
CREATE TABLE records (
    arrival INTEGER PRIMARY KEY, terminal TEXT NOT NULL, epoch TEXT NOT NULL, seq BIGINT NOT NULL,
    hash TEXT NOT NULL, prev TEXT, payload BLOB NOT NULL, key_id TEXT NOT NULL,
    received_ms BIGINT NOT NULL, kind TEXT, result TEXT, reason TEXT, holder TEXT, boot TEXT,
    mono_ms BIGINT, at_ms BIGINT,
    UNIQUE (terminal, epoch, seq, hash));
CREATE INDEX records_by_hash ON records (hash);
CREATE TABLE declared (
    terminal TEXT NOT NULL, epoch TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,
    by_seq BIGINT NOT NULL,
    PRIMARY KEY (terminal, epoch, seq));
CREATE TABLE receipts (
    terminal TEXT NOT NULL, epoch TEXT NOT NULL, upto BIGINT NOT NULL, hash TEXT NOT NULL,
    commit_ms BIGINT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (terminal, epoch));
CREATE TABLE heads (
    terminal TEXT NOT NULL, epoch TEXT NOT NULL, seq BIGINT NOT NULL, hash TEXT NOT NULL,
    received_ms BIGINT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (terminal, epoch));
CREATE TABLE quarantined (
    arrival INTEGER PRIMARY KEY, terminal TEXT NOT NULL, hash TEXT NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, payload BLOB NOT NULL, received_ms BIGINT NOT NULL,
    UNIQUE (terminal, hash));
CREATE TABLE alarms (
    terminal TEXT NOT NULL, epoch TEXT NOT NULL, seq BIGINT NOT NULL, alarm TEXT NOT NULL,
    detail TEXT NOT NULL, first_ms BIGINT NOT NULL, last_ms BIGINT NOT NULL,
    count BIGINT NOT NULL, ended_ms BIGINT,
    PRIMARY KEY (terminal, epoch, alarm, seq));
"""


@dataclass(frozen=True, slots=True)
class Link:
    """A committed record's place in its chain."""

    seq: int
    hash: str
    prev: str | None
    boot: str | None
    mono_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A row of records; ``payload`` is the record, the rest is about it."""

    terminal: str
    epoch: str
    seq: int
    hash: str
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """The last receipt of an epoch; ``payload`` is what was published."""

    terminal: str
    epoch: str
    upto: int
    hash: str
    commit_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredHead:
    """The farthest head of a terminal's epoch, and when it was first announced."""

    terminal: str
    epoch: str
    seq: int
    hash: str
    received_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class StoredQuarantined:
    """A message that was put aside; ``terminal`` is the topic's."""

    terminal: str
    reason: str
    detail: str
    payload: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class StoredAlarm:
    """An alarm, when it was raised first and last, how often, and when it ended (or None)."""

    alarm: str
    terminal: str
    epoch: str
    seq: int
    detail: str
    first_ms: int
    last_ms: int
    count: int
    ended_ms: int | None
