"""What is a press: a level that holds. A bounce is none, and neither is a button found down."""

from collections.abc import Iterator

import pytest

from drivers import inputs as inputs_driver
from drivers.inputs import GpioInputs
from drivers.simulated import PINS, Panel
from terminal.ports import DeviceError
from tests.drivers.outside import Outside, panel

NAMES = ("button-1", "button-2", "button-3", "button-4", "exit")
WIRED = {name: PINS[name] for name in NAMES}


@pytest.fixture
def wall() -> Iterator[tuple[Panel, Outside]]:
    with panel() as both:
        yield both


def listening(inside: Panel, pressed: list[str]) -> GpioInputs:
    inputs = GpioInputs(WIRED, inside.factory)
    inputs.listen(pressed.append)
    return inputs


def test_every_button_is_known_by_its_name(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    pressed: list[str] = []
    inputs = listening(inside, pressed)
    for count, name in enumerate(NAMES, 1):
        outside.say(press=name, held_ms=100)
        outside.until(lambda count=count: len(pressed) == count)  # type: ignore[misc]
    assert pressed == list(NAMES)
    inputs.close()


def test_long_presses_in_a_row_are_all_seen_once_each(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    pressed: list[str] = []
    inputs = listening(inside, pressed)
    for count in (1, 2, 3):
        outside.say(press="exit", held_ms=410)
        outside.until(lambda count=count: len(pressed) == count)  # type: ignore[misc]
        outside.until(lambda: not inputs._levels["exit"].down)
    inputs.close()
    assert pressed == ["exit"] * 3


def test_a_bounce_is_no_press(wall: tuple[Panel, Outside], monkeypatch: pytest.MonkeyPatch) -> None:
    # Twenty times the real one, so that a busy machine cannot make a press of the bounce.
    monkeypatch.setattr(inputs_driver, "SETTLE_MS", 600)
    inside, outside = wall
    pressed: list[str] = []
    inputs = listening(inside, pressed)
    exit_pin = inside.factory.pin(PINS["exit"])
    exit_pin.clear_states()
    outside.say(press="exit", held_ms=20)
    outside.until(lambda: [change.state for change in exit_pin.states] == [True, False, True])
    outside.say(press="button-1", held_ms=1500)
    outside.until(lambda: bool(pressed))
    assert pressed == ["button-1"]
    inputs.close()


def test_a_press_that_bounces_is_one_press(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    pressed: list[str] = []
    inputs = listening(inside, pressed)
    contact = inside.factory.pin(PINS["button-2"])
    for _ in range(5):
        contact.drive_low()
        contact.drive_high()
    contact.drive_low()
    outside.until(lambda: bool(pressed))
    contact.drive_high()
    outside.say(press="button-1", held_ms=100)
    outside.until(lambda: len(pressed) > 1)
    assert pressed == ["button-2", "button-1"]
    inputs.close()


def test_a_button_found_down_counts_only_after_it_was_up(wall: tuple[Panel, Outside]) -> None:
    inside, outside = wall
    pressed: list[str] = []
    stuck = inside.factory.pin(PINS["exit"])
    inputs = GpioInputs(WIRED, inside.factory)
    stuck.drive_low()
    inputs.listen(pressed.append)
    outside.say(press="button-1", held_ms=100)
    outside.until(lambda: bool(pressed))
    assert pressed == ["button-1"]
    stuck.drive_high()
    outside.until(lambda: not inputs._levels["exit"].down)
    stuck.drive_low()
    outside.until(lambda: pressed == ["button-1", "exit"])
    inputs.close()


def test_after_closing_nothing_is_heard_and_the_pins_are_free(wall: tuple[Panel, Outside]) -> None:
    inside, _ = wall
    pressed: list[str] = []
    inputs = listening(inside, pressed)
    devices = list(inputs._devices.values())
    inputs.close()
    inputs.close()
    assert all(device.closed for device in devices)
    inside.factory.pin(PINS["exit"]).drive_low()
    listening(inside, pressed).close()
    assert pressed == []


def test_a_pin_that_is_taken_is_told_and_none_stays_claimed(wall: tuple[Panel, Outside]) -> None:
    inside, _ = wall
    with pytest.raises(DeviceError, match="exit on GPIO 22") as refused:
        GpioInputs({"button-1": 22, "exit": 22}, inside.factory)
    # The refusal is still held here, so that only an explicit close can have freed the pin.
    GpioInputs({"exit": 22}, inside.factory).close()
    assert refused.value.__cause__ is not None
