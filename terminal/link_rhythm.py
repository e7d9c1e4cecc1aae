"""When to reach for the broker again, and when two terminals seem to share one identity."""

import random

SHORTEST_S = 1.0
LONGEST_S = 120.0

TAKEN_OVER = 0x8E
"""DISCONNECT: another client has connected with our id (MQTT 5, 3.14.2.1)."""

_SHORT_S = 30.0
_SETTLED_S = 600.0
_CALM_S = 30.0
_MOST_SHORT = 4


class BackOff:
    """Waiting times in seconds: doubling from 1 to 120, each drawn between its half and its whole.

    ``first_s`` is the longest that the first of all may be.
    """

    def __init__(self, first_s: float, chance: random.Random) -> None:
        self._first_s = first_s
        self._chance = chance
        self._next_s = SHORTEST_S

    def first(self) -> float:
        """The wait before the first connection, drawn anew by each terminal."""
        return self._chance.uniform(0, self._first_s)

    def next(self) -> float:
        """The wait before the next connection."""
        whole = self._next_s
        self._next_s = min(2 * whole, LONGEST_S)
        return self._chance.uniform(whole / 2, whole)

    def reset(self) -> None:
        """A session has lasted: the next wait is a short one."""
        self._next_s = SHORTEST_S


class Flaps:
    """Notices sessions that end soon after they began although the broker is there.

    Two terminals with one identity (a cloned SD card) push each other out for ever. Brokers of
    the 2.0 line do not say so, so the pattern has to be seen.
    """

    def __init__(self) -> None:
        self._short = 0

    def missed(self) -> None:
        """The broker was not reached: what ended the sessions was its absence."""
        self._short = 0

    def ended(self, lasted_s: float, code: int | None) -> bool:
        """A session was ended by the other side; whether two seem to share our identity."""
        self._short = self._short + 1 if lasted_s < _SHORT_S else 0
        return code == TAKEN_OVER or self._short >= _MOST_SHORT


def calm(lasting_s: float) -> bool:
    """Whether a session has lasted long enough for the next wait to be short again."""
    return lasting_s > _CALM_S


def settled(lasting_s: float) -> bool:
    """Whether a session has lasted long enough to end the alarm of a shared identity."""
    return lasting_s > _SETTLED_S
