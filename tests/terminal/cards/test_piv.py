"""Challenges: drawn once, bound to place and time, remembered for a while."""

import itertools

import pytest

from terminal.cards.piv import REMEMBERED, Challenges, fresh_challenge

RANDOM = bytes(range(32))


def test_a_challenge_depends_on_chance_place_and_time() -> None:
    one = fresh_challenge(RANDOM, "hall-1", 1000)
    assert len(one) == 32
    assert one == fresh_challenge(RANDOM, "hall-1", 1000)
    others = [
        fresh_challenge(RANDOM[::-1], "hall-1", 1000),
        fresh_challenge(RANDOM, "hall-2", 1000),
        fresh_challenge(RANDOM, "hall-1", 1001),
        fresh_challenge(RANDOM, "hall-11", 0),
    ]
    assert len({one, *others}) == 5


def test_a_challenge_without_enough_chance_is_refused() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        fresh_challenge(RANDOM[:16], "hall-1", 0)


def numbered() -> Challenges:
    numbers = itertools.count()
    return Challenges(lambda: next(numbers).to_bytes(32, "big"))


def test_the_last_64_challenges_before_the_newest_are_remembered() -> None:
    asked = numbered()
    issued = [asked.issue() for _ in range(200)]
    assert asked.earlier() == tuple(reversed(issued[-1 - REMEMBERED : -1]))
    assert len(asked.earlier()) == 64


def test_before_and_after_the_first_challenge_there_are_none_earlier() -> None:
    asked = numbered()
    assert asked.earlier() == ()
    asked.issue()
    assert asked.earlier() == ()


def test_a_source_that_repeats_itself_is_refused() -> None:
    asked = Challenges(lambda: b"x" * 32)
    asked.issue()
    with pytest.raises(ValueError, match="32 fresh bytes"):
        asked.issue()


def test_a_source_that_gives_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="32 fresh bytes"):
        Challenges(lambda: b"short").issue()
