"""A contactless reader behind a process of its own (the port ``CardReader``).

Cards and readers can hang for ever, so the library runs in ``drivers.pcsc_child``; here are the
deadlines. Past a conversation's deadline the process is killed and replaced. That alone does not
free a reader on which a mute card lies: the next connection would hang as well. So nothing is
connected until that card is gone; after a while the terminal is told (``blocked``), and then
the configured commands are tried, one rung at a time (restart pcscd, reset the USB port).

Rules: the first thing told is ``back`` or ``lost``, whether there is a reader at all; from then on
they alternate. Every ``present`` is followed by one ``gone`` before the next ``present``; a card
that lies there is presented once, and again only if service or reader were lost in its
conversation. One thread uses a reader; ``close`` may come from another. What the APDUs mean is
left to ``terminal.cards``.
"""

import contextlib
import logging
import math
import os
import select
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from drivers import pcsc_frames as wire
from drivers.pcsc_conversation import FAILURES, Conversation
from drivers.pcsc_frames import Event, FrameError, Setup
from drivers.pcsc_ladder import Ladder, run
from drivers.pcsc_process import ProcessEnded, ReaderProcess
from terminal.ports import ApduPattern, CardMute, DeviceError, FieldChange

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
CLOSE_S = 2.0
ALLOW_S = 1.0
SETTLE_S = 1.0
"""How long after a new start pcscd may still be finding the card that lies there.

A new card that is laid down within this time is taken for the one that was read before, and has
to be laid down again: nothing tells the two apart, and to read the old one twice would be a
second punch that nobody made.
"""
MOST_BROKEN = 3
"""After so many conversations in a row that the reader failed, its process is replaced."""


