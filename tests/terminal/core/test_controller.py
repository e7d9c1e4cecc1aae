"""What follows from each event. Tests speak in events and read the effects, in order."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from terminal.core import events
from terminal.core.controller import ARMS, QUIET, step
from terminal.core.credential import Unreadable
from terminal.core.effects import (
    CancelTimer,
    Indicate,
    Record,
    ReleaseStrike,
    Show,
)
from terminal.core.events import Event
from terminal.core.reasons import Alarm, Note, Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.core.rules import TerminalSettings, no_rules
from terminal.core.signals import Signal
from terminal.core.state import State, recall
from tests.terminal.core import scene
from tests.terminal.core.wall import NOW, Wall


def test_there_is_an_arm_for_every_event_and_no_other() -> None:
    assert set(ARMS) == set(get_args(Event))


# --- starting


def test_a_start_releases_nothing_and_notes_itself() -> None:
    wall = Wall(ready=False)
    assert wall.shown == "starting"
    assert wall.signal is Signal.QUIET
    assert not any(isinstance(effect, ReleaseStrike) for effect in wall.effects)
    wall.on(events.TimerDue(NOW, "notes"))
    assert [entry.reason for entry in wall.recorded] == [Note.STARTED]


def test_a_start_without_rules_is_an_alarm() -> None:
    assert Wall(no_rules("t-1"), ready=False).alarms[Alarm.NO_RULES] is True
    assert Wall(ready=False).alarms[Alarm.NO_RULES] is False


def test_once_the_reader_is_there_the_terminal_is_idle() -> None:
    wall = Wall(ready=False).on(events.ReaderBack(NOW))
    assert wall.shown == "idle"
    assert wall.state.ready
    assert [entry.reason for entry in wall.state.unwritten] == [Note.STARTED]


# --- a tap at a door


def test_a_granted_tap_records_first_then_releases_then_tells() -> None:
    wall = Wall().tap()
    order = [type(effect) for effect in wall.effects[:4]]
    assert order == [Record, ReleaseStrike, Indicate, Show]
    assert wall.effects[1] == ReleaseStrike("archive", 3000)
    assert wall.signal is Signal.DONE
    entry = wall.recorded[0]
    assert entry.kind is RecordKind.ACCESS
    assert entry.result is Result.GRANTED
    assert entry.holder == "h-suzuki"
    assert entry.purpose == "archive-access"
    assert entry.publication == 7


def test_a_refused_tap_records_and_tells_but_releases_nothing() -> None:
    wall = Wall().tap("sato-card")
    assert not any(isinstance(effect, ReleaseStrike) for effect in wall.effects)
    assert wall.recorded[0].reason is Reason.NO_PERMIT
    assert wall.signal is Signal.REFUSED
    assert wall.shown == "no_permit"


def test_an_unknown_card_s_record_names_nobody() -> None:
    entry = Wall().tap("a-stranger").recorded[0]
    assert entry.holder is None
    assert entry.result is Result.DENIED


def test_the_record_s_time_is_when_the_card_was_first_seen() -> None:
    wall = Wall()
    read = events.CardRead(wall.after(seconds=2), NOW, scene.card())
    assert wall.on(events.CardSeen(NOW), read).recorded[0].stamp == NOW


@pytest.mark.parametrize("reason", Unreadable)
def test_every_unreadable_card_is_one_record_with_signal_and_screen(reason: Unreadable) -> None:
    wall = Wall().on(events.CardSeen(NOW), events.CardUnreadable(NOW, NOW, reason))
    entry = wall.recorded[0]
    assert entry.result is Result.UNREADABLE
    assert entry.reason == reason.value
    assert entry.purpose == "archive-access"
    assert wall.signal in {Signal.AGAIN, Signal.REFUSED}
    assert wall.shown is not None
    assert not any(isinstance(effect, ReleaseStrike) for effect in wall.effects)


def test_before_the_first_publication_a_card_is_not_to_blame() -> None:
    wall = Wall(no_rules("t-1"))
    wall.on(events.CardSeen(NOW), events.CardUnreadable(NOW, NOW, Unreadable.NO_APPLICATION))
    assert wall.recorded[0].reason is Reason.NO_RULES
    assert wall.shown == "no_rules"
    wall.tap()
    assert wall.recorded[0].kind is RecordKind.TAP
    assert wall.recorded[0].reason is Reason.NO_RULES


def test_a_pressed_button_survives_a_publication_that_still_has_it() -> None:
    wall = Wall().button(3).on(events.RulesActivated(NOW, scene.rules(publication=8)))
    assert wall.tap().recorded[0].punch is Punch.AWAY
    fewer = scene.rules(settings=replace(scene.rules().settings, buttons=(Punch.IN,)))
    wall = Wall().button(3).on(events.RulesActivated(NOW, fewer))
    assert CancelTimer("choice") in wall.effects
    assert wall.state.chosen is None


# --- attendance


def test_a_button_makes_the_next_tap_a_punch_and_ends_with_it() -> None:
    wall = Wall().button(2)
    assert wall.shown == "idle_chosen"
    assert wall.timers["choice"] == 8000
    wall.tap()
    assert wall.recorded[0].punch is Punch.OUT
    assert wall.recorded[0].purpose == "attendance"
    assert wall.state.chosen is None
    assert CancelTimer("choice") in wall.effects


def test_a_button_s_choice_ends_after_eight_seconds() -> None:
    wall = Wall().button(1).on(events.TimerDue(NOW, "choice"))
    assert wall.state.chosen is None
    assert wall.shown == "idle"


def test_a_button_that_means_nothing_changes_nothing() -> None:
    wall = Wall()
    before = wall.state
    assert wall.button(5).state == before
    assert wall.button(0).effects == ()


def test_a_button_during_a_fault_is_kept_for_the_tap_but_does_not_hide_the_fault() -> None:
    wall = Wall().on(events.ReaderLost(NOW)).button(1)
    assert wall.shown is None
    assert wall.state.chosen is Punch.IN


def test_a_terminal_for_attendance_punches_without_a_button() -> None:
    wall = Wall(scene.attendance_rules()).tap()
    assert wall.recorded[0].punch is Punch.IN
    assert wall.recorded[0].result is Result.GRANTED
    assert not any(isinstance(effect, ReleaseStrike) for effect in wall.effects)


def test_a_second_tap_within_the_guard_is_a_duplicate_that_shows_the_first_time() -> None:
    wall = Wall(scene.attendance_rules()).tap()
    first = wall.state
    wall.tap(at=wall.after(minutes=1))
    assert wall.recorded[0].result is Result.DUPLICATE
    assert wall.shown == "already_punched"
    assert wall.state.punches == first.punches


def test_a_refused_punch_is_recorded_as_denied() -> None:
    wall = Wall(scene.attendance_rules()).tap("a-stranger")
    assert wall.recorded[0].result is Result.DENIED
    assert wall.recorded[0].kind is RecordKind.ATTENDANCE


def test_a_door_terminal_that_lost_its_portal_still_takes_attendance() -> None:
    rules = scene.rules(settings=TerminalSettings("t-archive", portal="gone"))
    assert Wall(rules).tap().recorded[0].kind is RecordKind.ATTENDANCE
    nowhere = scene.rules(settings=TerminalSettings("t-archive", portal=None))
    wall = Wall(nowhere).on(events.CardUnreadable(NOW, NOW, Unreadable.TORN))
    assert wall.recorded[0].purpose == "attendance"


# --- while the card lies there


def test_there_is_no_sound_and_no_screen_before_300_ms() -> None:
    wall = Wall().on(events.CardSeen(NOW))
    assert wall.signal is None
    assert wall.shown is None
    assert wall.timers["reading"] == 300
    assert wall.on(events.TimerDue(NOW, "reading")).shown == "reading"


def test_reading_is_not_shown_for_a_card_that_has_gone() -> None:
    wall = Wall().on(events.CardSeen(NOW), events.CardTaken(NOW))
    assert wall.on(events.TimerDue(NOW, "reading")).effects == ()


def test_a_result_gives_way_to_the_next_card_at_once() -> None:
    wall = Wall().tap().on(events.CardTaken(NOW), events.CardSeen(NOW))
    assert wall.shown == "reading"
    assert wall.signal is Signal.QUIET


def test_a_result_ends_after_three_seconds_and_a_refusal_stays_longer() -> None:
    wall = Wall().tap()
    assert wall.timers["result"] == 3000
    assert Wall().tap("sato-card").timers["result"] == 6000
    assert wall.on(events.TimerDue(NOW, "result")).shown == "idle"


def test_a_card_left_lying_is_told_after_five_seconds() -> None:
    wall = Wall().tap()
    assert wall.timers["card-left"] == 5000
    wall.on(events.TimerDue(NOW, "card-left"))
    assert wall.shown == "card_left"
    assert wall.signal is Signal.CARD_LEFT
    wall = wall.on(events.CardTaken(NOW))
    assert wall.shown == "idle"
    assert wall.signal is Signal.QUIET


def test_a_card_taken_in_time_is_not_reminded_of() -> None:
    wall = Wall().tap().on(events.CardTaken(NOW))
    assert CancelTimer("card-left") in wall.effects
    assert wall.on(events.TimerDue(NOW, "card-left")).effects == ()


def test_a_card_that_left_before_its_verdict_sets_no_reminder() -> None:
    wall = Wall().on(events.CardUnreadable(NOW, NOW, Unreadable.TORN))
    assert "card-left" not in wall.timers


# --- a commit that fails


def test_a_tap_that_cannot_be_recorded_is_told_so_and_alarmed() -> None:
    wall = Wall().tap().record_fails()
    assert wall.signal is Signal.CANNOT_RECORD
    assert wall.shown == "cannot_record_access"
    assert wall.alarms[Alarm.CANNOT_RECORD] is True
    assert not any(isinstance(effect, ReleaseStrike | Record) for effect in wall.effects)


def test_the_alarm_ends_with_the_next_record() -> None:
    wall = Wall().tap().record_fails().tap()
    assert wall.alarms[Alarm.CANNOT_RECORD] is False


# --- leaving


def test_an_exit_request_releases_before_it_records() -> None:
    wall = Wall().on(events.ExitRequested(NOW))
    assert isinstance(wall.effects[0], ReleaseStrike)
    assert isinstance(wall.effects[1], Record)
    assert wall.recorded[0].reason is Note.EXIT_REQUESTED


def test_a_terminal_without_a_door_has_no_exit() -> None:
    nowhere = scene.rules(settings=TerminalSettings("t-archive", portal=None))
    assert Wall(nowhere).on(events.ExitRequested(NOW)).effects == ()


def test_an_exit_that_could_not_be_recorded_is_written_later() -> None:
    wall = Wall().on(events.ExitRequested(NOW))
    gone = wall.recorded
    wall.record_fails()
    assert wall.signal is None
    assert wall.on(events.TimerDue(NOW, "notes")).recorded == gone


# --- devices, reader, link


def test_a_lost_reader_sends_people_next_door_until_it_is_back() -> None:
    wall = Wall().on(events.ReaderLost(NOW, "unplugged"))
    assert wall.shown == "out_of_order"
    assert wall.alarms[Alarm.READER_LOST] is True
    assert wall.on(events.TimerDue(NOW, "result")).shown is None
    wall.on(events.ReaderBack(NOW))
    assert wall.shown == "idle"
    assert [entry.reason for entry in wall.state.unwritten] == [Note.READER_LOST, Note.READER_BACK]


def test_a_mute_card_on_the_reader_is_to_be_taken_away() -> None:
    wall = Wall().on(events.CardSeen(NOW), events.ReaderBlocked(NOW))
    assert wall.shown == "reader_blocked"
    assert wall.on(events.TimerDue(NOW, "card-left")).effects == ()
    wall.on(events.CardTaken(NOW))
    assert wall.shown == "idle"
    assert wall.alarms[Alarm.READER_BLOCKED] is False


def test_a_failing_device_is_noted_once_and_ends_when_it_works_again() -> None:
    wall = Wall().on(events.DeviceFailed(NOW, "display", "errno 121"))
    assert wall.alarms[Alarm.DEVICE_FAILED] is True
    assert wall.on(events.DeviceFailed(NOW, "display")).effects == ()
    wall.on(events.DeviceBack(NOW, "display"))
    assert wall.alarms[Alarm.DEVICE_FAILED] is False
    assert wall.on(events.DeviceBack(NOW, "display")).effects == ()


def test_a_strike_that_fails_takes_back_what_the_screen_said_each_time() -> None:
    wall = Wall().tap()
    for _ in range(2):
        wall.on(events.DeviceFailed(NOW, "strike", "no answer"))
        assert wall.shown == "out_of_order"
        assert wall.signal is Signal.REFUSED


def test_one_of_two_failed_devices_coming_back_does_not_end_the_alarm() -> None:
    wall = Wall().on(events.DeviceFailed(NOW, "display"), events.DeviceFailed(NOW, "strike"))
    assert wall.on(events.DeviceBack(NOW, "strike")).alarms[Alarm.DEVICE_FAILED] is True


def test_the_link_shows_on_the_idle_screen_but_never_over_a_result() -> None:
    wall = Wall().on(events.LinkChanged(NOW, up=True))
    assert wall.shown == "idle"
    assert wall.tap().on(events.LinkChanged(NOW, up=False)).shown is None


def test_the_idle_screen_follows_the_seconds() -> None:
    wall = Wall().on(events.TimerDue(NOW, "second"))
    assert wall.shown == "idle"
    assert wall.timers["second"] == 1000


def test_the_clock_s_alarm_follows_its_quality() -> None:
    wall = Wall().on(events.TimerDue(scene.stamp(quality=scene.UNKNOWN), "second"))
    assert wall.alarms == {Alarm.CLOCK_UNKNOWN: True}
    assert wall.on(events.TimerDue(NOW, "second")).alarms == {Alarm.CLOCK_UNKNOWN: False}


# --- publications


def test_new_rules_take_effect_between_taps_and_are_noted() -> None:
    wall = Wall().on(events.RulesActivated(NOW, scene.rules(publication=8, permits=())))
    assert wall.state.unwritten[-1].detail == "8"
    assert wall.tap().recorded[0].reason is Reason.NO_PERMIT
    assert wall.recorded[0].publication == 8


def test_rights_taken_away_stay_taken_away_although_the_disk_is_full() -> None:
    wall = Wall().on(events.RulesActivated(NOW, scene.rules(publication=8, permits=())))
    wall.on(events.TimerDue(NOW, "notes")).record_fails()
    assert wall.tap().recorded[0].reason is Reason.NO_PERMIT


def test_a_refused_publication_is_noted_and_alarmed_until_one_is_taken() -> None:
    wall = Wall().on(events.PublicationRefused(NOW, "ROLLBACK", "snapshot"))
    assert wall.alarms[Alarm.PUBLICATION_REFUSED] is True
    assert wall.state.unwritten[-1].detail == "ROLLBACK snapshot"
    wall.on(events.RulesActivated(NOW, scene.rules(publication=8)))
    assert wall.alarms[Alarm.PUBLICATION_REFUSED] is False


def test_an_aged_publication_is_an_alarm_and_locks_nobody_out() -> None:
    wall = Wall().on(events.PublicationAged(NOW, stale=True))
    assert wall.alarms == {Alarm.PUBLICATION_STALE: True}
    assert wall.tap().recorded[0].result is Result.GRANTED


# --- what the network may try


@pytest.mark.parametrize(
    ("event", "alarm"),
    [
        (events.MessageDropped(NOW, "receipt", "not JSON"), Alarm.MALFORMED_MESSAGE),
        (events.ReceiptRefused(NOW, "unknown key"), Alarm.RECEIPT_REFUSED),
        (events.PublishRefused(NOW, "rec", 0x87), Alarm.PUBLISH_REFUSED),
    ],
)
def test_nonsense_from_the_network_is_an_alarm_that_ends_when_it_stays_quiet(
    event: Event, alarm: Alarm
) -> None:
    wall = Wall().on(event)
    assert wall.alarms == {alarm: True}
    assert list(wall.timers) == [f"{QUIET}{alarm}"]
    assert wall.on(events.TimerDue(NOW, f"{QUIET}{alarm}")).alarms == {alarm: False}


def test_a_record_that_cannot_be_read_any_more_is_declared_in_a_new_one() -> None:
    wall = Wall().on(events.RecordLost(NOW, 41, "ab12"), events.TimerDue(NOW, "notes"))
    assert wall.recorded[0].reason is Note.RECORD_UNREADABLE
    assert wall.recorded[0].detail == "41 ab12"


def test_a_filling_journal_is_an_alarm_from_seventy_percent_on() -> None:
    assert Wall().on(events.JournalFilling(NOW, 70)).alarms[Alarm.JOURNAL_FILLING] is True
    assert Wall().on(events.JournalFilling(NOW, 69)).alarms[Alarm.JOURNAL_FILLING] is False


# --- what outlives a restart


def test_the_journal_read_again_gives_the_same_punches_as_the_taps_did() -> None:
    wall = Wall(scene.attendance_rules())
    written: list[Entry] = []
    for number, hours in (("suzuki-card", 0), ("sato-card", 0), ("suzuki-card", 9)):
        wall.tap(number, at=wall.after(hours=hours))
        written.extend(wall.recorded)
    wall.tap(at=wall.after(hours=9, minutes=1))
    written.extend(wall.recorded)
    wall.tap("a-stranger")
    written.extend(wall.recorded)
    wall.on(events.TimerDue(NOW, "notes"))
    remembered = State(scene.attendance_rules())
    for entry in written:
        remembered = recall(remembered, entry)
    assert remembered.punches == wall.state.punches
    assert remembered.synced_at == wall.after(hours=9, minutes=1).at
    assert remembered.published == 7
    assert remembered.punches["h-suzuki"].punch is Punch.OUT


def test_a_record_of_an_unknown_time_vouches_for_none() -> None:
    wall = Wall().tap(at=scene.stamp(quality=scene.UNKNOWN, later=timedelta(days=900)))
    assert wall.recorded[0].result is Result.DENIED
    assert wall.state.synced_at == NOW.at


def test_the_same_state_and_event_give_the_same_effects() -> None:
    state = replace(Wall().state, card_present=True)
    event = events.CardRead(NOW, NOW, scene.card())
    assert step(state, event) == step(state, event)
