"""Who may enter the archive, and why not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from terminal.core.access import decide
from terminal.core.credential import Assurance
from terminal.core.moment import Stamp
from terminal.core.reasons import Reason
from terminal.core.roster import CredentialState, Holder
from terminal.core.rules import Permit, Rules, no_rules
from tests.terminal.core import scene

NOW = scene.stamp()
EVENING = scene.stamp(later=timedelta(hours=12))
BLIND = scene.stamp(quality=scene.UNKNOWN)


def ask(rules: Rules, seen: Stamp = NOW, number: str = "suzuki-card") -> Reason:
    decision = decide(rules, scene.card(number), scene.ARCHIVE, seen)
    assert decision.granted == (decision.reason is Reason.PERMITTED)
    return decision.reason


def with_permit(**fields: object) -> Rules:
    plain: dict[str, object] = {"portal": "archive", "schedule": "always", "holder": "h-suzuki"}
    return scene.rules(permits=(Permit(**(plain | fields)),))  # type: ignore[arg-type]


def with_suzuki(**fields: object) -> Rules:
    suzuki: Holder = replace(scene.SUZUKI, **fields)  # type: ignore[arg-type]
    return scene.rules(roster=scene.roster(suzuki=suzuki))


def test_a_permitted_holder_enters_in_office_hours() -> None:
    decision = decide(scene.rules(), scene.card(), scene.ARCHIVE, NOW)
    assert decision.granted
    assert decision.holder == scene.SUZUKI


def test_before_the_first_publication_nobody_enters() -> None:
    assert ask(no_rules("t-archive")) is Reason.NO_RULES


def test_a_card_that_verifies_but_is_on_no_roster_opens_nothing() -> None:
    assert ask(scene.rules(), number="a-stranger") is Reason.UNKNOWN_CREDENTIAL


def test_a_stopped_card_is_refused_although_its_holder_has_a_permit() -> None:
    stopped = scene.rules(roster=scene.roster(state=CredentialState.STOPPED))
    assert ask(stopped) is Reason.CREDENTIAL_STOPPED


def test_a_holder_without_permit_is_refused() -> None:
    assert ask(scene.rules(), number="sato-card") is Reason.NO_PERMIT


def test_a_permit_for_another_door_does_not_open_this_one() -> None:
    assert ask(with_permit(portal="server-room")) is Reason.NO_PERMIT


def test_a_permit_for_a_group_holds_for_its_members_only() -> None:
    rules = with_permit(holder=None, group="tax")
    assert ask(rules) is Reason.PERMITTED
    assert ask(rules, number="sato-card") is Reason.NO_PERMIT


def test_a_permit_for_nobody_is_for_nobody() -> None:
    assert ask(with_permit(holder=None, group=None)) is Reason.NO_PERMIT


def test_outside_the_hours_the_answer_says_so() -> None:
    assert ask(scene.rules(), EVENING) is Reason.OUTSIDE_SCHEDULE


def test_one_of_several_permits_is_enough() -> None:
    rules = scene.rules()
    everything = (*rules.permits, Permit("archive", "always", group="tax"))
    assert ask(replace(rules, permits=everything), EVENING) is Reason.PERMITTED


def test_a_permit_counts_from_its_first_instant_up_to_but_not_including_its_last() -> None:
    from_now = with_permit(not_before=NOW.at)
    until_now = with_permit(not_after=NOW.at)
    moment = timedelta(milliseconds=1)
    assert ask(from_now) is Reason.PERMITTED
    assert ask(from_now, scene.stamp(later=-moment)) is Reason.OUTSIDE_SCHEDULE
    assert ask(until_now) is Reason.OUTSIDE_SCHEDULE
    assert ask(until_now, scene.stamp(later=-moment)) is Reason.PERMITTED


def test_a_leaver_is_refused_from_the_end_on() -> None:
    leaver = with_suzuki(not_after=NOW.at)
    assert ask(leaver) is Reason.HOLDER_EXPIRED
    assert ask(leaver, scene.stamp(later=-timedelta(milliseconds=1))) is Reason.PERMITTED


def test_a_newcomer_is_refused_before_the_first_day() -> None:
    newcomer = with_suzuki(not_before=NOW.at + timedelta(days=1))
    assert ask(newcomer) is Reason.HOLDER_NOT_YET_VALID


def test_a_number_that_can_be_copied_does_not_open_a_door_that_wants_a_signature() -> None:
    copied = scene.card(assurance=Assurance.IDENTIFIED)
    decision = decide(scene.rules(), copied, scene.ARCHIVE, NOW)
    assert decision.reason is Reason.ASSURANCE_TOO_LOW


def test_with_an_unknown_clock_a_permit_with_hours_is_refused_and_one_without_holds() -> None:
    assert ask(scene.rules(), BLIND) is Reason.CLOCK_UNKNOWN
    assert ask(with_permit(), BLIND) is Reason.PERMITTED


def test_with_an_unknown_clock_a_dated_permit_is_refused() -> None:
    tomorrow = NOW.at + timedelta(days=1)
    assert ask(with_permit(not_after=tomorrow), BLIND) is Reason.CLOCK_UNKNOWN
    assert ask(with_permit(not_before=NOW.at), BLIND) is Reason.CLOCK_UNKNOWN


def test_with_an_unknown_clock_what_the_floor_has_passed_has_ended() -> None:
    assert ask(with_permit(not_after=NOW.at), BLIND) is Reason.OUTSIDE_SCHEDULE
    assert ask(with_suzuki(not_after=NOW.at), BLIND) is Reason.HOLDER_EXPIRED


def test_an_unknown_clock_far_ahead_ends_nothing_that_the_floor_has_not_passed() -> None:
    ahead = scene.stamp(later=timedelta(days=5000), quality=scene.UNKNOWN, floor=NOW.at)
    month = NOW.at + timedelta(days=30)
    leaver = replace(with_suzuki(not_after=month), permits=with_permit().permits)
    assert ask(leaver, ahead) is Reason.PERMITTED
    assert ask(with_permit(not_after=month), ahead) is Reason.CLOCK_UNKNOWN


def test_with_an_unknown_clock_a_beginning_is_not_enforced() -> None:
    newcomer = with_suzuki(not_before=NOW.at + timedelta(days=1))
    unlimited = replace(newcomer, permits=(Permit("archive", "always", holder="h-suzuki"),))
    assert ask(unlimited, BLIND) is Reason.PERMITTED


@pytest.mark.parametrize("number", ["suzuki-card", "sato-card", "a-stranger"])
def test_a_refusal_never_grants(number: str) -> None:
    decision = decide(scene.rules(permits=()), scene.card(number), scene.ARCHIVE, NOW)
    assert not decision.granted
