"""The display: the newest screen wins, a dead bus holds nobody up, and luma's bytes are ours."""

import atexit
import errno
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
import smbus2
from PIL import Image

from drivers import oled
from drivers.oled import Oled, i2c_panel, spi_panel
from drivers.screens import Picture
from terminal.core.signals import Line, Screen
from terminal.ports import DeviceError
from tests.drivers.outside import Outside, Reports, panel


def named(key: str) -> Screen:
    return Screen(key, (Line(key),))


def drawn(screen: Screen) -> Picture:
    """A picture that tells its screen: the key's length, lit in the first row."""
    image = Image.new("1", (128, 64))
    for x in range(len(screen.key)):
        image.putpixel((x, 0), 1)
    return image


class Wall:
    """A panel that keeps what it is given; its bus can be slow or dead."""

    def __init__(self) -> None:
        self.shown: list[int] = []
        self.contrasts: list[int] = []
        self.opened = 0
        self.cleaned = 0
        self.dead: Exception | None = None
        self.reached = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def open(self) -> "Wall":
        self.opened += 1
        self._touch()
        return self

    def display(self, image: Picture) -> None:
        self.reached.set()
        self.free.wait(5)
        self._touch()
        self.shown.append(sum(image.getpixel((x, 0)) == 1 for x in range(128)))

    def contrast(self, level: int) -> None:
        self._touch()
        self.contrasts.append(level)

    def cleanup(self) -> None:
        self.cleaned += 1
        self._touch()

    def _touch(self) -> None:
        if self.dead is not None:
            raise self.dead


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def outside() -> Iterator[Outside]:
    with panel() as (_, seen):
        yield seen


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oled, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(oled, "LONGEST_PAUSE_S", 0.02)


def test_of_screens_that_wait_only_the_newest_is_drawn(wall: Wall, outside: Outside) -> None:
    wall.free.clear()
    display = Oled(wall.open, drawn, Reports())
    display.show(named("a"))
    assert wall.reached.wait(5)
    for key in ("bb", "ccc", "dddd"):
        display.show(named(key))
    wall.free.set()
    outside.until(lambda: wall.shown == [1, 4])
    display.close()


def test_closing_draws_what_waits_then_switches_off(wall: Wall) -> None:
    display = Oled(wall.open, drawn, Reports())
    display.show(named("abc"))
    display.close()
    display.close()
    assert wall.shown == [3]
    assert wall.cleaned == 1


def test_at_rest_the_panel_is_dimmer(wall: Wall, outside: Outside) -> None:
    display = Oled(wall.open, drawn, Reports(), contrast=200, idle_contrast=50)
    for key in ("idle", "idle_chosen", "permitted", "idle"):
        display.show(named(key))
        outside.until(lambda key=key: wall.shown[-1:] == [len(key)])  # type: ignore[misc]
    assert wall.contrasts == [50, 200, 50]
    display.close()


def test_a_dead_bus_is_told_once_tried_again_and_told_when_it_is_back(
    wall: Wall, outside: Outside
) -> None:
    reports = Reports()
    wall.dead = OSError(errno.EIO, "no answer")
    display = Oled(wall.open, drawn, reports)
    display.show(named("a"))
    outside.until(lambda: wall.opened > 3)
    display.show(named("bb"))
    wall.dead = None
    outside.until(lambda: wall.shown == [2])
    outside.until(lambda: len(reports.told) == 2)
    assert reports.told == [("display", "[Errno 5] no answer"), ("display", "")]
    display.close()


def test_a_panel_that_lost_its_power_is_set_up_anew(wall: Wall, outside: Outside) -> None:
    display = Oled(wall.open, drawn, Reports(), contrast=200)
    display.show(named("a"))
    outside.until(lambda: wall.shown == [1])
    wall.dead = OSError("gone")
    display.show(named("bb"))
    outside.until(lambda: wall.cleaned > 0)
    wall.dead = None
    outside.until(lambda: wall.shown == [1, 2])
    assert wall.opened >= 2
    assert wall.contrasts[-1] == 200
    display.close()


def test_a_dead_bus_does_not_hold_up_closing(wall: Wall, outside: Outside) -> None:
    reports = Reports()
    wall.dead = OSError("no answer")
    display = Oled(wall.open, drawn, reports)
    display.show(named("a"))
    outside.until(lambda: bool(reports.told))
    display.close()
    assert not any(thread.name == "oled" for thread in threading.enumerate())


def test_a_screen_that_cannot_be_drawn_does_not_end_the_display(
    wall: Wall, outside: Outside
) -> None:
    def drawn_unless_odd(screen: Screen) -> Picture:
        if screen.key == "odd":
            raise ValueError("cannot draw this")
        return drawn(screen)

    reports = Reports()
    display = Oled(wall.open, drawn_unless_odd, reports)
    display.show(named("odd"))
    outside.until(lambda: reports.told == [("display", "cannot draw this")])
    display.show(named("even"))
    outside.until(lambda: wall.shown == [4])
    display.close()


