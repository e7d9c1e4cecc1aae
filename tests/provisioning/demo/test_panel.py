"""The panel seen from outside: lines become lamps, tones, pictures; their end is a power cut."""

import json
import os
import time
from collections.abc import Callable

from provisioning.demo.panel import Edge, Panel, PanelPipes

PATIENCE_S = 5.0


def wait_until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def say(pipes: PanelPipes, *lines: object) -> None:
    for line in lines:
        text = line if isinstance(line, str) else json.dumps(line)
        os.write(pipes.out, text.encode() + b"\n")


def pin(name: str, value: int, mono_ns: int = 5) -> dict[str, object]:
    return {"pin": name, "value": value, "mono_ns": mono_ns}


def test_lamps_strike_and_picture_follow_the_terminal() -> None:
    panel = Panel()
    pipes = panel.connect()
    say(pipes, pin("ring", 1), pin("strike", 1), pin("buzzer", 2000), {"frame": "AAAA"})
    wait_until(lambda: panel.state.frame == "AAAA")
    state = panel.state
    assert (state.power, state.ring, state.cross, state.strike) == (True, True, False, True)
    assert state.hertz == 2000
    os.close(pipes.out)
    wait_until(lambda: not panel.state.power)
    assert not panel.state.ring
    assert not panel.state.strike
    os.close(pipes.presses)


def test_the_buzzers_edges_are_handed_on_once_each_with_their_times() -> None:
    panel = Panel()
    pipes = panel.connect()
    say(pipes, pin("buzzer", 2000, 1_000_000), pin("ring", 1, 2_000_000))
    say(pipes, pin("buzzer", 0, 121_000_000))
    wait_until(lambda: panel.buzzer_after(0)[0] == 3)
    heard, edges = panel.buzzer_after(0)
    assert edges == [(2000, 1.0), (0, 121.0)]
    assert panel.buzzer_after(heard) == (3, [])
    os.close(pipes.out)
    os.close(pipes.presses)


def test_every_edge_is_told_before_the_next_is_read() -> None:
    told: list[Edge] = []
    panel = Panel(told.append)
    pipes = panel.connect()
    say(pipes, pin("strike", 1, 7), pin("buzzer", 440, 9))
    wait_until(lambda: len(told) == 2)
    assert told == [Edge("strike", 1, 7), Edge("buzzer", 440, 9)]
    os.close(pipes.out)
    os.close(pipes.presses)


def test_lines_that_are_not_understood_are_passed_over() -> None:
    panel = Panel()
    pipes = panel.connect()
    say(pipes, "no json", {"pin": "ring"}, pin("bell", 1), {"lost": 3}, pin("cross", 1))
    wait_until(lambda: panel.state.cross)
    os.close(pipes.out)
    os.close(pipes.presses)


def test_a_press_reaches_the_terminal_and_nobody_without_power() -> None:
    panel = Panel()
    panel.press("button-1")
    pipes = panel.connect()
    panel.press("button-2")
    assert json.loads(os.read(pipes.presses, 100)) == {"press": "button-2"}
    os.close(pipes.out)
    wait_until(lambda: not panel.state.power)
    panel.press("button-3")
    os.close(pipes.presses)


def test_the_end_of_a_former_terminal_does_not_darken_the_next() -> None:
    panel = Panel()
    first = panel.connect()
    second = panel.connect()
    os.close(first.out)
    say(second, pin("ring", 1))
    wait_until(lambda: panel.state.ring)
    assert panel.state.power
    for end in (first.presses, second.out, second.presses):
        os.close(end)
