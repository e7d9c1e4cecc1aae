"""Run under the shim of ``disk_faults``: documents on a disk whose N-th call fails."""

import sys
from pathlib import Path

from terminal.store import Documents, StoreError
from tests.terminal.disk_faults import BROKEN, FULL, RENAMES, SHORT, SYNCS, WRITES, Faults

SCENARIOS = (
    (WRITES, FULL, False),
    (WRITES, FULL, True),
    (WRITES, BROKEN, False),
    (WRITES, SHORT, False),
    (WRITES, SHORT, True),
    (SYNCS, BROKEN, False),
    (SYNCS, BROKEN, True),
    (RENAMES, FULL, False),
    (RENAMES, BROKEN, True),
)
PUTS = 6


def main(folder: Path) -> None:
    refused = 0
    one_run_is_synced(folder / "plain")
    for number, (mask, error, sticky) in enumerate(SCENARIOS):
        for nth in range(1, 40):
            fired, failed = one_run(folder / f"{number}-{nth}", mask, nth, error, sticky)
            refused += failed
            if not fired:
                break
        else:
            raise AssertionError("40 calls failed one after another, and still one is left")
    sys.stdout.write(f"{refused}\n")


def one_run_is_synced(folder: Path) -> None:
    """Each time the draft before it is moved, and the folder after."""
    faults = Faults()
    documents = Documents(folder / "store.json")
    documents.put("kept", {})
    faults.arm(SYNCS, 10**6, BROKEN)
    for n in range(PUTS):
        documents.put("kept", {"n": n})
    faults.disarm()
    assert faults.seen() == 2 * PUTS


def one_run(folder: Path, mask: int, nth: int, error: int, sticky: bool) -> tuple[int, int]:
    faults = Faults()
    documents = Documents(folder / "store.json")
    documents.put("kept", {"n": -1})
    written, failed = -1, 0
    faults.arm(mask, nth, error, sticky=sticky)
    for n in range(PUTS):
        try:
            documents.put("kept", {"n": n})
            written = n
        except StoreError:
            failed += 1
        check(documents, written, n)
    fired = faults.disarm()
    check(Documents(folder / "store.json"), written, PUTS - 1)
    documents.put("kept", {"n": PUTS})
    check(Documents(folder / "store.json"), PUTS, PUTS)
    return fired, failed


def check(documents: Documents, least: int, most: int) -> None:
    """What was acknowledged is there; what was refused may be there, whole."""
    found = documents.get("kept")
    assert found is not None
    assert least <= found["n"] <= most, (least, found, most)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
