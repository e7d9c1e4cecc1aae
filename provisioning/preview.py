"""What a publication would change, for the people who sign it: who gains, who loses.

Compared is what holders reach (portal and schedule, with an active card), not how the files are
written: a permit moved from a person to a group that holds the person changes nothing here.
``objections`` names what is more likely a mistake than a wish; such a publication needs a second
yes. On 31 March a quarter of a town hall changes its desk: that much is no objection.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioning.slips import permits_for_nobody
from terminal.core.roster import CredentialState, Holder
from terminal.core.rules import Rules
from terminal.wire.documents import TERMINALS, TEXTS, document

MOST_LEAVERS = 0.5
FEWEST_TO_JUDGE = 4
EVERYONE_FROM = 2

Reach = tuple[str, str]
"""A portal's id and the id of the schedule in which it opens."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one holder gains and loses; ``name`` is for the signers' eyes only."""

    holder: str
    name: str
    gains: tuple[Reach, ...]
    loses: tuple[Reach, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """All differences to the publication in force, and the objections to the new one."""

    number: int
    changes: tuple[Change, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]
    texts: tuple[str, ...]
    terminals: tuple[str, ...]
    objections: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The same as plain values."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """The same for a person, one line each."""
        lines = [f"publication {self.number}"]
        lines += [f"  joins  {name}" for name in self.joined]
        lines += [f"  leaves {name}" for name in self.left]
        for change in self.changes:
            lines += [f"  {change.name} gains {where} ({when})" for where, when in change.gains]
            lines += [f"  {change.name} loses {where} ({when})" for where, when in change.loses]
        lines += [f"  text {key} changes" for key in self.texts]
        lines += [f"  terminal {terminal} gets other settings" for terminal in self.terminals]
        if len(lines) == 1:
            lines.append("  nothing changes but its number and date")
        return lines + [f"  CAUTION: {objection}" for objection in self.objections]


def preview(
    before: Mapping[str, bytes] | None,
    after: Mapping[str, bytes],
    rules_before: Rules | None,
    rules_after: Rules,
) -> Preview:
    """Compare two publications' documents and their rules for any one terminal of each."""
    people_before = _people(rules_before)
    people_after = _people(rules_after)
    reach_before, reach_after = _reach(rules_before), _reach(rules_after)
    changes = []
    for holder in sorted(reach_before.keys() | reach_after.keys()):
        had, has = reach_before.get(holder, set()), reach_after.get(holder, set())
        if had != has:
            person = people_after.get(holder) or people_before[holder]
            gains, loses = tuple(sorted(has - had)), tuple(sorted(had - has))
            changes.append(Change(holder, _called(person), gains, loses))
    return Preview(
        number=rules_after.publication,
        changes=tuple(changes),
        joined=_names(people_after, people_after.keys() - people_before.keys()),
        left=_names(people_before, people_before.keys() - people_after.keys()),
        texts=tuple(_changed(_texts(before), _texts(after))),
        terminals=tuple(_changed(_terminals(before), _terminals(after))),
        objections=tuple(_objections(people_before, people_after, rules_after)),
    )


def _objections(
    before: Mapping[str, Holder], after: Mapping[str, Holder], rules: Rules
) -> Iterable[str]:
    if not after:
        yield "nobody is in the roster: every card would be unknown at every wall"
    if rules.portals and not rules.permits:
        yield "there is not one permit: nobody would get in anywhere"
    left = len(before.keys() - after.keys())
    if len(before) >= FEWEST_TO_JUDGE and left > len(before) * MOST_LEAVERS:
        yield f"{left} of {len(before)} people would leave the roster at once"
    if len(after) >= EVERYONE_FROM and _open_to_all(rules, after):
        yield "everybody would get in everywhere at every hour"
    yield from permits_for_nobody(rules)


def _open_to_all(rules: Rules, people: Iterable[str]) -> bool:
    """Whether every one of these people opens every portal at every hour."""
    unlimited = {schedule.id for schedule in rules.schedules.values() if schedule.unlimited}
    reach = _reach(rules)
    return bool(rules.portals) and all(
        {portal for portal, when in reach.get(holder, set()) if when in unlimited}
        == set(rules.portals)
        for holder in people
    )


def _people(rules: Rules | None) -> dict[str, Holder]:
    if rules is None:
        return {}
    return {entry.holder.id: entry.holder for entry in rules.roster.entries.values()}


def _reach(rules: Rules | None) -> dict[str, set[Reach]]:
    """What each holder with at least one active card can open."""
    reach: dict[str, set[Reach]] = {}
    if rules is None:
        return reach
    for entry in rules.roster.entries.values():
        if entry.state is CredentialState.ACTIVE:
            reach[entry.holder.id] = {
                (permit.portal, permit.schedule)
                for permit in rules.permits
                if permit.holder == entry.holder.id or permit.group in entry.holder.groups
            }
    return reach


def _texts(documents: Mapping[str, bytes] | None) -> dict[str, object]:
    if documents is None:
        return {}
    found: dict[str, object] = {}
    with document(documents, TEXTS) as fields:
        for language in ("ja", "en"):
            own = fields.raw(language)
            if isinstance(own, dict):
                found |= {f"{language}.{key}": lines for key, lines in own.items()}
    return found


def _terminals(documents: Mapping[str, bytes] | None) -> dict[str, object]:
    if documents is None:
        return {}
    with document(documents, TERMINALS) as fields:
        found = fields.need("terminals")
    return found if isinstance(found, dict) else {}


def _changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def _names(people: Mapping[str, Holder], ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(_called(people[one]) for one in sorted(ids))


def _called(holder: Holder) -> str:
    return f"{holder.name} ({holder.id})" if holder.name else holder.id
