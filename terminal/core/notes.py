"""What a terminal notes about itself, and how the notes wait for the disk.

Notes wait in ``state.unwritten`` until the journal takes them, some at a time, so that a full disk
delays them and neither loses nor repeats any. The oldest are kept, because they tell how it began;
what no longer finds room is counted, and the count is a note of its own.
"""

from dataclasses import replace

from terminal.core import events
from terminal.core.effects import Effect, Record, SetAlarm, SetTimer
from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm, Note, Result
from terminal.core.records import Entry, RecordKind
from terminal.core.state import State, recall

AT_ONCE = 50
KEPT = 1_000

Step = tuple[State, tuple[Effect, ...]]


def note(state: State, stamp: Stamp, reason: Note, detail: str = "") -> State:
    """The state with one more note waiting for the journal."""
    return wait(state, (_entry(state, stamp, reason, detail),))


def _entry(state: State, stamp: Stamp, reason: Note, detail: str) -> Entry:
    return Entry(
        kind=RecordKind.TERMINAL,
        result=Result.NOTED,
        reason=reason,
        stamp=stamp,
        publication=state.rules.publication,
        # Whatever a detail was made of, it must never keep the journal from taking the note.
        detail="".join(sign for sign in detail if " " <= sign <= "~"),
    )


def wait(state: State, notes: tuple[Entry, ...]) -> State:
    """Let notes wait; the oldest are kept, because they tell how it began."""
    waiting = (*state.unwritten, *notes)
    lost = max(0, len(waiting) - KEPT)
    return replace(state, unwritten=waiting[:KEPT], notes_lost=state.notes_lost + lost)


def write(state: State) -> Step:
    """Some of the waiting notes in one commit; the rest follows once these are on disk."""
    batch, rest = state.unwritten[:AT_ONCE], state.unwritten[AT_ONCE:]
    if not batch:
        return state, ()
    effects: tuple[Effect, ...] = (Record(batch),)
    if rest or state.notes_lost:
        effects = (*effects, SetTimer("notes", 0))
    if state.cannot_record:
        effects = (*effects, SetAlarm(Alarm.CANNOT_RECORD, on=False))
    if not rest and state.notes_lost:
        lost = _entry(state, batch[-1].stamp, Note.NOTES_LOST, str(state.notes_lost))
        state, rest = replace(state, notes_lost=0), (lost,)
    state = replace(state, unwritten=rest, cannot_record=False)
    return _recalled(state, batch), effects


def stopping(state: State, event: events.Stopping) -> Step:
    """The last commit of a run that ends in order: what still waits, and the end itself."""
    stopped = _entry(state, event.stamp, Note.STOPPED, "")
    batch = (*state.unwritten, stopped)
    return _recalled(replace(state, unwritten=()), batch), (Record(batch),)


def _recalled(state: State, batch: tuple[Entry, ...]) -> State:
    for entry in batch:
        state = recall(state, entry)
    return state
