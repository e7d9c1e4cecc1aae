"""Why: one reason code for each outcome of a tap, and for each thing a terminal notes of itself.

The codes stand in records for years. They are only ever added to.
"""

from enum import StrEnum

from terminal.core.credential import Unreadable


class Result(StrEnum):
    """The outcome of a tap, in one word."""

    GRANTED = "granted"
    DENIED = "denied"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    NOTED = "noted"
    """Not a tap: the terminal's own record."""


class Reason(StrEnum):
    """Why a tap ended as it did. Members of ``Unreadable`` have the same codes here."""

    # granted
    PERMITTED = "permitted"
    PUNCHED_IN = "punched_in"
    PUNCHED_OUT = "punched_out"
    PUNCHED_AWAY = "punched_away"
    PUNCHED_BACK = "punched_back"
    # duplicate
    ALREADY_PUNCHED = "already_punched"
    # denied
    UNKNOWN_CREDENTIAL = "unknown_credential"
    CREDENTIAL_STOPPED = "credential_stopped"
    HOLDER_NOT_YET_VALID = "holder_not_yet_valid"
    HOLDER_EXPIRED = "holder_expired"
    ASSURANCE_TOO_LOW = "assurance_too_low"
    NO_PERMIT = "no_permit"
    CLOCK_UNKNOWN = "clock_unknown"
    OUTSIDE_SCHEDULE = "outside_schedule"
    NO_RULES = "no_rules"
    # unreadable
    NO_APPLICATION = Unreadable.NO_APPLICATION.value
    TORN = Unreadable.TORN.value
    MUTE = Unreadable.MUTE.value
    GARBLED = Unreadable.GARBLED.value
    CARD_FAULT = Unreadable.CARD_FAULT.value
    FOREIGN_ISSUER = Unreadable.FOREIGN_ISSUER.value
    CERTIFICATE_UNFIT = Unreadable.CERTIFICATE_UNFIT.value
    CERTIFICATE_EXPIRED = Unreadable.CERTIFICATE_EXPIRED.value
    CERTIFICATE_NOT_YET_VALID = Unreadable.CERTIFICATE_NOT_YET_VALID.value
    CERTIFICATE_REVOKED = Unreadable.CERTIFICATE_REVOKED.value
    WRONG_KEY = Unreadable.WRONG_KEY.value
    REPLAYED = Unreadable.REPLAYED.value
    CARD_SWAPPED = Unreadable.CARD_SWAPPED.value


class Note(StrEnum):
    """What a terminal writes down about itself."""

    STARTED = "started"
    STOPPED = "stopped"
    READER_LOST = "reader_lost"
    READER_BACK = "reader_back"
    DEVICE_FAILED = "device_failed"
    DEVICE_BACK = "device_back"
    PUBLICATION_ACTIVE = "publication_active"
    PUBLICATION_REFUSED = "publication_refused"
    EXIT_REQUESTED = "exit_requested"
    RECORD_UNREADABLE = "record_unreadable"
    """A record of this journal can no longer be read; detail names its number and hash."""
    JOURNAL_REPLACED = "journal_replaced"
    """The journal could not be gone on with; it was set aside, and this is a new epoch."""
    NOTES_LOST = "notes_lost"
    """More notes waited for the disk than are kept; detail says how many were dropped."""
    STEP_FAILED = "step_failed"
    """The core raised an exception; the event was dropped, the state kept."""


class Alarm(StrEnum):
    """Conditions that operations should see until they end."""

    READER_LOST = "reader_lost"
    READER_BLOCKED = "reader_blocked"
    CANNOT_RECORD = "cannot_record"
    DEVICE_FAILED = "device_failed"
    CLOCK_UNKNOWN = "clock_unknown"
    PUBLICATION_REFUSED = "publication_refused"
    PUBLICATION_STALE = "publication_stale"
    MALFORMED_MESSAGE = "malformed_message"
    RECEIPT_REFUSED = "receipt_refused"
    PUBLISH_REFUSED = "publish_refused"
    JOURNAL_FILLING = "journal_filling"
    DUPLICATE_IDENTITY = "duplicate_identity"
    NO_RULES = "no_rules"
