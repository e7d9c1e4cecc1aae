"""Which punch a tap is."""

from datetime import timedelta

from terminal.core.attendance import LastPunch, Verdict, decide
from terminal.core.credential import Assurance
from terminal.core.moment import Stamp
from terminal.core.reasons import Reason
from terminal.core.records import Punch
from terminal.core.rules import no_rules
from tests.terminal.core import scene

MORNING = scene.stamp()
RULES = scene.attendance_rules()


def tap(
    seen: Stamp = MORNING, *, last: LastPunch | None = None, chosen: Punch | None = None
) -> Verdict:
    punches = {"h-suzuki": last} if last is not None else {}
    return decide(RULES, scene.card(), seen, chosen, punches)


def after(hours: float) -> Stamp:
    return scene.stamp(later=timedelta(hours=hours))


def test_the_first_tap_of_a_day_is_in() -> None:
    verdict = tap()
    assert verdict.punch is Punch.IN
    assert verdict.reason is Reason.PUNCHED_IN
    assert verdict.holder == scene.SUZUKI


def test_the_next_one_is_out() -> None:
    assert tap(after(9), last=LastPunch(Punch.IN, MORNING)).punch is Punch.OUT


def test_after_out_it_is_out_again_because_the_last_one_counts() -> None:
    assert tap(after(1), last=LastPunch(Punch.OUT, MORNING)).punch is Punch.OUT


def test_who_went_away_comes_back() -> None:
    verdict = tap(after(1), last=LastPunch(Punch.AWAY, MORNING))
    assert verdict.punch is Punch.BACK
    assert verdict.reason is Reason.PUNCHED_BACK


def test_who_forgot_to_punch_out_is_in_again_the_next_morning() -> None:
    assert tap(after(24), last=LastPunch(Punch.IN, MORNING)).punch is Punch.IN


def test_an_hour_after_midnight_still_belongs_to_the_day_before() -> None:
    one_in_the_morning = after(16.6)
    assert tap(one_in_the_morning, last=LastPunch(Punch.IN, MORNING)).punch is Punch.OUT


def test_a_button_decides_before_anything_else() -> None:
    verdict = tap(chosen=Punch.AWAY)
    assert verdict.punch is Punch.AWAY
    assert verdict.reason is Reason.PUNCHED_AWAY


def test_another_button_right_after_is_no_duplicate() -> None:
    in_error = LastPunch(Punch.IN, MORNING)
    verdict = tap(scene.stamp(later=timedelta(seconds=5)), last=in_error, chosen=Punch.OUT)
    assert verdict.reason is Reason.PUNCHED_OUT


def test_the_same_card_again_within_five_minutes_is_a_duplicate_of_the_first() -> None:
    first = LastPunch(Punch.IN, MORNING)
    verdict = tap(scene.stamp(later=timedelta(seconds=299)), last=first)
    assert verdict.reason is Reason.ALREADY_PUNCHED
    assert verdict.repeats == first
    assert verdict.punch is Punch.IN


def test_the_same_button_again_is_a_duplicate_too() -> None:
    first = LastPunch(Punch.OUT, MORNING)
    verdict = tap(scene.stamp(later=timedelta(seconds=3)), last=first, chosen=Punch.OUT)
    assert verdict.reason is Reason.ALREADY_PUNCHED


def test_five_minutes_later_it_is_a_punch_of_its_own() -> None:
    verdict = tap(scene.stamp(later=timedelta(minutes=5)), last=LastPunch(Punch.IN, MORNING))
    assert verdict.reason is Reason.PUNCHED_OUT


def test_a_stepped_wall_clock_does_not_fool_the_guard_within_one_boot() -> None:
    first = LastPunch(Punch.IN, MORNING)
    stepped = Stamp(MORNING.at + timedelta(hours=3), "boot-a", MORNING.mono_ms + 2000, scene.SYNCED)
    assert tap(stepped, last=first).reason is Reason.ALREADY_PUNCHED


def test_after_a_restart_the_guard_goes_by_wall_time() -> None:
    first = LastPunch(Punch.IN, MORNING)
    soon = scene.stamp(later=timedelta(minutes=1), boot="boot-b")
    earlier = scene.stamp(later=-timedelta(minutes=1), boot="boot-b")
    assert tap(soon, last=first).reason is Reason.ALREADY_PUNCHED
    assert tap(earlier, last=first).reason is Reason.PUNCHED_OUT


def test_two_unknown_times_across_a_restart_are_never_a_duplicate() -> None:
    unknown = scene.stamp(quality=scene.UNKNOWN)
    evening = scene.stamp(boot="boot-b", quality=scene.UNKNOWN)
    assert tap(evening, last=LastPunch(Punch.IN, unknown)).reason is Reason.PUNCHED_OUT
    assert tap(evening, last=LastPunch(Punch.IN, MORNING)).reason is Reason.PUNCHED_OUT


def test_attendance_is_accepted_while_the_clock_is_unknown() -> None:
    assert tap(scene.stamp(quality=scene.UNKNOWN)).reason is Reason.PUNCHED_IN


def test_an_unknown_card_punches_nothing() -> None:
    verdict = decide(RULES, scene.card("a-stranger"), MORNING, None, {})
    assert verdict == Verdict(Reason.UNKNOWN_CREDENTIAL)


def test_before_the_first_publication_nothing_is_punched() -> None:
    verdict = decide(no_rules("t-1"), scene.card(), MORNING, None, {})
    assert verdict.reason is Reason.NO_RULES


def test_a_copyable_number_punches_only_where_the_town_accepts_it() -> None:
    copied = scene.card(assurance=Assurance.IDENTIFIED)
    verdict = decide(RULES, copied, MORNING, None, {})
    assert verdict.reason is Reason.ASSURANCE_TOO_LOW
    assert verdict.punch is None
