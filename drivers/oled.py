"""The OLED on the wall: SSD1306, SH1106 or SSD1309 with 128 x 64 pixels, on I2C or SPI.

A worker thread of this driver draws; ``show`` only leaves the newest screen for it, because a
whole picture is 23 ms of I2C at 400 kHz (93 ms at 100 kHz) and a dead bus would hold the loop for
good. Screens that came and went while the bus was busy are never drawn.

A bus that fails is reported once, tried again with growing pauses (0.5 s to 30 s), and reported
as working when a picture has arrived. After every failure the controller is set up anew: it may
have lost its power meanwhile. Nothing here raises into the loop.

OLED pixels wear out by being lit: at rest (text keys that begin with ``idle``) the panel runs at
a lower contrast than for a result. Where the contrast cannot be set, that is a fault of the bus
like any other.

What a screen looks like is ``screens``'; what it says is the core's.
"""

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from luma.core.interface.serial import i2c, spi
from luma.oled.device import sh1106, ssd1306, ssd1309

from drivers.screens import Picture
from terminal.core.signals import Screen
from terminal.ports import DeviceError, DeviceReport

logger = logging.getLogger(__name__)

MODELS = {"ssd1306": ssd1306, "sh1106": sh1106, "ssd1309": ssd1309}
DEVICE = "display"
CONTRAST = 0xCF
IDLE_CONTRAST = 0x40
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
_CLOSE_WITHIN_S = 2.0


class Panel(Protocol):
    """What this driver needs of a luma device; the simulated panel has the same."""

    def display(self, image: Picture) -> None:
        """Bring a picture of mode "1", 128 x 64, to the glass."""
        ...

    def contrast(self, level: int) -> None:
        """Set the brightness, 0 to 255."""
        ...

    def cleanup(self) -> None:
        """Switch off, clear, and let go of the bus."""
        ...


def i2c_panel(
    model: str, *, bus: int = 1, address: int = 0x3C, rotate: int = 0
) -> Callable[[], Panel]:
    """How to open an I2C display: ``model`` by name, ``rotate`` 0 or 2 (upside down).

    Raises:
        DeviceError: no such model or rotation; the text names those there are.
    """
    device = _model(model, rotate)

    def opened() -> Panel:
        wire = i2c(port=bus, address=address)
        return _set_up(device, wire, rotate)

    return opened


def spi_panel(
    model: str, *, port: int = 0, device: int = 0, dc: int = 24, reset: int = 25, rotate: int = 0
) -> Callable[[], Panel]:
    """How to open an SPI display; ``dc`` and ``reset`` are GPIO numbers, driven by luma itself.

    Needs the modules ``spidev`` and ``RPi.GPIO`` (Debian: python3-spidev, python3-rpi.gpio);
    without them the display is reported as failed, with their names.

    Raises:
        DeviceError: no such model or rotation; the text names those there are.
    """
    chip = _model(model, rotate)

    def opened() -> Panel:
        wire = spi(port=port, device=device, gpio_DC=dc, gpio_RST=reset)
        return _set_up(chip, wire, rotate)

    return opened


class Oled:
    """The ``Display`` port over a luma device."""

    def __init__(
        self,
        opened: Callable[[], Panel],
        draw: Callable[[Screen], Picture],
        report: DeviceReport,
        *,
        contrast: int = CONTRAST,
        idle_contrast: int = IDLE_CONTRAST,
    ) -> None:
        """Start the worker; the panel itself is opened there, so a dead bus delays nothing.

        ``opened`` makes the panel (``i2c_panel``, ``spi_panel``, the simulated one), ``draw``
        makes the picture of a screen, ``report`` is told of failure and recovery.
        """
        self._opened = opened
        self._draw = draw
        self._report = report
        self._contrasts = (contrast, idle_contrast)
        self._changed = threading.Condition()
        self._screen: Screen | None = None
        self._closed = False
        self._panel: Panel | None = None
        self._contrast: int | None = None
        self._failing = False
        self._worker = threading.Thread(target=self._work, name="oled", daemon=True)
        self._worker.start()

    def show(self, screen: Screen) -> None:
        """Leave ``screen`` for the worker in place of any that still waits; returns at once."""
        with self._changed:
            self._screen = screen
            self._changed.notify()

    def close(self) -> None:
        """Draw what still waits, clear, let go of the bus; waits at most 2 s. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join(_CLOSE_WITHIN_S)

    def _work(self) -> None:
        pause = 0.0
        while True:
            screen = self._next(pause)
            if screen is None:
                break
            try:
                self._bring(screen)
            except Exception as error:  # noqa: BLE001 - luma lets the kernel's errors, its own, and
                # those of missing bus modules through; and this thread must outlive them all
                pause = min(LONGEST_PAUSE_S, pause * 2 or FIRST_PAUSE_S)
                self._failed(error)
                self._put_back(screen)
            else:
                pause = 0.0
                self._works()
        self._let_go()

    def _next(self, pause: float) -> Screen | None:
        """The newest screen, after ``pause`` seconds unless closed; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, timeout=pause)
            self._changed.wait_for(lambda: self._screen is not None or self._closed)
            if self._closed and self._failing:
                return None
            screen, self._screen = self._screen, None
            return screen

    def _put_back(self, screen: Screen) -> None:
        with self._changed:
            self._screen = self._screen or screen

    def _bring(self, screen: Screen) -> None:
        picture = self._draw(screen)
        if self._panel is None:
            self._panel = self._opened()
        contrast = self._contrasts[screen.key.startswith("idle")]
        if contrast != self._contrast:
            self._panel.contrast(contrast)
            self._contrast = contrast
        self._panel.display(picture)

    def _failed(self, error: Exception) -> None:
        self._let_go()
        if not self._failing:
            self._failing = True
            logger.warning("display failed: %s", error)
            self._report(DEVICE, str(error) or type(error).__name__)

    def _works(self) -> None:
        if self._failing:
            self._failing = False
            logger.info("display works again")
            self._report(DEVICE, "")

    def _let_go(self) -> None:
        panel, self._panel, self._contrast = self._panel, None, None
        if panel is not None:
            try:
                panel.cleanup()
            except Exception as error:  # noqa: BLE001 - as above; it is being given up anyway
                logger.debug("display could not be switched off: %s", error)


def _model(model: str, rotate: int) -> Callable[..., Panel]:
    if model not in MODELS:
        raise DeviceError(f"display model {model!r} is none of {', '.join(MODELS)}")
    if rotate not in {0, 2}:
        raise DeviceError(f"display rotation {rotate} is neither 0 nor 2 (upside down)")
    found: Callable[..., Panel] = MODELS[model]
    return found


def _set_up(device: Callable[..., Panel], wire: i2c | spi, rotate: int) -> Panel:
    """The panel on ``wire``, or the wire closed and the bus's error raised."""
    try:
        # Asked first, because luma keeps every device whose set-up it began until the process
        # ends: a display that is away for a year must not fill the memory. 0xE3 does nothing.
        wire.command(0xE3)
        return device(wire, rotate=rotate)
    except BaseException:
        wire.cleanup()
        raise
