"""The last punches across a restart: by the shortcut, and by the journal where it does not fit."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from terminal import checkpoint
from terminal.core.attendance import LastPunch
from terminal.core.reasons import Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.core.state import State, recall
from terminal.journal import Journal
from tests.terminal.core import scene

PLAIN = State(scene.attendance_rules())


def punch(holder: str, kind: Punch, minutes: int = 0) -> Entry:
    stamp = scene.stamp(later=timedelta(minutes=minutes))
    return Entry(
        RecordKind.ATTENDANCE, Result.GRANTED, Reason.PUNCHED_IN, stamp, holder=holder, punch=kind
    )


class Desk:
    """A journal with its documents, and the state as the loop would have it."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.journal = Journal.open(folder / "journal.sqlite", "t-1", key, ballast=0)
        self.documents = checkpoint.opened(folder / "documents.json")
        self.state = PLAIN

    def write(self, *entries: Entry) -> None:
        self.journal.append(entries)
        for entry in entries:
            self.state = recall(self.state, entry)

    def keep(self) -> None:
        checkpoint.keep(self.state, self.journal, self.documents)

    def restored(self) -> State:
        return checkpoint.restore(PLAIN, self.journal, self.documents)

    def close(self) -> None:
        self.journal.close()
        self.documents.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def test_without_a_checkpoint_the_journal_is_read(desk: Desk) -> None:
    desk.write(punch("h-a", Punch.IN), punch("h-b", Punch.IN, 1), punch("h-a", Punch.OUT, 500))
    assert desk.restored().punches == desk.state.punches


def test_a_checkpoint_gives_the_same_and_what_came_after_it(desk: Desk) -> None:
    desk.write(punch("h-a", Punch.IN))
    desk.keep()
    desk.write(punch("h-b", Punch.AWAY, 2))
    assert desk.restored().punches == desk.state.punches


def test_a_checkpoint_is_really_used(desk: Desk) -> None:
    desk.write(punch("h-a", Punch.IN))
    ghost = LastPunch(Punch.OUT, scene.stamp())
    desk.state = replace(desk.state, punches={"h-ghost": ghost})
    desk.keep()
    assert desk.restored().punches == {"h-ghost": ghost}


@pytest.mark.parametrize(
    "spoiled",
    [
        {"epoch": "0" * 16},
        {"hash": "0" * 64},
        {"seq": 99},
        {"seq": 0},
        {"seq": "1"},
        {"v": 2},
        {"synced_ms": "yesterday"},
        {"punches": {"h-a": {"punch": "in"}}},
        {"punches": 3},
    ],
)
def test_a_checkpoint_that_does_not_fit_costs_only_time(
    desk: Desk, spoiled: dict[str, object]
) -> None:
    desk.write(punch("h-a", Punch.IN))
    desk.keep()
    content = desk.documents.get(checkpoint.NAME)
    assert content is not None
    desk.documents.put(checkpoint.NAME, {**content, **spoiled})
    assert desk.restored().punches == desk.state.punches


def test_damaged_documents_are_set_aside_and_cost_only_time(desk: Desk, tmp_path: Path) -> None:
    desk.write(punch("h-a", Punch.IN))
    desk.keep()
    desk.documents.close()
    for path in tmp_path.glob("documents.json*"):
        path.write_bytes(b"")
    desk.documents = checkpoint.opened(tmp_path / "documents.json")
    assert desk.restored().punches == desk.state.punches
    assert (tmp_path / "damaged-documents.json").exists()
    desk.keep()
    assert desk.documents.get(checkpoint.NAME) is not None


def test_a_disk_that_takes_no_checkpoint_stops_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.write(punch("h-a", Punch.IN))
    for path in tmp_path.glob("documents.json*"):
        path.unlink()
    (tmp_path / "documents.json").mkdir()
    desk.keep()
    assert desk.restored().punches == desk.state.punches
