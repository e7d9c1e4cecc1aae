"""The story of one tap: seen, reading, read or not, result, taken away.

The time of a tap is when the card was first seen. There is no sound before the result, and a
result gives way to the next card at once.
"""

from dataclasses import replace

from terminal.core import access, attendance, events
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
from terminal.core.feedback import idle_screen, notice_screen, outcome_screen, signal_of
from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm, Reason, Result
from terminal.core.records import Entry, RecordKind
from terminal.core.roster import Holder
from terminal.core.rules import Portal
from terminal.core.signals import Screen, Signal
from terminal.core.state import State, recall

READING_AFTER_MS = 300
CARD_LEFT_MS = 5_000
RESULT_MS = 3_000
READ_ME_MS = 6_000
"""A refusal asks for reading; it stays longer, and still gives way to the next card."""

Step = tuple[State, tuple[Effect, ...]]


def idle(state: State, stamp: Stamp) -> Screen:
    """The idle screen: time with seconds, what to do, the present mode, the link."""
    return idle_screen(
        state.rules,
        stamp.at,
        mode=state.chosen,
        link_up=state.link_up,
        clock_known=stamp.quality.known,
    )


def seen(state: State, _event: events.CardSeen) -> Step:
    """A card came: the former person's result ends now; "reading" shows only if it takes long."""
    yields = state.showing in {"outcome", "card-left"}
    state = replace(state, card_present=True)
    effects: tuple[Effect, ...] = (CancelTimer("result"), CancelTimer("card-left"))
    if not yields:
        return state, (*effects, SetTimer("reading", READING_AFTER_MS))
    state = replace(state, showing="reading")
    reading_now = (Indicate(Signal.QUIET), Show(notice_screen("reading", state.rules)))
    return state, (*effects, *reading_now)


def reading(state: State) -> Step:
    """It takes longer than people expect: tell them to keep the card there."""
    if not state.card_present or not state.ready:
        return state, ()
    state = replace(state, showing="reading")
    return state, (Show(notice_screen("reading", state.rules)),)


def read(state: State, event: events.CardRead) -> Step:
    """The card proved a credential: one use, one decision, one record."""
    if state.rules.publication == 0:
        return _conclude(state, _no_rules(state, event.seen), None)
    portal = state.entered
    return _punch(state, event) if portal is None else _enter(state, event, portal)


def _enter(state: State, event: events.CardRead, portal: Portal) -> Step:
    decision = access.decide(state.rules, event.credential, portal, event.seen)
    entry = Entry(
        kind=RecordKind.ACCESS,
        result=Result.GRANTED if decision.granted else Result.DENIED,
        reason=decision.reason,
        stamp=event.seen,
        purpose=portal.purpose,
        publication=state.rules.publication,
        holder=decision.holder.id if decision.holder else None,
        profile=event.credential.profile,
        assurance=event.credential.assurance,
        portal=portal.id,
        elapsed_ms=event.credential.evidence.elapsed_ms,
    )
    strike = (ReleaseStrike(portal.id, portal.strike_ms),) if decision.granted else ()
    return _conclude(state, entry, decision.holder, strike)


def _punch(state: State, event: events.CardRead) -> Step:
    verdict = attendance.decide(
        state.rules, event.credential, event.seen, state.chosen, state.punches
    )
    result = Result.DENIED if verdict.punch is None else Result.GRANTED
    if verdict.repeats is not None:
        result = Result.DUPLICATE
    entry = Entry(
        kind=RecordKind.ATTENDANCE,
        result=result,
        reason=verdict.reason,
        stamp=event.seen,
        purpose=state.rules.settings.attendance_purpose,
        publication=state.rules.publication,
        holder=verdict.holder.id if verdict.holder else None,
        profile=event.credential.profile,
        assurance=event.credential.assurance,
        punch=verdict.punch,
        elapsed_ms=event.credential.evidence.elapsed_ms,
    )
    repeats = verdict.repeats.stamp if verdict.repeats is not None else None
    return _conclude(state, entry, verdict.holder, repeats=repeats)


def unreadable(state: State, event: events.CardUnreadable) -> Step:
    """The card gave no credential: that is a record too, and tells the person what to do.

    Before the first publication no card can be read, and it is not the card that is at fault.
    """
    if state.rules.publication == 0:
        return _conclude(state, _no_rules(state, event.seen), None)
    entry = Entry(
        kind=RecordKind.TAP,
        result=Result.UNREADABLE,
        reason=Reason(event.reason.value),
        stamp=event.seen,
        purpose=_purpose(state),
        publication=state.rules.publication,
        portal=state.rules.settings.portal,
        elapsed_ms=event.elapsed_ms,
    )
    return _conclude(state, entry, None)


def _no_rules(state: State, seen: Stamp) -> Entry:
    return Entry(
        kind=RecordKind.TAP,
        result=Result.DENIED,
        reason=Reason.NO_RULES,
        stamp=seen,
        purpose=_purpose(state),
    )


def _purpose(state: State) -> str:
    portal = state.entered
    return state.rules.settings.attendance_purpose if portal is None else portal.purpose


def _conclude(
    state: State,
    entry: Entry,
    holder: Holder | None,
    strike: tuple[Effect, ...] = (),
    *,
    repeats: Stamp | None = None,
) -> Step:
    """Record first; strike, tone and screen only behind it. A button's choice ends with the tap."""
    after = replace(state, chosen=None, showing="outcome", cannot_record=False)
    after = recall(after, entry)
    told = outcome_screen(
        state.rules,
        entry,
        holder,
        link_up=state.link_up,
        duplicate_of=repeats.at if repeats is not None else None,
    )
    shown_ms = RESULT_MS if entry.result in {Result.GRANTED, Result.DUPLICATE} else READ_ME_MS
    effects: tuple[Effect, ...] = (
        Record((entry,)),
        *strike,
        Indicate(signal_of(Reason(entry.reason))),
        Show(told),
        CancelTimer("reading"),
        CancelTimer("choice"),
        SetTimer("result", shown_ms),
    )
    if state.card_present:
        effects = (*effects, SetTimer("card-left", CARD_LEFT_MS))
    if state.cannot_record:
        effects = (*effects, SetAlarm(Alarm.CANNOT_RECORD, on=False))
    return after, effects


def card_left(state: State) -> Step:
    """The card still lies there: remind by screen and tone, so that nobody forgets it."""
    if not state.card_present or not state.ready:
        return state, ()
    state = replace(state, showing="card-left")
    return state, (
        CancelTimer("result"),
        Indicate(Signal.CARD_LEFT),
        Show(notice_screen("card_left", state.rules)),
    )
