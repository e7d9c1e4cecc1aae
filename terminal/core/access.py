"""May this card pass this portal now? One pure question, answered with a reason.

The reasons are asked in a fixed order, from "who are you" to "may you, here, now", so that the
same situation always gives the same answer and the answer tells the person what to do next:
rules there at all, known card, card not stopped, holder's own validity, assurance, a permit for
this portal, the hours of it.

While the clock is unknown, an end is held against the floor (a time that has certainly passed), a
beginning is not enforced, and a permit limited in time is refused, because nobody can tell whether
its hours are now. A permit without limits holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from terminal.core.credential import Credential
from terminal.core.moment import Stamp
from terminal.core.reasons import Reason
from terminal.core.roster import CredentialState, Holder
from terminal.core.rules import TOWN_TIME, Permit, Portal, Rules
from terminal.core.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Decision:
    """Granted or denied, why, and the holder where the roster knows one."""

    granted: bool
    reason: Reason
    holder: Holder | None = None


def recognise(rules: Rules, credential: Credential, seen: Stamp) -> Decision:
    """Whose card is it, and is it in force? Shared by every use of the card.

    ``granted`` here means only "known and in force".
    """
    if rules.publication == 0:
        return Decision(granted=False, reason=Reason.NO_RULES)
    entry = rules.roster.find(credential)
    if entry is None:
        return Decision(granted=False, reason=Reason.UNKNOWN_CREDENTIAL)
    holder = entry.holder
    if entry.state is CredentialState.STOPPED:
        return Decision(granted=False, reason=Reason.CREDENTIAL_STOPPED, holder=holder)
    if holder.not_after is not None and seen.passed >= holder.not_after:
        return Decision(granted=False, reason=Reason.HOLDER_EXPIRED, holder=holder)
    too_early = holder.not_before is not None and seen.at < holder.not_before
    if too_early and seen.quality.known:
        return Decision(granted=False, reason=Reason.HOLDER_NOT_YET_VALID, holder=holder)
    return Decision(granted=True, reason=Reason.PERMITTED, holder=holder)


def decide(rules: Rules, credential: Credential, portal: Portal, seen: Stamp) -> Decision:
    """Whether the holder of ``credential`` may pass ``portal`` at the moment ``seen``."""
    known = recognise(rules, credential, seen)
    holder = known.holder
    if not known.granted or holder is None:
        return known
    if credential.assurance < portal.least:
        return Decision(granted=False, reason=Reason.ASSURANCE_TOO_LOW, holder=holder)
    reason = Reason.NO_PERMIT
    for permit, schedule in _permits(rules, holder, portal):
        verdict = _holds(permit, schedule, seen)
        if verdict is Reason.PERMITTED:
            return Decision(granted=True, reason=verdict, holder=holder)
        reason = verdict
    return Decision(granted=False, reason=reason, holder=holder)


def _permits(rules: Rules, holder: Holder, portal: Portal) -> Iterator[tuple[Permit, Schedule]]:
    for permit in rules.permits:
        for_holder = permit.holder is not None and permit.holder == holder.id
        for_group = permit.group is not None and permit.group in holder.groups
        if permit.portal == portal.id and (for_holder or for_group):
            yield permit, rules.schedules[permit.schedule]


def _holds(permit: Permit, schedule: Schedule, seen: Stamp) -> Reason:
    ended = permit.not_after is not None and seen.passed >= permit.not_after
    if ended:
        return Reason.OUTSIDE_SCHEDULE
    limited = (
        not schedule.unlimited or permit.not_before is not None or permit.not_after is not None
    )
    if limited and not seen.quality.known:
        return Reason.CLOCK_UNKNOWN
    if permit.not_before is not None and seen.at < permit.not_before:
        return Reason.OUTSIDE_SCHEDULE
    if not schedule.covers(seen.at, TOWN_TIME):
        return Reason.OUTSIDE_SCHEDULE
    return Reason.PERMITTED
