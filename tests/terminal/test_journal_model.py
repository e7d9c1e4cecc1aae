"""The journal against a model of three lines, whatever is done to it and whenever it crashes."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from terminal.journal import Journal, JournalError, Marks, Stored
from terminal.wire.chain import GENESIS, verify_chain
from tests.terminal.wall import moment, tap
from tests.town_ca import new_key

KEY = new_key()
BAD_HOLDER = "\ud800"


class JournalModel(RuleBasedStateMachine):
    """``records`` are acknowledged hashes, ``received`` the cursor, ``kept`` the one on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="journal-model-"))
        self.lives = 0
        self.records: list[str] = []
        self.received = 0
        self.kept = 0
        self.journal = self._open()

    @rule(count=st.integers(0, 4))
    def append(self, count: int) -> None:
        stored = self.journal.append([tap(moment(len(self.records)))] * count)
        self.records += [one.hash for one in stored]
        assert len(stored) == count
        self.kept = self.received

    @rule(good=st.integers(0, 2))
    def append_what_makes_no_record(self, good: int) -> None:
        entries = [tap(moment())] * good + [tap(moment(), BAD_HOLDER)]
        try:
            self.journal.append(entries)
        except JournalError:
            return
        raise AssertionError("half a pair of surrogates was recorded")

    @rule()
    def commit_fails(self) -> None:
        """As after a failed sync: the connection is given up, a commit may be left behind."""
        seq = len(self.records) + 1
        self.journal._live().execute(
            "INSERT INTO record VALUES (?, ?, ?)", (seq, bytes(32), b"left behind")
        )
        self.journal._give_up()

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def receive(self, data: st.DataObject) -> None:
        upto = data.draw(st.integers(1, len(self.records)))
        assert self.journal.receive(upto, self.records[upto - 1])
        self.received = max(self.received, upto)

    @rule(upto=st.integers(-1, 30), digest=st.sampled_from([GENESIS, "f" * 64, ""]))
    def receive_what_is_not_ours(self, upto: int, digest: str) -> None:
        assert not self.journal.receive(upto, digest)

    @rule(seq=st.integers(0, 30))
    def resend(self, seq: int) -> None:
        self.journal.resend_from(seq)
        self.received = self.kept = max(0, min(self.received, seq - 1))

    @rule()
    def restart(self) -> None:
        self.journal.close()
        self.kept = self.received
        self.journal = self._open()

    @rule()
    def crash(self) -> None:
        """What lies on the disk at this instant is all there is."""
        folder = self._folder()
        self.lives += 1
        self._folder().mkdir()
        for name in ("journal.db", "journal.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, self._folder())
        self.journal._lock.release()
        self.journal._give_up()
        self.journal = self._open()
        # The cursor may be older: then records are sent twice. It is never ahead of the truth.
        assert self.kept <= self.journal.marks().received <= self.received
        self.received = self.kept = self.journal.marks().received

    @invariant()
    def holds_what_was_acknowledged_and_nothing_else(self) -> None:
        stored = [one for one in self.journal.records() if isinstance(one, Stored)]
        assert [one.hash for one in stored] == self.records
        assert self.journal.marks() == Marks(len(self.records), self.received)
        assert self.journal.head() == (len(self.records), [GENESIS, *self.records][-1])

    @invariant()
    def what_is_pending_is_what_has_no_receipt(self) -> None:
        reader = self.journal.reader()
        pending = reader.pending(self.received, 100)
        assert [one.hash for one in pending] == self.records[self.received :]
        reader.close()

    def teardown(self) -> None:
        payloads = [one.payload for one in self.journal.records() if isinstance(one, Stored)]
        verdict = verify_chain(payloads, [KEY.public_key()])
        assert verdict.whole, verdict
        self.journal.close()
        shutil.rmtree(self.root)

    def _folder(self) -> Path:
        return self.root / str(self.lives)

    def _open(self) -> Journal:
        return Journal.open(self._folder() / "journal.db", "ent-1", KEY, ballast=0)


def patient(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def test_the_journal_equals_its_model_after_any_crash() -> None:
    run_state_machine_as_test(JournalModel, settings=patient(20, 30))


@pytest.mark.all
@pytest.mark.timeout(900)
def test_the_journal_equals_its_model_at_length() -> None:
    run_state_machine_as_test(JournalModel, settings=patient(200, 50))
