"""Every tap must be answered, rightly, and never before its record is on the terminal's disk."""

import threading
import time

import pytest

from provisioning.demo.answers import DARK_S, Watcher, judge
from provisioning.demo.panel import Edge
from provisioning.demo.proof import Tap
from provisioning.demo.report import Kind
from provisioning.demo.shown import Answer

OPENED = Answer(sounded=True, ring=True, green=True, released=True)
GREEN = Answer(sounded=True, ring=True, green=True)
REFUSED = Answer(sounded=True)


class Card:
    """A card at the reader; ``powered`` as a virtual card has it."""

    def __init__(self, *, powered: bool = True) -> None:
        self.powered = threading.Event()
        if powered:
            self.powered.set()


def watcher(*, on_disk: bool = True) -> Watcher:
    return Watcher(lambda _begun_ms, _at_ns: on_disk)


def edge(pin: str, value: int = 1) -> Edge:
    return Edge(pin, value, time.monotonic_ns())


def tap(reason: str, answer: Answer) -> Tap:
    return Tap("suzuki", 1000, 1400, frozenset({reason}), answer)


def test_an_answer_behind_its_record_is_gathered_for_its_tap() -> None:
    seen = watcher()
    seen.begin("suzuki")
    seen.lies_there(Card())
    for pin, value in (("strike", 1), ("buzzer", 2000), ("ring", 1), ("cross", 1), ("buzzer", 0)):
        seen.edge(edge(pin, value))
    assert seen.answered() == OPENED
    assert seen.findings == []
    seen.begin("sato")
    assert seen.answered() == Answer()


@pytest.mark.parametrize("pin", ["buzzer", "ring", "strike"])
def test_an_edge_before_the_record_is_on_disk_is_early(pin: str) -> None:
    seen = watcher(on_disk=False)
    seen.begin("suzuki")
    seen.lies_there(Card())
    seen.edge(edge(pin))
    (finding,) = seen.findings
    assert finding.kind is Kind.EARLY_BEEP
    assert "suzuki" in finding.text
    assert not seen.answered().green


def test_what_sounds_before_the_card_has_power_is_the_former_taps() -> None:
    seen = watcher(on_disk=False)
    seen.begin("suzuki")
    seen.lies_there(Card(powered=False))
    seen.edge(edge("buzzer"))
    assert seen.findings == []
    assert not seen.answered().sounded


def test_a_door_released_before_the_card_has_power_is_nobodys() -> None:
    seen = watcher()
    seen.begin("sato")
    seen.lies_there(Card(powered=False))
    seen.edge(edge("strike"))
    (finding,) = seen.findings
    assert finding.kind is Kind.WRONG_ANSWER


def test_an_answer_quicker_than_the_hand_that_holds_the_card_is_not_lost() -> None:
    seen = watcher()
    seen.begin("suzuki")
    seen.edge(edge("buzzer"))
    seen.lies_there(Card())
    assert seen.answered().sounded


def test_a_blinking_lamp_is_waited_for_and_a_steady_one_is_not() -> None:
    seen = watcher()
    for blinks in (False, True):
        seen.begin("mute")
        seen.lies_there(Card())
        for pin, value in (("buzzer", 1000), ("ring", 1), ("buzzer", 0)):
            seen.edge(edge(pin, value))
        if blinks:
            seen.edge(edge("ring", 0))
        begun = time.monotonic()
        seen.wait_until_quiet()
        assert (time.monotonic() - begun >= DARK_S - 0.01) is blinks or not blinks


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        ("permitted", OPENED),
        ("punched_in", GREEN),
        ("no_permit", REFUSED),
        # Both lamps blink for a card that did not answer.
        ("mute", GREEN),
        # A ring lamp that was lit too early is told as that.
        ("no_permit", Answer(sounded=True, ring=True)),
    ],
)
def test_the_right_answer_to_a_tap_is_no_finding(reason: str, answer: Answer) -> None:
    assert judge([tap(reason, answer)]) == []


@pytest.mark.parametrize(
    ("reason", "answer", "kind", "said"),
    [
        ("no_permit", Answer(), Kind.NO_ANSWER, "got no tone"),
        ("permitted", GREEN, Kind.NO_ANSWER, "did not release the door"),
        ("punched_in", REFUSED, Kind.NO_ANSWER, "did not light the ring lamp"),
        ("punched_in", OPENED, Kind.WRONG_ANSWER, "released the door"),
        ("no_permit", GREEN, Kind.WRONG_ANSWER, "lit the ring lamp"),
    ],
)
def test_a_wrong_or_missing_answer_is_named(
    reason: str, answer: Answer, kind: Kind, said: str
) -> None:
    (finding,) = judge([tap(reason, answer)])
    assert finding.kind is kind
    assert said in finding.text


def test_a_silent_terminal_is_named_for_all_that_is_missing() -> None:
    assert [one.kind for one in judge([tap("permitted", Answer())])] == [Kind.NO_ANSWER] * 3
