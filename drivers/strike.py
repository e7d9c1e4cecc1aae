"""The strike: one output that holds a door, released for a time and locked again by itself.

Rules. The pin is at its locked level before anything else happens, and again at ``close``;
nothing but ``release`` ever makes it leave that level. A thread of this driver's own, with a
monotonic deadline, locks the door again, so that a caller that hangs cannot hold it open, and it
goes on trying where the pin refuses.

What software cannot do, the wiring does: a fail-secure relay, a pull resistor towards "locked"
(after ``close`` the line floats; gpiozero issue 1146), and a kernel that gives lines back when
the process dies. Prefer ``active_high``: for the other polarity lgpio claims the line low before
it sets it high, some microseconds, which no relay follows but a logic input might.
"""

import logging
import threading
import time

from gpiozero import DigitalOutputDevice, Factory

from terminal.core.rules import LONGEST_STRIKE_MS
from terminal.ports import DeviceError, DeviceReport

logger = logging.getLogger(__name__)

DEVICE = "strike"
_TRY_AGAIN_S = 0.1


class GpioStrike:
    """The ``Strike`` port over one GPIO output."""

    def __init__(
        self,
        pin: int,
        factory: Factory,
        report: DeviceReport,
        *,
        active_high: bool = True,
        longest_ms: int = LONGEST_STRIKE_MS,
    ) -> None:
        """Lock; then start the thread that locks again.

        ``pin`` is a GPIO number of gpiozero's pin ``factory``; ``active_high`` tells that a high
        level releases; no release lasts longer than ``longest_ms``. ``report`` is told when the
        door could not be locked again, and when it could.

        Raises:
            DeviceError: the pin cannot be driven.
        """
        self._report = report
        self._longest_ms = longest_ms
        self._changed = threading.Condition()
        self._lock_at: float | None = None
        self._closed = False
        self._failing = False
        try:
            self._output = DigitalOutputDevice(
                pin, active_high=active_high, initial_value=False, pin_factory=factory
            )
        except Exception as error:
            raise DeviceError(f"strike on GPIO {pin}: {error}") from error
        self._keeper = threading.Thread(target=self._keep, name="strike", daemon=True)
        self._keeper.start()

    def release(self, duration_ms: int) -> None:
        """Release now and lock after ``duration_ms`` (1 to the longest allowed, else that).

        A second call starts the time anew.

        Raises:
            DeviceError: the pin refused, or the strike is closed; the door is left locked.
        """
        length_s = min(max(duration_ms, 1), self._longest_ms) / 1000
        with self._changed:
            if self._closed:
                raise DeviceError("strike is closed")
            # The deadline stands before the door opens, so there is no moment without one.
            self._lock_at = time.monotonic() + length_s
            try:
                self._output.on()
            except Exception as error:
                self._lock_at = time.monotonic()
                raise DeviceError(f"strike did not release: {error}") from error
            finally:
                self._changed.notify()

    def close(self) -> None:
        """Lock, end the thread, let go of the pin; idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._lock()
            self._changed.notify()
        self._keeper.join()
        self._output.close()

    def _keep(self) -> None:
        with self._changed:
            while not self._closed:
                if self._lock_at is None:
                    self._changed.wait()
                elif (left := self._lock_at - time.monotonic()) > 0:
                    self._changed.wait(left)
                else:
                    self._lock()

    def _lock(self) -> None:
        try:
            self._output.off()
        except Exception as error:  # noqa: BLE001 - whatever it is, the door must be locked
            self._lock_at = time.monotonic() + _TRY_AGAIN_S
            if not self._failing:
                self._failing = True
                logger.error("strike did not lock: %s", error)  # noqa: TRY400 - the text says it
                self._tell(f"did not lock: {error}")
        else:
            self._lock_at = None
            if self._failing:
                self._failing = False
                self._tell("")

    def _tell(self, detail: str) -> None:
        """Report; whoever hears it must not be able to end the thread that locks the door."""
        try:
            self._report(DEVICE, detail)
        except Exception:
            logger.exception("the strike's report was not taken")