def test_an_error_without_words_is_told_by_its_name(wall: Wall, outside: Outside) -> None:
    reports = Reports()
    wall.dead = AssertionError()
    display = Oled(wall.open, drawn, reports)
    display.show(named("a"))
    outside.until(lambda: reports.told == [("display", "AssertionError")])
    display.close()


# luma's devices on a bus that remembers what a controller would


class Bus:
    """An I2C bus with one controller on it, as far as it keeps pixels (SSD1306 and SH1106)."""

    def __init__(self) -> None:
        self.memory = [bytearray(132) for _ in range(8)]
        self.page, self.column = 0, 0
        self.paged = False
        self.lit = False
        self.contrast = 0
        self.dead = False
        self.closed = False
        self.tried = 0

    def write_i2c_block_data(self, _address: int, mode: int, data: list[int]) -> None:
        self.tried += 1
        if self.dead:
            raise OSError(errno.EREMOTEIO, "Remote I/O error")
        assert mode == 0
        if 0xB0 <= data[0] <= 0xB7 and len(data) == 3:
            self.paged, self.page, self.column = True, data[0] - 0xB0, data[1]
        elif data[0] == 0x21:
            self.page, self.column = 0, data[1]
        elif data[0] == 0x81:
            self.contrast = data[1]
        elif data[0] in {0xAE, 0xAF}:
            self.lit = data[0] == 0xAF

    def i2c_rdwr(self, message: Iterable[int]) -> None:
        mode, *data = list(message)
        assert mode == 0x40
        for byte in data:
            self.memory[self.page][self.column] = byte
            self.column += 1
            if self.column == 128 and not self.paged:
                self.page, self.column = self.page + 1, 0

    def close(self) -> None:
        self.closed = True

    def picture(self) -> Picture:
        """What is on the glass; an SH1106 has 132 columns of which the glass shows 2 to 129."""
        image = Image.new("1", (128, 64))
        first = 2 if self.paged else 0
        for y in range(64):
            for x in range(128):
                byte = self.memory[y // 8][first + x]
                image.putpixel((x, y), byte >> (y % 8) & 1)
        return image


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Bus:
    bus = Bus()
    monkeypatch.setattr(smbus2, "SMBus", lambda _port: bus)
    return bus


def corners(_screen: Screen) -> Picture:
    image = Image.new("1", (128, 64))
    for x, y in ((0, 0), (127, 0), (1, 9), (64, 63)):
        image.putpixel((x, y), 1)
    return image


@pytest.mark.parametrize("model", ["ssd1306", "sh1106", "ssd1309"])
@pytest.mark.parametrize("rotate", [0, 2])
def test_the_picture_reaches_the_glass_pixel_by_pixel(
    bus: Bus, outside: Outside, model: str, rotate: int
) -> None:
    display = Oled(i2c_panel(model, rotate=rotate), corners, Reports())
    display.show(named("permitted"))
    expected = corners(named("")).rotate(90 * rotate)
    outside.until(lambda: bus.picture().tobytes() == expected.tobytes())
    assert (bus.lit, bus.contrast) == (True, oled.CONTRAST)
    display.close()
    assert (bus.lit, bus.picture().getbbox()) == (False, None)
    assert bus.closed


def test_a_bus_without_a_display_is_told_with_the_address(bus: Bus, outside: Outside) -> None:
    bus.dead = True
    reports = Reports()
    display = Oled(i2c_panel("ssd1306", address=0x3D), corners, reports)
    display.show(named("idle"))
    outside.until(lambda: bool(reports.told))
    assert "0x3D" in reports.told[0][1]
    assert bus.closed
    tried = bus.tried
    kept = atexit._ncallbacks()
    outside.until(lambda: bus.tried > tried + 5)
    assert atexit._ncallbacks() == kept  # luma keeps each device it began until the end
    bus.dead = False
    outside.until(lambda: bus.lit)
    display.close()


def failing(opened: Callable[[], oled.Panel], outside: Outside) -> str:
    reports = Reports()
    display = Oled(opened, corners, reports)
    display.show(named("idle"))
    outside.until(lambda: bool(reports.told))
    display.close()
    return reports.told[0][1]


def test_a_missing_bus_is_told(outside: Outside) -> None:
    assert "not found" in failing(i2c_panel("sh1106", bus=97), outside)


def test_spi_without_its_modules_is_told_by_their_names(
    monkeypatch: pytest.MonkeyPatch, outside: Outside
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "RPi", None)
    assert "RPi" in failing(spi_panel("ssd1309"), outside)


@pytest.mark.parametrize("opener", [i2c_panel, spi_panel])
def test_a_model_that_nobody_knows_is_refused_with_those_there_are(
    opener: Callable[..., object],
) -> None:
    with pytest.raises(DeviceError, match="'ssd9999' is none of ssd1306, sh1106, ssd1309"):
        opener("ssd9999")
    with pytest.raises(DeviceError, match="rotation 1"):
        opener("ssd1306", rotate=1)
