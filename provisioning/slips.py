"""Slips of the pen in a draft that every terminal would read without complaint.

Some can never be meant and are refused: a card of a kind that is not read, or with a number that
no card of its kind can have, would stay unknown at every wall. Others can be meant, such as a
permit for a group that is still empty: they are objections, and need a second yes.
"""

from collections.abc import Iterator, Mapping

from terminal.core.rules import Rules
from terminal.wire.documents import PROFILES, ROSTER
from terminal.wire.strict_json import Malformed
from terminal.wire.x509 import CARD_ID

PIV = "piv-cak"
_LONGEST_SHOWN = 40


def refuse_cards_that_cannot_be(rules: Rules, kinds: Mapping[str, str]) -> None:
    """Look at every card of the roster; ``kinds`` has the kind of each card profile.

    Raises:
        Malformed: no card can be what is written there; place is the holder, with the remedy.
    """
    for (profile, card), entry in rules.roster.entries.items():
        place = f"{ROSTER} holder {entry.holder.id}"
        if profile not in kinds:
            known = ", ".join(sorted(kinds))
            reason = f"card profile {profile!r} is not in {PROFILES}; there is: {known}"
            raise Malformed(place, reason)
        if kinds[profile] == PIV and CARD_ID.fullmatch(card) is None:
            shown = card if len(card) <= _LONGEST_SHOWN else f"{card[:_LONGEST_SHOWN]}..."
            reason = (
                f"card id {shown!r} has {len(card)} characters; a card of {profile} has a number "
                "of 32 digits out of 0-9 and a-f: copy the one that ./kazasu town card tells"
            )
            raise Malformed(place, reason)


def permits_for_nobody(rules: Rules) -> Iterator[str]:
    """One objection for each holder and each group that has permits and is not in the roster.

    An empty roster is an objection of its own; nothing is said here then.
    """
    holders = {entry.holder.id: entry.holder for entry in rules.roster.entries.values()}
    if not holders:
        return
    groups = {group for holder in holders.values() for group in holder.groups}
    permits = rules.permits
    for one in sorted({permit.holder for permit in permits if permit.holder} - holders.keys()):
        yield f"there is a permit for holder {one}, but nobody with a card has this id"
    for one in sorted({permit.group for permit in permits if permit.group} - groups):
        yield f"there is a permit for group {one}, but nobody with a card is in it"
