"""Buttons and the exit button: presses, debounced.

A press counts once its level has held for ``SETTLE_MS``: contacts bounce for a few milliseconds
and long wires catch sparks, while no finger is faster than 50 ms. The waiting is done here and
not by the pin library, whose backends differ in what they call bounce.

A button that is down when listening begins is not a press: no start of the service punches
anybody or opens a door, not even with a stuck button. It counts again once it has been up.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gpiozero import DigitalInputDevice, Factory

from terminal.ports import DeviceError

SETTLE_MS = 30


@dataclass(slots=True)
class _Level:
    """What a button is taken to be, what its pin last changed to, and when (monotonic s)."""

    down: bool
    pin_down: bool
    since: float = 0.0


class GpioInputs:
    """The ``Inputs`` port over GPIO inputs with pull-up; a pressed button closes to ground."""

    def __init__(self, pins: Mapping[str, int], factory: Factory) -> None:
        """Claim the pins: name (``button-1`` ..., ``exit``) → GPIO number of ``factory``.

        Raises:
            DeviceError: a pin cannot be read; none stays claimed.
        """
        self._changed = threading.Condition()
        self._closed = False
        self._levels: dict[str, _Level] = {}
        self._devices: dict[str, DigitalInputDevice] = {}
        self._watcher: threading.Thread | None = None
        for name, pin in pins.items():
            try:
                device = DigitalInputDevice(pin, pull_up=True, pin_factory=factory)
            except Exception as error:
                self.close()
                raise DeviceError(f"{name} on GPIO {pin}: {error}") from error
            self._devices[name] = device

    def listen(self, pressed: Callable[[str], None]) -> None:
        """From now on call ``pressed`` with the name of each button pressed; call it once only.

        The call comes from a thread of this driver; it must only hand on.

        Raises:
            DeviceError: a pin cannot be watched.
        """
        for name, device in self._devices.items():
            try:
                down = bool(device.is_active)
                self._levels[name] = _Level(down, down)
                device.when_activated = self._follower(name, down=True)
                device.when_deactivated = self._follower(name, down=False)
            except Exception as error:
                raise DeviceError(f"{name}: {error}") from error
        self._watcher = threading.Thread(
            target=self._watch, args=(pressed,), name="inputs", daemon=True
        )
        self._watcher.start()

    def close(self) -> None:
        """Stop listening, let go of the pins; idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._watcher is not None:
            self._watcher.join()
        while self._devices:
            self._devices.popitem()[1].close()

    def _follower(self, name: str, *, down: bool) -> Callable[[], None]:
        """What gpiozero calls when the pin of ``name`` went up or down."""

        def changed() -> None:
            with self._changed:
                level = self._levels[name]
                level.pin_down, level.since = down, time.monotonic()
                self._changed.notify()

        return changed

    def _watch(self, pressed: Callable[[str], None]) -> None:
        while not self._closed:
            for name in self._settled():
                pressed(name)

    def _settled(self) -> list[str]:
        """The buttons whose press has held long enough; where there is none, wait for a change."""
        presses, waits = [], []
        with self._changed:
            for name, level in self._levels.items():
                if level.pin_down == level.down:
                    continue
                left_s = level.since + SETTLE_MS / 1000 - time.monotonic()
                if left_s > 0:
                    waits.append(left_s)
                    continue
                level.down = level.pin_down
                presses += [name] if level.down else []
            if not presses and not self._closed:
                self._changed.wait(min(waits, default=None))
        return presses