class PcscReader:
    """The reader named (in part) ``reader_name``, or the first one.

    ``slot`` is ``pcsc``, or ``socket:PATH`` for virtual cards without pcscd. ``allow`` are the
    only commands that ever reach a card. ``recover`` are commands, as argument lists, for a
    reader that stays blocked: the first ``blocked_after_s + recover_after_s`` seconds after a
    card fell mute, each further one ``recover_after_s`` later.
    """

    def __init__(
        self,
        slot: str = "pcsc",
        *,
        reader_name: str = "",
        allow: Sequence[ApduPattern],
        recover: Sequence[Sequence[str]] = (),
        blocked_after_s: float = 5.0,
        recover_after_s: float = 10.0,
    ) -> None:
        self._setup = Setup(slot, reader_name, _patterns(allow))
        self._ladder = Ladder(recover, blocked_after_s, recover_after_s)
        self.refused = 0
        """Commands that the reader's process turned down."""
        self._changes: deque[tuple[FieldChange, int]] = deque()
        self._presence: int | None = None
        self._told = 0
        self._blocked = False
        self._finished = False
        self._spoilt = False
        """Whether this conversation failed otherwise than by a card that left."""
        self._broken = 0
        self._settled_at: float | None = None
        self._there: bool | None = None
        """Whether the terminal was told that there is a reader; None before the first word."""
        self._closed = False
        self._busy = threading.Lock()
        self._wake, self._waker = os.pipe()
        self._process: ReaderProcess | None = None
        self._pause_s = FIRST_PAUSE_S
        self._start_at = 0.0
        self._start()

    @property
    def process_id(self) -> int | None:
        """The number of the reader's process, if one runs."""
        return self._process.pid if self._process else None

    def wait(self, timeout_s: float) -> FieldChange | None:
        """The next change in the field, or None when ``timeout_s`` passed or it is closed."""
        end = time.monotonic() + timeout_s
        with self._busy:
            while not self._closed:
                self._climb()
                if self._changes:
                    change, self._told = self._changes.popleft()
                    return change
                now = time.monotonic()
                until = min(end, self._ladder.due or end, self._settled_at or end)
                if self._process is None:
                    if now >= self._start_at:
                        self._start()
                        continue
                    until = min(until, self._start_at)
                heard = self._listen(until)
                if not heard and not self._changes and time.monotonic() >= end:
                    return None
        return None

    def converse(self, budget_ms: int) -> Conversation:
        """Open a channel to the present card, for ``with``; its time begins there."""
        return Conversation(partial(self._ask, self._process), self._begin, budget_ms)

    def allow(self, patterns: Sequence[ApduPattern]) -> None:
        """From the next conversation on, pass these commands and no other."""
        allow = _patterns(patterns)
        self._setup = replace(self._setup, allow=allow)
        process = self._process
        try:
            self._ask(process, wire.ALLOW, wire.patterns_body(allow), time.monotonic() + ALLOW_S)
        except DeviceError as error:
            with self._busy:
                if process is not None and process is self._process and not self._closed:
                    self._replace(f"it did not take the allow-list ({error})")

    def close(self) -> None:
        """End the process; idempotent, any thread."""
        self._closed = True
        process = self._process
        if process is not None:
            process.kill()
        with contextlib.suppress(OSError):  # closed before
            os.write(self._waker, b"\0")
        if not self._busy.acquire(timeout=CLOSE_S):
            log.warning("the reader's thread is still busy; its process is ended all the same")
            return
        try:
            self._let_go()
        finally:
            self._busy.release()

    def _let_go(self) -> None:
        """Give back process and descriptors, once."""
        if self._process is not None:
            self._process.release()
            self._process = None
        if self._waker >= 0:
            os.close(self._waker)
            os.close(self._wake)
            self._waker = self._wake = -1

    def _begin(self) -> int:
        """Give the number of the presence that the terminal was told of last."""
        if self._blocked:
            raise CardMute("a mute card still lies there")
        return self._told

    def _ask(
        self, process: ReaderProcess | None, kind: bytes, body: bytes, deadline: float
    ) -> bytes:
        """Ask that process, and none that has taken its place; give its answer's body."""
        with self._busy:
            if process is None or process is not self._process or self._closed:
                raise DeviceError("the reader process does not run")
            try:
                process.send(wire.frame(kind, body))
                while (heard := process.receive(deadline)) is not None:
                    if heard[0] != wire.EVENT:
                        return self._answer(kind, *heard)
                    self._note(wire.event_of(heard[1]))
            except (ProcessEnded, FrameError) as error:
                self._ended(str(error))
                raise DeviceError(str(error)) from error
            if self._closed:
                raise DeviceError("the reader was closed")
            self._give_up()
            raise CardMute("no answer within the conversation's time")

    def _answer(self, asked: bytes, kind: bytes, body: bytes) -> bytes:
        """Make of an answer what the caller is told, and keep how the conversation goes."""
        if kind in {wire.OK, wire.ANSWER}:
            if asked == wire.CONNECT:
                self._spoilt = False
            elif asked == wire.DISCONNECT:
                self._conclude()
            return body
        cause = body[:1]
        if kind != wire.FAILED or cause not in FAILURES:
            raise FrameError("an answer that nobody knows")
        self._spoilt = self._spoilt or cause in {wire.MUTE, wire.BROKEN}
        if cause == wire.REFUSED:
            self.refused += 1
            log.warning("a command outside the allow-list was refused, %d so far", self.refused)
        elif cause == wire.BROKEN and asked in {wire.CONNECT, wire.DISCONNECT}:
            self._conclude()
        raise FAILURES[cause](body[1:].decode(errors="replace"))

    def _conclude(self) -> None:
        """A conversation is over: the card is done with, or the reader has failed once more."""
        if not self._spoilt:
            self._finished = True
            self._broken = 0
            return
        self._broken += 1
        if self._broken >= MOST_BROKEN:
            self._replace(f"{self._broken} conversations in a row failed")

    def _give_up(self) -> None:
        """Replace the process; the card that lies there is not spoken to again."""
        if self._presence is not None:
            self._blocked = True
            self._ladder.begin(time.monotonic())
        self._replace("a card does not answer")

    def _replace(self, reason: str) -> None:
        """End the process, and start another at once."""
        log.warning("replacing the reader process: %s", reason)
        self._end_process()
        self._start()

    def _start(self) -> None:
        self._broken = 0
        try:
            self._process = ReaderProcess(self._setup, self._wake)
        except ProcessEnded as error:
            self._ended(str(error))

    def _ended(self, detail: str) -> None:
        """The process has ended by itself: tell, and start another one after a pause."""
        self._end_process()
        self._start_at = time.monotonic() + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        if not self._closed:
            log.warning("%s", detail)
            self._tell_lost(time.monotonic_ns(), detail)

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.release()
            self._process = None

    def _listen(self, until: float) -> bool:
        """Take one frame, or wait; tell whether something was heard."""
        if self._process is None:
            select.select([self._wake], [], [], max(0.0, until - time.monotonic()))
            return False
        try:
            heard = self._process.receive(until)
            if heard is not None and heard[0] == wire.EVENT:
                self._note(wire.event_of(heard[1]))
        except (ProcessEnded, FrameError) as error:
            self._ended(str(error))
            return False
        return heard is not None

    def _note(self, event: Event) -> None:
        """Make of what the process saw what the terminal is told."""
        if event.kind == "lost":
            self._tell_lost(event.mono_ns, event.detail)
        elif event.kind == "back":
            self._pause_s = FIRST_PAUSE_S
            if not self._there:
                self._there = True
                self._tell("back", event.mono_ns)
        elif event.kind == "present":
            known = event.first or self._settled_at is not None
            if self._done_with and (known or event.presence == self._presence):
                self._presence, self._settled_at = event.presence, None
                return
            self._tell_gone(event.mono_ns)
            self._presence = event.presence
            self._tell("present", event.mono_ns)
        elif event.kind == "gone" and event.first and self._settled_at is not None:
            self._settled_at = time.monotonic() + SETTLE_S
        elif event.kind == "gone":
            self._tell_gone(event.mono_ns)

    @property
    def _done_with(self) -> bool:
        """Whether the card that lies there is not to be presented a second time.

        A new one cannot be told from it while ``SETTLE_S`` runs.
        """
        return self._presence is not None and (self._blocked or self._finished)

    def _tell_gone(self, mono_ns: int) -> None:
        self._blocked = self._finished = False
        self._settled_at = None
        self._ladder.end()
        if self._presence is not None:
            self._presence = None
            self._tell("gone", mono_ns)

    def _tell_lost(self, mono_ns: int, detail: str) -> None:
        if self._done_with:
            # Whoever finds the field empty at first may only not have found the card yet.
            self._settled_at = math.inf
        else:
            self._tell_gone(mono_ns)
        if self._there is not False:
            self._there = False
            self._tell("lost", mono_ns, detail)

    def _tell(self, kind: str, mono_ns: int, detail: str = "") -> None:
        self._changes.append((FieldChange(kind, mono_ns, detail), self._presence or 0))

    def _climb(self) -> None:
        """Do what is due about a mute card."""
        if self._settled_at is not None and time.monotonic() >= self._settled_at:
            self._tell_gone(time.monotonic_ns())
        tell, command = self._ladder.climb(time.monotonic())
        if tell:
            self._tell("blocked", time.monotonic_ns())
        if command:
            run(command)


def _patterns(allow: Sequence[ApduPattern]) -> wire.Patterns:
    return tuple((each.head, each.shortest, each.longest) for each in allow)
