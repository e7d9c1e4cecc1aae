"""Run under the shim of ``disk_faults``: a journal on a disk whose N-th call fails.

After every fault the journal must hold what it has acknowledged and nothing else, take the next
record at once, and be whole when it is opened again.
"""

import sys
from pathlib import Path

from terminal.journal import Journal, JournalError
from terminal.journal_proof import prove
from tests.terminal.disk_faults import (
    BROKEN,
    FULL,
    SHORT,
    SYNCS,
    TRUNCATES,
    WRITES,
    Faults,
)
from tests.terminal.wall import moment, tap
from tests.town_ca import new_key

KEY = new_key()
SCENARIOS = (
    (WRITES, FULL, False),
    (WRITES, FULL, True),
    (WRITES, BROKEN, False),
    (WRITES, BROKEN, True),
    (WRITES, SHORT, False),
    (SYNCS, BROKEN, False),
    (SYNCS, BROKEN, True),
    (TRUNCATES, BROKEN, False),
)
TAPS = 15


def main(folder: Path, most: int) -> None:
    failed = 0
    # The first commits have every kind of call; of the later ones the checkpoints are new.
    samples = (*range(1, most), 21, 34, 55)
    for number, (mask, error, sticky) in enumerate(SCENARIOS):
        for nth in samples:
            path = folder / f"{number}-{nth}" / "journal.db"
            fired, refused = one_run(path, mask, nth, error, sticky)
            failed += refused
            if not fired:
                break
    sys.stdout.write(f"{failed}\n")


def one_run(path: Path, mask: int, nth: int, error: int, sticky: bool) -> tuple[int, int]:
    faults = Faults()
    journal = Journal.open(path, "ent-1", KEY, ballast=0)
    acknowledged = [journal.append([tap(moment())])[0].hash]
    refused = 0
    faults.arm(mask, nth, error, sticky=sticky)
    for second in range(TAPS):
        try:
            acknowledged += [one.hash for one in journal.append([tap(moment(second))] * 2)]
        except JournalError:
            refused += 1
    fired = faults.disarm()
    acknowledged.append(journal.append([tap(moment(99))])[0].hash)
    check(journal, acknowledged)
    # Whoever pulls the plug now leaves the files as they are.
    journal._lock.release()
    again = Journal.open(path, "ent-1", KEY, ballast=0)
    check(again, acknowledged)
    again.close()
    verdict = prove(path, [KEY.public_key()])
    assert verdict.whole, verdict
    assert verdict.count == len(acknowledged), (verdict, len(acknowledged))
    if mask == SYNCS and sticky and nth == 1:
        assert refused == TAPS, "a record was acknowledged although nothing could be synced"
    return fired, refused


def check(journal: Journal, acknowledged: list[str]) -> None:
    assert [one.hash for one in journal.records()] == acknowledged


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
