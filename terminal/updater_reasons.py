"""Why a publication was not taken: one table from the verifier's exception and file to a code.

The codes are the names that The Update Framework gives to attacks (TUF 1.0, section 1.5.2), and
a few of our own for what it does not know: documents of another terminal, of newer software, and
a disk that does not take them.
"""

from dataclasses import dataclass
from enum import StrEnum

from tuf.api import exceptions as tuf
from tuf.api.serialization import DeserializationError


class Refusal(StrEnum):
    """What is wrong with a publication."""

    ARBITRARY = "arbitrary"
    """Not signed by the roles of our root (enough of them, each once), or not what was signed."""
    ROLLBACK = "rollback"
    """Older than what was taken before."""
    FREEZE = "freeze"
    """Signed long ago: its time is over."""
    EQUIVOCATION = "equivocation"
    """The same number as before with other content, both properly signed."""
    FAST_FORWARD = "fast_forward"
    """A version number so high that every later publication would look old."""
    MIX_AND_MATCH = "mix_and_match"
    """Files of different publications put together."""
    WRONG_DEVICE = "wrong_device"
    """For other terminals: ours is not named in it, or nothing is sealed to us."""
    ENDLESS = "endless"
    """Longer than anything that is needed."""
    SLOW = "slow"
    """Did not arrive within the time for a file."""
    MALFORMED = "malformed"
    """Not the format that was agreed."""
    WRONG_SOFTWARE = "wrong_software"
    """Documents of a version that this software does not read."""
    MISSING = "missing"
    """A file that the signed metadata names is not there."""
    NOT_STORED = "not_stored"
    """The disk did not take it, or does not give it back: full, read-only or dying."""


class Refused(Exception):
    """A publication is not taken; ``file`` is where it showed, ``detail`` is for the log."""

    def __init__(self, reason: Refusal, file: str, detail: str = "") -> None:
        super().__init__(f"{reason} {file}: {detail}")
        self.reason = reason
        self.file = file


class SealedForOthers(tuf.DownloadError):
    """A sealed document cannot be opened, or no copy of it is for this terminal."""


class Interrupted(tuf.DownloadError):
    """The terminal stops; nothing is said about the file."""


@dataclass(frozen=True, slots=True)
class _Row:
    """``file`` is a role, "document", or "" for any; ``mixed`` None means it does not matter.

    ``mixed``: the bytes served are a properly signed file of another publication.
    """

    error: type[Exception]
    reason: Refusal
    file: str = ""
    mixed: bool | None = None


TABLE = (
    _Row(tuf.UnsignedMetadataError, Refusal.ARBITRARY),
    _Row(tuf.ExpiredMetadataError, Refusal.FREEZE),
    _Row(tuf.BadVersionNumberError, Refusal.MIX_AND_MATCH, "snapshot", mixed=True),
    _Row(tuf.BadVersionNumberError, Refusal.MIX_AND_MATCH, "targets", mixed=True),
    _Row(tuf.BadVersionNumberError, Refusal.ROLLBACK),
    _Row(tuf.LengthOrHashMismatchError, Refusal.MIX_AND_MATCH, "document", mixed=True),
    _Row(tuf.LengthOrHashMismatchError, Refusal.ARBITRARY),
    _Row(DeserializationError, Refusal.MALFORMED),
    _Row(tuf.RepositoryError, Refusal.ARBITRARY),
    _Row(tuf.DownloadLengthMismatchError, Refusal.ENDLESS),
    _Row(tuf.SlowRetrievalError, Refusal.SLOW),
    _Row(SealedForOthers, Refusal.WRONG_DEVICE),
    _Row(tuf.DownloadHTTPError, Refusal.MISSING),
    _Row(tuf.DownloadError, Refusal.MALFORMED),
)
"""The first row that fits decides; each exception's own row stands before its parents'."""


def refusal_of(error: Exception, file: str, *, mixed: bool) -> Refusal:
    """The code for the verifier's ``error`` over ``file`` (a role's name or "document")."""
    for row in TABLE:
        if isinstance(error, row.error) and row.file in {"", file} and row.mixed in {None, mixed}:
            return row.reason
    # What the verifier did not foresee was caused by the bytes it was given.
    return Refusal.MALFORMED
