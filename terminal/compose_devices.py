"""Which driver stands behind each port of this terminal: real pins, or a simulated panel.

The strike is built before everything else and closed after it, so its pin is at the safe level
from the first moment to the last.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from drivers.indicator import GpioIndicator
from drivers.inputs import GpioInputs
from drivers.oled import Oled, i2c_panel
from drivers.pcsc import PcscReader
from drivers.pins import PinFactory, board_pins
from drivers.screens import Typeface, picture
from drivers.simulated import Panel
from drivers.strike import GpioStrike
from terminal.config import DisplaySettings, PinSettings, ReaderSettings, Settings
from terminal.core.signals import Screen
from terminal.ports import (
    ApduPattern,
    CardReader,
    DeviceReport,
    Display,
    Indicator,
    Inputs,
    Strike,
)

FONT = "/usr/share/fonts/opentype/unifont/unifont_jp.otf"


@dataclass(frozen=True, slots=True)
class Devices:
    """What is wired to this terminal, behind the ports."""

    strike: Strike
    indicator: Indicator
    display: Display
    inputs: Inputs


class NoDisplay:
    """A terminal without a display: lamps and tones alone."""

    def show(self, screen: Screen) -> None:
        """Nobody sees it."""

    def close(self) -> None:
        """Nothing to close."""


def build_devices(settings: Settings, ends: ExitStack, report: DeviceReport) -> Devices:
    """Build and register for closing, in this order.

    Raises:
        DeviceError: a pin cannot be driven, or the font cannot be read.
    """
    pins = settings.pins
    pressed = {f"button-{place}": pin for place, pin in enumerate(pins.buttons, start=1)}
    pressed["exit"] = pins.exit
    factory, panel = _pins(settings, pressed, ends)
    active_high = pins.strike_active == "high"
    strike = GpioStrike(pins.strike, factory, report, active_high=active_high)
    ends.callback(strike.close)
    indicator = GpioIndicator(
        buzzer=pins.buzzer, ring=pins.ring, cross=pins.cross, factory=factory, report=report
    )
    ends.callback(indicator.close)
    display = _display(settings.display, panel, report)
    ends.callback(display.close)
    inputs = GpioInputs(pressed, factory)
    ends.callback(inputs.close)
    return Devices(strike, indicator, display, inputs)


def build_reader(settings: ReaderSettings, allow: Sequence[ApduPattern]) -> CardReader:
    """The card reader; its process starts at once and is closed by whoever uses it.

    Raises:
        DeviceError: the reader's process cannot be started.
    """
    return PcscReader(
        settings.slot,
        reader_name=settings.name,
        allow=allow,
        recover=settings.recover,
        blocked_after_s=settings.blocked_after_ms / 1000,
        recover_after_s=settings.recover_after_ms / 1000,
    )


def _pins(
    settings: Settings, pressed: Mapping[str, int], ends: ExitStack
) -> tuple[PinFactory, Panel | None]:
    wanted: PinSettings = settings.pins
    if settings.panel.out_fd < 0:
        factory = board_pins()
        ends.callback(factory.close)
        return factory, None
    wiring = {
        "strike": wanted.strike,
        "ring": wanted.ring,
        "cross": wanted.cross,
        "buzzer": wanted.buzzer,
        **pressed,
    }
    in_fd = settings.panel.in_fd if settings.panel.in_fd >= 0 else None
    panel = Panel(settings.panel.out_fd, in_fd, pins=wiring)
    ends.callback(panel.close)
    return panel.factory, panel


def _display(settings: DisplaySettings, panel: Panel | None, report: DeviceReport) -> Display:
    if settings.driver == "none":
        return NoDisplay()
    draw = partial(picture, typeface=Typeface(Path(settings.font or FONT)))
    if panel is not None:
        glass = panel.display_device
        return Oled(lambda: glass, draw, report)
    opened = i2c_panel(
        settings.driver,
        bus=settings.i2c_bus,
        address=settings.i2c_address,
        rotate=settings.rotate,
    )
    return Oled(opened, draw, report)
