"""``step``: the one function that joins what happens to what is done.

Every event type has one arm: ``(state, event) -> (state, effects)``. The arms of a tap live in
``taps``, because a tap is the one thing with a story; everything else is here.

What the display shows between events is the word ``state.showing``: only "idle" is redrawn each
second, an outcome gives way after some seconds or at once to the next card, a fault stays until
it ends.

A tap's entry never waits: it is written before the person is told anything, or they are told that
it could not be. What the terminal notes about itself may wait: see ``notes``.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from terminal.core import events, notes, taps
from terminal.core.effects import (
    CancelTimer,
    Effect,
    Indicate,
    Record,
    ReleaseStrike,
    SetAlarm,
    SetTimer,
    Show,
)
from terminal.core.events import Event
from terminal.core.feedback import notice_screen
from terminal.core.moment import Stamp
from terminal.core.notes import note
from terminal.core.reasons import Alarm, Note, Result
from terminal.core.records import Entry, RecordKind
from terminal.core.signals import Signal
from terminal.core.state import State

CHOICE_MS = 8_000
NOTES_RETRY_MS = 60_000
STRIKE = "strike"
QUIET = "quiet:"
QUIET_MS = 600_000
FILLING_PERCENT = 70
EXIT_PURPOSE = "exit"

Step = tuple[State, tuple[Effect, ...]]


def step(state: State, event: Event) -> Step:
    """The state after ``event`` and the effects to perform, in order."""
    return ARMS[type(event)](state, event)


def _started(state: State, event: events.Started) -> Step:
    state = replace(state, showing="starting", clock_known=event.stamp.quality.known)
    state = note(state, event.stamp, Note.STARTED)
    return state, (
        Indicate(Signal.QUIET),
        Show(notice_screen("starting", state.rules)),
        SetAlarm(Alarm.NO_RULES, on=state.rules.publication == 0),
        SetAlarm(Alarm.CLOCK_UNKNOWN, on=not state.clock_known),
        SetTimer("notes", 0),
        SetTimer("second", 1000 - event.stamp.at_ms % 1000),
    )


def _timer_due(state: State, event: events.TimerDue) -> Step:
    if event.timer == "second":
        return _second(state, event.stamp)
    if event.timer == "reading":
        return taps.reading(state)
    if event.timer == "card-left":
        return taps.card_left(state)
    if event.timer == "result":
        return _rest(state, event.stamp)
    if event.timer == "choice":
        return _rest(replace(state, chosen=None), event.stamp)
    if event.timer == "notes":
        return notes.write(state)
    # What is left are alarms without an end of their own: they end by staying quiet.
    return state, (SetAlarm(Alarm(event.timer.removeprefix(QUIET)), on=False),)


def _second(state: State, stamp: Stamp) -> Step:
    effects: tuple[Effect, ...] = (SetTimer("second", 1000 - stamp.at_ms % 1000),)
    if stamp.quality.known is not state.clock_known:
        state = replace(state, clock_known=stamp.quality.known)
        effects = (*effects, SetAlarm(Alarm.CLOCK_UNKNOWN, on=not state.clock_known))
    return _redraw(state, stamp, effects)


def _button_pressed(state: State, event: events.ButtonPressed) -> Step:
    buttons = state.rules.settings.buttons
    if not 1 <= event.button <= len(buttons):
        return state, ()
    state = replace(state, chosen=buttons[event.button - 1])
    choice = SetTimer("choice", CHOICE_MS)
    if not state.ready:
        return state, (choice,)
    return _rest(state, event.stamp, (choice, CancelTimer("result")))


def _exit_requested(state: State, event: events.ExitRequested) -> Step:
    portal = state.portal
    if portal is None:
        return state, ()
    entry = Entry(
        kind=RecordKind.ACCESS,
        result=Result.NOTED,
        reason=Note.EXIT_REQUESTED,
        stamp=event.stamp,
        purpose=EXIT_PURPOSE,
        publication=state.rules.publication,
        portal=portal.id,
    )
    # Leaving must never wait for a disk: release first, record after.
    return state, (ReleaseStrike(portal.id, portal.strike_ms), Record((entry,)))


def _record_failed(state: State, event: events.RecordFailed) -> Step:
    # The portal's policy is "deny": nobody passes unrecorded.
    state = replace(state, cannot_record=True)
    alarm = SetAlarm(Alarm.CANNOT_RECORD, on=True, detail=event.detail)
    noted = tuple(entry for entry in event.entries if entry.result is Result.NOTED)
    if noted:
        # Nobody waits for these (an exit has opened already); written when the disk allows. Those
        # that waited before still do: the state that had let them go was dropped.
        state = notes.wait(state, tuple(one for one in noted if one not in state.unwritten))
        return state, (alarm, SetTimer("notes", NOTES_RETRY_MS))
    state = replace(state, showing="outcome", chosen=None)
    return state, (
        CancelTimer("reading"),
        CancelTimer("choice"),
        Indicate(Signal.CANNOT_RECORD),
        Show(notice_screen("cannot_record", state.rules)),
        alarm,
        SetTimer("result", taps.READ_ME_MS),
    )


def _reader_lost(state: State, event: events.ReaderLost) -> Step:
    state = replace(state, reader_ok=False, card_present=False, showing="fault")
    # The detail is a driver's text: for the alarm, never for a record.
    state = note(state, event.stamp, Note.READER_LOST)
    return state, (
        CancelTimer("reading"),
        CancelTimer("card-left"),
        CancelTimer("result"),
        Indicate(Signal.QUIET),
        Show(notice_screen("out_of_order", state.rules)),
        SetAlarm(Alarm.READER_LOST, on=True, detail=event.detail),
        SetTimer("notes", 0),
    )


def _reader_back(state: State, event: events.ReaderBack) -> Step:
    if state.showing != "starting":
        state = note(state, event.stamp, Note.READER_BACK)
    state = replace(state, reader_ok=True, reader_blocked=False)
    lost = SetAlarm(Alarm.READER_LOST, on=False)
    blocked = SetAlarm(Alarm.READER_BLOCKED, on=False)
    return _rest(state, event.stamp, (lost, blocked, SetTimer("notes", 0)))


def _card_taken(state: State, event: events.CardTaken) -> Step:
    state = replace(state, card_present=False)
    effects: tuple[Effect, ...] = (CancelTimer("reading"), CancelTimer("card-left"))
    if state.reader_blocked:
        state = replace(state, reader_blocked=False)
        unblocked = (Indicate(Signal.QUIET), SetAlarm(Alarm.READER_BLOCKED, on=False))
        return _rest(state, event.stamp, (*effects, *unblocked))
    if state.showing == "card-left":
        return _rest(state, event.stamp, (*effects, Indicate(Signal.QUIET)))
    return state, effects


def _reader_blocked(state: State, _event: events.ReaderBlocked) -> Step:
    state = replace(state, reader_blocked=True, showing="fault")
    return state, (
        CancelTimer("result"),
        CancelTimer("card-left"),
        Indicate(Signal.CARD_LEFT),
        Show(notice_screen("reader_blocked", state.rules)),
        SetAlarm(Alarm.READER_BLOCKED, on=True),
    )


def _device_failed(state: State, event: events.DeviceFailed) -> Step:
    told: tuple[Effect, ...] = ()
    if event.device == STRIKE:
        # The record and the screen said "enter", and the door stays shut.
        state = replace(state, showing="outcome")
        screen = notice_screen("out_of_order", state.rules)
        told = (Indicate(Signal.REFUSED), Show(screen), SetTimer("result", taps.READ_ME_MS))
    if event.device in state.failed_devices:
        return state, told
    state = replace(state, failed_devices=state.failed_devices | {event.device})
    # The detail is a driver's text, for the alarm only; the record names the device.
    state = note(state, event.stamp, Note.DEVICE_FAILED, event.device)
    alarm = SetAlarm(Alarm.DEVICE_FAILED, on=True, detail=f"{event.device}: {event.detail}")
    return state, (alarm, *told, SetTimer("notes", 0))


def _device_back(state: State, event: events.DeviceBack) -> Step:
    if event.device not in state.failed_devices:
        return state, ()
    state = replace(state, failed_devices=state.failed_devices - {event.device})
    state = note(state, event.stamp, Note.DEVICE_BACK, event.device)
    others = ", ".join(sorted(state.failed_devices))
    alarm = SetAlarm(Alarm.DEVICE_FAILED, on=bool(others), detail=others)
    return _redraw(state, event.stamp, (alarm, SetTimer("notes", 0)))


def _link_changed(state: State, event: events.LinkChanged) -> Step:
    return _redraw(replace(state, link_up=event.up), event.stamp)


def _rules_activated(state: State, event: events.RulesActivated) -> Step:
    # Rights that the town took away must stay taken away even where the disk is full, so the
    # rules do not wait for their note to be written.
    state = replace(state, rules=event.rules)
    effects: tuple[Effect, ...] = (
        SetAlarm(Alarm.NO_RULES, on=False),
        SetAlarm(Alarm.PUBLICATION_REFUSED, on=False),
        SetTimer("notes", 0),
    )
    if state.chosen not in event.rules.settings.buttons:
        # A button that is still there goes on counting: somebody may just be holding their card.
        state = replace(state, chosen=None)
        effects = (*effects, CancelTimer("choice"))
    state = note(state, event.stamp, Note.PUBLICATION_ACTIVE, str(event.rules.publication))
    return _redraw(state, event.stamp, effects)


def _publication_refused(state: State, event: events.PublicationRefused) -> Step:
    detail = f"{event.reason} {event.file}".strip()
    state = note(state, event.stamp, Note.PUBLICATION_REFUSED, detail)
    alarm = SetAlarm(Alarm.PUBLICATION_REFUSED, on=True, detail=detail)
    return state, (alarm, SetTimer("notes", 0))


def _publication_aged(state: State, event: events.PublicationAged) -> Step:
    return state, (SetAlarm(Alarm.PUBLICATION_STALE, on=event.stale, detail=event.detail),)


def _message_dropped(state: State, event: events.MessageDropped) -> Step:
    detail = f"{event.topic}: {event.reason}"
    return state, _passing(Alarm.MALFORMED_MESSAGE, detail)


def _receipt_refused(state: State, event: events.ReceiptRefused) -> Step:
    return state, _passing(Alarm.RECEIPT_REFUSED, event.reason)


def _publish_refused(state: State, event: events.PublishRefused) -> Step:
    return state, _passing(Alarm.PUBLISH_REFUSED, f"{event.topic}: 0x{event.code:02x}")


def _passing(alarm: Alarm, detail: str) -> tuple[Effect, ...]:
    return SetAlarm(alarm, on=True, detail=detail), SetTimer(f"{QUIET}{alarm}", QUIET_MS)


def _record_lost(state: State, event: events.RecordLost) -> Step:
    detail = f"{event.seq} {event.hash}".strip()
    return note(state, event.stamp, Note.RECORD_UNREADABLE, detail), (SetTimer("notes", 0),)


def _journal_filling(state: State, event: events.JournalFilling) -> Step:
    on = event.percent >= FILLING_PERCENT
    return state, (SetAlarm(Alarm.JOURNAL_FILLING, on=on, detail=f"{event.percent} %"),)


def _rest(state: State, stamp: Stamp, effects: tuple[Effect, ...] = ()) -> Step:
    """Back to idle, unless a fault has to stay on the display."""
    if not state.ready:
        return state, effects
    return _redraw(replace(state, showing="idle"), stamp, effects)


def _redraw(state: State, stamp: Stamp, effects: tuple[Effect, ...] = ()) -> Step:
    if state.showing != "idle":
        return state, effects
    return state, (*effects, Show(taps.idle(state, stamp)))


ARMS: Mapping[type[Event], Callable[..., Step]] = {
    events.Started: _started,
    events.Stopping: notes.stopping,
    events.CardSeen: taps.seen,
    events.CardRead: taps.read,
    events.CardUnreadable: taps.unreadable,
    events.CardTaken: _card_taken,
    events.ReaderBlocked: _reader_blocked,
    events.ReaderLost: _reader_lost,
    events.ReaderBack: _reader_back,
    events.ButtonPressed: _button_pressed,
    events.ExitRequested: _exit_requested,
    events.TimerDue: _timer_due,
    events.RecordFailed: _record_failed,
    events.DeviceFailed: _device_failed,
    events.DeviceBack: _device_back,
    events.LinkChanged: _link_changed,
    events.RulesActivated: _rules_activated,
    events.PublicationRefused: _publication_refused,
    events.PublicationAged: _publication_aged,
    events.MessageDropped: _message_dropped,
    events.ReceiptRefused: _receipt_refused,
    events.PublishRefused: _publish_refused,
    events.RecordLost: _record_lost,
    events.JournalFilling: _journal_filling,
}
"""One arm for each event there is."""
