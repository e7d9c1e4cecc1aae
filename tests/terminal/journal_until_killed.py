"""Run as a child: writes records as fast as it can until somebody kills it.

Each number goes to standard output once its record has been acknowledged, and only then.
"""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from terminal.journal import Journal
from terminal.wire.signed import PrivateKey
from tests.terminal.wall import now, tap


def main(folder: Path) -> None:
    key = load_pem_private_key((folder / "device.key").read_bytes(), None)
    assert isinstance(key, PrivateKey)
    journal = Journal.open(folder / "journal.db", "ent-1", key, ballast=0)
    while True:
        for stored in journal.append([tap(now())] * 3):
            os.write(1, f"{stored.seq} {stored.hash}\n".encode())
        marks = journal.marks()
        journal.receive(marks.committed, stored.hash)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
