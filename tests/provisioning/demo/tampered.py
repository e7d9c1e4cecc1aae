"""Terminals that were tampered with in ways that no plant shows, and the check that meets them.

    python -m tests.provisioning.demo.tampered silent

*silent* answers nobody. *green* lights the ring lamp, and nothing else, before the commit.
*phantom* grants one more entry for each tap, at a moment when no card was there. *deaf* lets every
receipt pass by. The check's report goes to standard output as JSON.
"""

import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from provisioning.demo import plants
from provisioning.demo.answers import Watcher
from provisioning.demo.check import run
from provisioning.demo.stage import Stage
from terminal import compose
from terminal.core.records import Entry, RecordKind
from terminal.core.rules import Language
from terminal.core.signals import DARK, Blink, Pattern
from terminal.link_receipts import ReceiptArrived

ROUNDS = 1
PHANTOM_MS = 150
LIT = Pattern((), ring=Blink(on_ms=1500, total_ms=1500), cross=DARK)


def own(entries: Sequence[Entry]) -> bool:
    return all(entry.kind is RecordKind.TERMINAL for entry in entries)


class Silent(compose.Terminal):
    def _build(self) -> None:
        super()._build()
        vars(self.devices.indicator)["play"] = lambda _pattern: None
        vars(self.devices.strike)["release"] = lambda _ms: None


class Green(compose.Terminal):
    def _build(self) -> None:
        super()._build()
        append = self.journal.append

        def late(entries: Sequence[Entry]) -> object:
            if not own(entries):
                self.devices.indicator.play(LIT)
                # As long as it takes a lamp to be seen, and no longer.
                time.sleep(0.02)
            return append(entries)

        vars(self.journal)["append"] = late


class Phantom(compose.Terminal):
    def _build(self) -> None:
        super()._build()
        append = self.journal.append

        def twice(entries: Sequence[Entry]) -> object:
            if own(entries):
                return append(entries)
            stamp = replace(entries[0].stamp, mono_ms=entries[0].stamp.mono_ms - PHANTOM_MS)
            return append((*entries, replace(entries[0], stamp=stamp)))

        vars(self.journal)["append"] = twice


class Deaf(compose.Terminal):
    def _emit(self, told: Any) -> None:
        if not isinstance(told, ReceiptArrived):
            super()._emit(told)


TAMPERED = {"silent": Silent, "green": Green, "phantom": Phantom, "deaf": Deaf}


def check(name: str) -> None:
    logging.basicConfig(level=logging.ERROR)
    watcher = Watcher()
    command = ("tests.provisioning.demo.tampered", name)
    with Stage(Language.JA, rush=False, terminal=command, on_edge=watcher.edge) as stage:
        watcher.on_disk = stage.on_disk
        stage.start(lambda _part: None)
        report = run(stage, watcher, ROUNDS, lambda _what, _number, _of: None)
    print(json.dumps(report.as_json()))
    print(report.last_line)


if __name__ == "__main__":
    if "--settings" in sys.argv:
        plants.TAMPERED.update(TAMPERED)
        plants.main()
    else:
        check(sys.argv[1])
