"""The panel from outside: every edge tells, no reader holds it up, no line upsets it."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from drivers import simulated
from drivers.simulated import PINS, Outlet, Panel
from tests.drivers.outside import Outside, panel

ROOT = Path(__file__).parents[2]

DIES_AFTER_ITS_TONE = """
import os, signal, sys
from drivers.simulated import PINS, Panel
panel = Panel(int(sys.argv[1]))
buzzer = panel.factory.pin(PINS["buzzer"])
buzzer.function = "output"
buzzer.frequency = 2000
buzzer.state = 0.5
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def wall() -> Iterator[tuple[Panel, Outside]]:
    with panel() as both:
        yield both


def lit(inside: Panel, name: str, times: int) -> None:
    pin = inside.factory.pin(PINS[name])
    pin.function = "output"
    for _ in range(times):
        pin.state = 1.0
        pin.state = 0.0


def test_an_edge_is_seen_from_outside_even_if_the_process_dies_right_after() -> None:
    seen, out_fd = os.pipe()
    began = time.monotonic_ns()
    dead = subprocess.run(
        [sys.executable, "-c", DIES_AFTER_ITS_TONE, str(out_fd)],
        pass_fds=[out_fd],
        cwd=ROOT,
        check=False,
        timeout=30,
    )
    os.close(out_fd)
    with os.fdopen(seen) as lines:
        (line,) = [json.loads(line) for line in lines]
    assert dead.returncode == -signal.SIGKILL
    assert (line["pin"], line["value"]) == ("buzzer", 2000)
    assert began < line["mono_ns"] < time.monotonic_ns()


def test_only_edges_of_outputs_are_told_and_each_once(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    inside.factory.pin(PINS["exit"]).drive_high()
    ring = inside.factory.pin(PINS["ring"])
    ring.function = "output"
    for state in (1.0, 1.0, 0.0, 0.0):
        ring.state = state
    lit(inside, "strike", 1)
    outside.until(lambda: len(outside.lines) == 4)
    assert outside.order() == [("ring", 1), ("ring", 0), ("strike", 1), ("strike", 0)]


def test_without_a_reader_nothing_waits_and_no_edge_is_lost(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    lit(inside, "ring", 10_000)
    pictures = [Image.new("1", (128, 64), color) for color in (1, 0, 1)]
    for picture in pictures:
        inside.display_device.display(picture)
    outside.until(lambda: len(outside.edges("ring")) == 20_000)
    assert outside.edges("ring") == [1, 0] * 10_000
    outside.until(lambda: bool(outside.frames()))
    assert outside.frames() == [base64.b64encode(b"\xff" * 1024).decode()]


def test_a_line_that_goes_out_in_pieces_is_put_together_again() -> None:
    seen, out_fd = os.pipe()
    outlet = Outlet(out_fd)
    outlet.edge({"pin": "ring", "value": 1, "padding": "x" * 200_000})
    outlet.edge({"pin": "ring", "value": 0})
    outside = Outside(seen, -1)

    def both_came() -> bool:
        outlet.flush()
        return outside.edges("ring") == [1, 0]

    outside.until(both_came)
    outlet.close()
    os.close(seen)


def test_past_the_limit_the_oldest_edges_go_and_their_number_is_told(
    wall: tuple[Panel, Outside], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "EDGES_KEPT", 100)
    inside, outside = wall
    lit(inside, "ring", 10_000)
    outside.until(lambda: sum(line.get("lost", 1) for line in outside.lines) == 20_000)
    lost = [index for index, line in enumerate(outside.lines) if "lost" in line]
    assert len(outside.lines) - lost[-1] > 100
    assert outside.lines[-1]["value"] == 0


def test_a_reader_that_went_away_is_no_fault() -> None:
    seen, out_fd = os.pipe()
    inside = Panel(out_fd)
    os.close(seen)
    lit(inside, "ring", 100)
    inside.close()


def test_a_picture_is_told_as_1024_bytes_the_leftmost_pixel_highest(
    wall: tuple[Panel, Outside],
) -> None:
    inside, outside = wall
    image = Image.new("1", (128, 64))
    image.putpixel((0, 0), 1)
    image.putpixel((127, 63), 1)
    inside.display_device.contrast(10)
    inside.display_device.display(image)
    inside.display_device.display(image)
    inside.display_device.cleanup()
    outside.until(lambda: len(outside.frames()) == 2)
    assert base64.b64decode(outside.frames()[0]) == b"\x80" + bytes(1022) + b"\x01"
    assert base64.b64decode(outside.frames()[1]) == bytes(1024)


def test_a_press_is_down_for_its_time_and_up_again(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    pin = inside.factory.pin(PINS["button-1"])
    pin.pull = "up"
    pin.clear_states()
    outside.say(press="button-1", held_ms=60)
    outside.until(lambda: [change.state for change in pin.states] == [True, False, True])
    assert pin.states[-1].timestamp >= 0.06  # seconds since the change before


def test_the_door_is_moved_from_outside(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    contact = inside.factory.pin(PINS["door"])
    outside.say(door="open")
    outside.until(lambda: bool(contact.state))
    outside.say(door="closed")
    outside.until(lambda: not contact.state)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[]",
        b"7",
        b'"press"',
        b"not json",
        b"\xff\xfe",
        b'{"press":"strike"}',
        b'{"press":"door"}',
        b'{"press":"button-9"}',
        b'{"press":["button-1"]}',
        b'{"press":"exit","held_ms":"long"}',
        b'{"press":"exit","held_ms":1e999}',
        b'{"door":"ajar"}',
        b"x" * 100_000,
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over(
    wall: tuple[Panel, Outside], line: bytes
) -> None:
    inside, outside = wall
    contact = inside.factory.pin(PINS["door"])
    lit(inside, "strike", 0)
    outside.say_raw(line + b"\n\n")
    outside.say(door="open")
    outside.until(lambda: bool(contact.state))
    assert outside.lines == []


def test_the_hand_that_leaves_does_not_stop_the_panel() -> None:
    in_fd, said = os.pipe()
    seen, out_fd = os.pipe()
    inside = Panel(out_fd, in_fd)
    os.close(said)
    outside = Outside(seen, -1)
    lit(inside, "ring", 1)
    outside.until(lambda: outside.edges("ring") == [1, 0])
    outside.until(lambda: not inside._reading)
    inside.close()
    os.close(seen)


def test_closing_lets_go_of_everything_and_may_be_repeated() -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the names are what is asked
    seen, out_fd = os.pipe()
    in_fd, said = os.pipe()
    inside = Panel(out_fd, in_fd)
    inside.close()
    inside.close()
    os.close(seen)
    os.close(said)
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above
