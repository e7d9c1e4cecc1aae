"""What a terminal notes about itself, and how the notes wait for the disk."""

from terminal.core import events
from terminal.core.reasons import Alarm, Note
from terminal.core.records import Entry
from tests.terminal.core.wall import NOW, Wall


def test_a_note_that_cannot_be_written_is_kept_and_tried_again() -> None:
    wall = Wall().on(events.ReaderLost(NOW, "unplugged"), events.TimerDue(NOW, "notes"))
    notes = wall.recorded
    for _ in range(5):
        wall.record_fails()
        assert wall.timers["notes"] == 60_000
        assert wall.shown is None
        assert wall.on(events.TimerDue(NOW, "notes")).recorded == notes
    assert wall.alarms[Alarm.CANNOT_RECORD] is False
    assert wall.on(events.TimerDue(NOW, "notes")).effects == ()


def test_many_notes_are_written_some_at_a_time_and_none_twice() -> None:
    wall = Wall()
    for seq in range(120):
        wall.on(events.RecordLost(NOW, seq, "ab"))
    written: list[Entry] = []
    while wall.state.unwritten:
        written.extend(wall.on(events.TimerDue(NOW, "notes")).recorded)
    assert [entry.detail for entry in written] == [f"{seq} ab" for seq in range(120)]


def test_notes_past_the_thousandth_are_counted_and_the_count_is_noted() -> None:
    wall = Wall()
    for seq in range(1_005):
        wall.on(events.RecordLost(NOW, seq, ""))
    written: list[Entry] = []
    while wall.state.unwritten:
        written.extend(wall.on(events.TimerDue(NOW, "notes")).recorded)
    assert len(written) == 1_001
    assert (written[-1].reason, written[-1].detail) == (Note.NOTES_LOST, "5")


def test_a_detail_is_cleaned_of_what_could_keep_a_note_from_being_written() -> None:
    wall = Wall().on(events.PublicationRefused(NOW, "arbitrary", "\ud800\n名前.json"))
    assert wall.state.unwritten[-1].detail == "arbitrary .json"


def test_a_clean_end_is_the_last_record_with_whatever_still_waited() -> None:
    wall = Wall().on(events.ReaderLost(NOW, "unplugged"))
    wall.on(events.Stopping(wall.after(seconds=9)))
    assert [entry.reason for entry in wall.recorded] == [Note.READER_LOST, Note.STOPPED]
    assert wall.recorded[0].detail == ""
    assert wall.state.synced_at == wall.after(seconds=9).at
