"""What the ledger tells operations about: conditions found in what terminals sent, or did not."""

from dataclasses import dataclass
from enum import StrEnum


class LedgerAlarm(StrEnum):
    """The conditions. The codes stand in the database for years; they are only ever added to."""

    MALFORMED = "malformed"
    """Not a signed message at all; dropped."""
    SIGNATURE_INVALID = "signature_invalid"
    """No key of the topic's terminal signed it; quarantined."""
    TERMINAL_MISMATCH = "terminal_mismatch"
    """Signed for another terminal than the topic's; quarantined."""
    KEY_REVOKED = "key_revoked"
    """Signed with a key that was revoked before it arrived; quarantined."""
    NUMBERLESS = "numberless"
    """Validly signed, but without terminal, epoch or number; quarantined."""
    KEY_OUT_OF_SPAN = "key_out_of_span"
    """It counts, but its certificate had ended, or not begun, when it arrived."""
    NOT_UNDERSTOOD = "not_understood"
    """It counts, but says something that this software does not know."""
    CLONE = "clone"
    """Two different valid records, or heads, for one number."""
    CHAIN_BROKEN = "chain_broken"
    """A record does not carry the hash of the record before it."""
    RECORD_UNREADABLE = "record_unreadable"
    """A terminal has declared one of its records lost; the ledger passed the number."""
    RECORDS_MISSING = "records_missing"
    """A terminal has announced records that do not arrive."""
    ROLLED_BACK = "rolled_back"
    """A terminal's journal ends before what it has delivered already."""
    ENROLMENT_UNREADABLE = "enrolment_unreadable"
    """A certificate or revocation file of the terminal cannot be read: it has no keys."""
    QUARANTINE_FULL = "quarantine_full"
    """So much is quarantined, for this terminal or in all, that more is only counted."""
    UNKNOWN_TERMINAL = "unknown_terminal"
    """Messages on topics of terminals that this town does not have; only counted, all in one."""
    ALARMS_FULL = "alarms_full"
    """So many alarms are listed that new ones are only counted, all in one."""
    LEDGER_FAULT = "ledger_fault"
    """This software failed on it; quarantined, the rest went on."""


@dataclass(frozen=True, slots=True)
class Raised:
    """One alarm; ``epoch`` "" and ``seq`` 0 where it is about no particular record."""

    alarm: LedgerAlarm
    terminal: str
    epoch: str = ""
    seq: int = 0
    detail: str = ""
