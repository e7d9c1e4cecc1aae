"""What a hostile broker cannot make a terminal do often: attempts, and records of refusals.

An index costs nothing to forge and proves nothing, so an attempt that brought nothing new puts the
next one off, twice as long each time, whether it was refused or only found what is stored; what
brought something that the town signed, and time itself, shorten the pause again. No two attempts
are closer than SHORTEST_PAUSE_S. A refusal is told once a day, however often it happens.
"""

from collections.abc import Callable

from terminal.updater_reasons import Refusal, Refused

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
HALVING_S = 600.0
TOLD_AGAIN_S = 24 * 3600.0
MOST_TOLD = 128
"""More than there are reasons for files; past it a refusal is only logged."""


class Pace:
    """When the next attempt may begin; ``now`` gives monotonic seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._pause = 0.0
        self._ended = now()
        self._next = self._ended

    def due(self) -> bool:
        """Whether an attempt may begin."""
        return self._now() >= self._next

    def ended(self, *, fruitful: bool) -> None:
        """Put the next attempt off; ``fruitful`` if this one brought something new."""
        now = self._now()
        pause = self._pause * 0.5 ** ((now - self._ended) / HALVING_S)
        pause = pause / 2 if fruitful else pause * 2
        self._pause = min(max(pause, SHORTEST_PAUSE_S), LONGEST_PAUSE_S)
        self._ended, self._next = now, now + self._pause


class Told:
    """The refusals that were told within the last day, at most MOST_TOLD."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._told: dict[tuple[Refusal, str], float] = {}

    def is_news(self, refused: Refused) -> bool:
        """Whether to tell ``refused``; then it counts as told."""
        now = self._now()
        self._told = {one: at for one, at in self._told.items() if now - at < TOLD_AGAIN_S}
        one = refused.reason, refused.file
        if one in self._told or len(self._told) >= MOST_TOLD:
            return False
        self._told[one] = now
        return True

    def forget(self, reason: Refusal) -> bool:
        """Let the next refusal with ``reason`` be news; False if none was told."""
        kept = {one: at for one, at in self._told.items() if one[0] is not reason}
        known, self._told = self._told, kept
        return len(kept) < len(known)

    def clear(self) -> None:
        """Let every refusal be news again."""
        self._told.clear()
