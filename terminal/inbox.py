"""The one queue and the timers: the only door from every other thread to the loop.

Any thread may ``put``; only the loop sets timers and takes out. Waiting is a duration on the
monotonic clock, so a stepped wall clock moves no timer, and due timers go first, so a busy inbox
cannot starve them.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Due:
    """The timer of that name ran out."""

    timer: str


class Inbox(Generic[T]):
    """A queue of ``T`` with named timers. ``now_ns`` is the monotonic clock."""

    def __init__(self, now_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._now_ns = now_ns
        self._queue: SimpleQueue[T] = SimpleQueue()
        self._timers: dict[str, int] = {}

    def put(self, item: T) -> None:
        """Hand ``item`` to the loop; any thread, never blocks."""
        self._queue.put(item)

    def set_timer(self, timer: str, after_ms: int) -> None:
        """Let ``timer`` be due in ``after_ms``; one of that name starts anew. Loop only."""
        self._timers[timer] = self._now_ns() + after_ms * NS_PER_MS

    def cancel_timer(self, timer: str) -> None:
        """Forget ``timer``; nothing happens if it does not run. Loop only."""
        self._timers.pop(timer, None)

    def next(self, longest_s: float) -> T | Due | None:
        """The next due timer or item, or None after ``longest_s`` without any. Loop only."""
        due = self._take_due()
        if due is not None:
            return due
        try:
            return self._queue.get(timeout=self._patience_s(longest_s))
        except Empty:
            return self._take_due()

    def _patience_s(self, longest_s: float) -> float:
        if not self._timers:
            return longest_s
        until_timer_s = (min(self._timers.values()) - self._now_ns()) / NS_PER_S
        return max(0.0, min(longest_s, until_timer_s))

    def _take_due(self) -> Due | None:
        if not self._timers:
            return None
        timer = min(self._timers, key=self._timers.__getitem__)
        if self._timers[timer] > self._now_ns():
            return None
        del self._timers[timer]
        return Due(timer)
