"""The one queue and its timers, on a clock that the test moves."""

import threading

from terminal.inbox import NS_PER_MS, Due, Inbox


class HandClock:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ns = 1_000 * NS_PER_MS

    def __call__(self) -> int:
        return self.ns

    def move_ms(self, ms: int) -> None:
        self.ns += ms * NS_PER_MS


def test_items_come_out_in_the_order_they_came_in() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.put("first")
    inbox.put("second")
    assert [inbox.next(0), inbox.next(0), inbox.next(0)] == ["first", "second", None]


def test_a_due_timer_goes_before_a_full_queue() -> None:
    clock = HandClock()
    inbox: Inbox[str] = Inbox(clock)
    inbox.set_timer("relock", 100)
    inbox.put("busy")
    clock.move_ms(100)
    assert inbox.next(0) == Due("relock")
    assert inbox.next(0) == "busy"


def test_a_timer_is_due_once_and_not_a_moment_early() -> None:
    clock = HandClock()
    inbox: Inbox[str] = Inbox(clock)
    inbox.set_timer("choice", 8000)
    clock.move_ms(7999)
    assert inbox.next(0) is None
    clock.move_ms(1)
    assert inbox.next(0) == Due("choice")
    assert inbox.next(0) is None


def test_a_timer_set_again_starts_anew() -> None:
    clock = HandClock()
    inbox: Inbox[str] = Inbox(clock)
    inbox.set_timer("choice", 100)
    clock.move_ms(90)
    inbox.set_timer("choice", 100)
    clock.move_ms(90)
    assert inbox.next(0) is None


def test_a_cancelled_timer_never_comes() -> None:
    clock = HandClock()
    inbox: Inbox[str] = Inbox(clock)
    inbox.set_timer("card-left", 10)
    inbox.cancel_timer("card-left")
    inbox.cancel_timer("never-set")
    clock.move_ms(20)
    assert inbox.next(0) is None


def test_the_earlier_of_two_due_timers_comes_first() -> None:
    clock = HandClock()
    inbox: Inbox[str] = Inbox(clock)
    inbox.set_timer("later", 20)
    inbox.set_timer("sooner", 10)
    clock.move_ms(50)
    assert [inbox.next(0), inbox.next(0)] == [Due("sooner"), Due("later")]


def test_waiting_ends_when_the_timer_is_due() -> None:
    inbox: Inbox[str] = Inbox()
    inbox.set_timer("soon", 5)
    assert inbox.next(30) == Due("soon")


def test_another_thread_wakes_the_loop() -> None:
    inbox: Inbox[str] = Inbox()
    thread = threading.Thread(target=inbox.put, args=("card",))
    thread.start()
    assert inbox.next(30) == "card"
    thread.join()
