"""A thread that runs card conversations: a card comes, is identified, and leaves.

It owns the CardReader and nothing else; what it finds goes into the inbox. Every card that is
seen gets exactly one verdict, whatever the card, the reader or our own code does, because every
tap must become a record.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from terminal.clock import Clock
from terminal.core import events
from terminal.core.credential import Credential, Unreadable
from terminal.core.events import Event
from terminal.core.moment import Stamp
from terminal.ports import CardMute, CardReader, CardSwapped, CardTorn, DeviceError, FieldChange

log = logging.getLogger(__name__)

WAIT_S = 1.0
RETRY_S = 0.5
_NS_PER_MS = 1_000_000


class Recognise(Protocol):
    """How cards are identified; asked anew for each card, so new anchors count at once."""

    def identify(self, device: CardReader, seen: Stamp) -> Credential | Unreadable:
        """One whole conversation with the present card, first seen at ``seen``."""
        ...


class Reader:
    """Runs until ``close``. ``beat`` is called at least every second while the thread lives."""

    def __init__(
        self,
        device: CardReader,
        clock: Clock,
        recognise: Recognise,
        emit: Callable[[Event], None],
        beat: Callable[[], None],
    ) -> None:
        self._device = device
        self._clock = clock
        self._recognise = recognise
        self._emit = emit
        self._beat = beat
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)

    def start(self) -> None:
        """Begin to wait for cards."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and the reader's process; idempotent."""
        self._closing.set()
        self._device.close()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._beat()
            try:
                change = self._device.wait(WAIT_S)
                if change is not None:
                    self._tell(change)
            except DeviceError as error:
                if not self._closing.is_set():
                    log.warning("the reader failed: %s", error)
                    self._emit(events.ReaderLost(self._clock.stamp(), str(error)))
                    self._closing.wait(RETRY_S)
            except Exception:
                # Our fault, not the card's; the next card must still be read.
                log.exception("waiting for a card ended in an exception")
                self._closing.wait(RETRY_S)

    def _tell(self, change: FieldChange) -> None:
        stamp = self._clock.stamp_at(change.mono_ns)
        match change.kind:
            case "present":
                self._converse(stamp)
            case "gone":
                self._emit(events.CardTaken(stamp))
            case "blocked":
                self._emit(events.ReaderBlocked(stamp))
            case "lost":
                self._emit(events.ReaderLost(stamp, change.detail))
            case "back":
                self._emit(events.ReaderBack(stamp))
            case _:
                log.error("the reader told of an unknown change %r", change.kind)

    def _converse(self, seen: Stamp) -> None:
        self._emit(events.CardSeen(seen))
        began_ns = time.monotonic_ns()
        try:
            verdict = self._recognise.identify(self._device, seen)
        except CardSwapped:
            verdict = Unreadable.CARD_SWAPPED
        except CardTorn:
            verdict = Unreadable.TORN
        except CardMute:
            verdict = Unreadable.MUTE
        except DeviceError as error:
            log.warning("the reader failed in a conversation: %s", error)
            verdict = Unreadable.TORN
        except Exception:
            log.exception("identification ended in an exception")
            verdict = Unreadable.GARBLED
        elapsed_ms = (time.monotonic_ns() - began_ns) // _NS_PER_MS
        stamp = self._clock.stamp()
        if isinstance(verdict, Unreadable):
            self._emit(events.CardUnreadable(stamp, seen, verdict, elapsed_ms))
            return
        evidence = replace(verdict.evidence, elapsed_ms=elapsed_ms)
        self._emit(events.CardRead(stamp, seen, replace(verdict, evidence=evidence)))
