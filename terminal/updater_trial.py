"""A terminal's new settings on trial: kept if it is well with them, else the former ones hold.

The moment of the change says nothing: the loop must have taken the rules, and link and reader have
had time to fail. Only settings that made a well terminal unwell go back; a reader that was missing
before is not their fault.
"""

from dataclasses import dataclass
from enum import Enum, auto

from terminal.updater_active import Active

SETTLE_S = 10.0
TRIAL_S = 120.0


class Verdict(Enum):
    """What becomes of the settings on trial."""

    OPEN = auto()
    KEEP = auto()
    BACK = auto()


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: since ``begun`` (monotonic seconds) others hold than the settings of ``former``.

    ``was_well`` is how the terminal was before.
    """

    former: Active
    was_well: bool
    begun: float

    def verdict(self, now: float, *, well: bool) -> Verdict:
        """Judge at ``now``; ``well`` is how the terminal is with the rules that it has taken."""
        if now < self.begun + SETTLE_S:
            return Verdict.OPEN
        if well:
            return Verdict.KEEP
        if now < self.begun + TRIAL_S:
            return Verdict.OPEN
        return Verdict.BACK if self.was_well else Verdict.KEEP
