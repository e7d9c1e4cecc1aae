"""The Pi's own pins: gpiozero's factory over lgpio, the kernel's character device.

Only a terminal with wires has them; a simulated panel brings a factory of its own.
"""

from gpiozero.pins import Factory as PinFactory

from terminal.ports import DeviceError

__all__ = ["PinFactory", "board_pins"]


def board_pins() -> PinFactory:
    """The factory of this board's pins.

    Raises:
        DeviceError: this is no board with pins, or lgpio is not installed.
    """
    try:
        # Here, because the module needs a library that only boards with pins have.
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415

        return LGPIOFactory()
    except Exception as error:
        raise DeviceError(
            f"the board's pins cannot be driven: {error}; on a Raspberry Pi install the "
            "extra 'terminal', elsewhere use a simulated panel ([panel] out_fd)"
        ) from error
