"""Two terminals that were tampered with, to show that the check would notice.

    python -m provisioning.demo.plants early-beep --settings FILE
    python -m provisioning.demo.plants off-list-apdu --settings FILE

*early-beep* sounds the success tone before the record is written, and holds the commit back for
300 ms. *off-list-apdu* asks every card for its radio number, and lets its own reader process pass
that command, which no terminal may.

Rules: the only module outside the terminal that knows how one is put together; never started but
by a check that is told to find it.
"""

import runpy
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from terminal import compose
from terminal.core.feedback import SIGNALS
from terminal.core.records import Entry, RecordKind
from terminal.core.signals import Signal

HELD_S = 0.3
RADIO_NUMBER = bytes.fromhex("FFCA000000")
BUDGET_MS = 3_000


class EarlyBeep(compose.Terminal):
    """Sounds first, writes down later."""

    def _build(self) -> None:
        super()._build()
        append = self.journal.append

        def late(entries: Sequence[Entry]) -> object:
            if any(entry.kind is not RecordKind.TERMINAL for entry in entries):
                self.devices.indicator.play(SIGNALS[Signal.DONE])
                time.sleep(HELD_S)
            return append(entries)

        _put(self.journal, "append", late)


class OffList(compose.Terminal):
    """Asks each card for more than the allow-list holds."""

    def _build(self) -> None:
        super()._build()
        identify, renew = self.recognition.identify, self.recognition.renew

        def curious(device: Any, seen: Any) -> object:  # noqa: ANN401 - the shell's own types
            verdict = identify(device, seen)
            with device.converse(BUDGET_MS) as channel:
                channel.transmit(RADIO_NUMBER)
            return verdict

        def widen(read_by: Any) -> None:  # noqa: ANN401 - as above
            widened: Any = _Widened(read_by)
            renew(widened)

        _put(self.recognition, "identify", curious)
        _put(self.recognition, "renew", widen)


class _Widened:
    """What cards are read by, with one more command that may pass."""

    def __init__(self, read_by: Any) -> None:  # noqa: ANN401 - the shell's own type
        self.profiles, self.trust = read_by.profiles, read_by.trust
        first = read_by.allowed[0]
        length = len(RADIO_NUMBER)
        strange = replace(first, head=RADIO_NUMBER.hex(), shortest=length, longest=length)
        self.allowed = (*read_by.allowed, strange)


TAMPERED: dict[str, type[compose.Terminal]] = {"early-beep": EarlyBeep, "off-list-apdu": OffList}


def _put(part: object, name: str, act: Callable[..., object]) -> None:
    """Put another function in the place of a method of this one object."""
    vars(part)[name] = act


def main() -> None:
    """Run the terminal as it always runs, but put together with one tampered part."""
    name, *arguments = sys.argv[1:]
    vars(compose)["Terminal"] = TAMPERED[name]
    sys.argv = ["kazasu terminal", *arguments]
    runpy.run_module("terminal", run_name="__main__")


if __name__ == "__main__":
    main()
