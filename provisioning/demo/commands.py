"""The only commands that a card may ever see from a terminal of this demo, written down by hand.

From NIST SP 800-73-4 part 2 and SP 800-78-4, not from the terminal's own list: a mistake there
must show here. The check holds against it what the virtual cards have heard.

The last byte of a command says how many bytes are wanted back. It is 00 for all there are; a
card that answers 6Cxx is asked the same again for xx of them (ISO/IEC 7816-4, 5.6).
"""

import re
from collections.abc import Iterable

ALLOWED = tuple(
    re.compile(pattern)
    for pattern in (
        # SELECT the PIV application by its whole name (part 2, 3.1.1)
        r"00A404000BA000000308000010000100[0-9A-F]{2}",
        # GET DATA 5FC101, the card authentication certificate (part 2, 3.1.2)
        r"00CB3FFF055C035FC101[0-9A-F]{2}",
        # GET RESPONSE for what is left of an answer (ISO/IEC 7816-4, 11.6.1)
        r"00C00000[0-9A-F]{2}",
        # GENERAL AUTHENTICATE with key 9E, P-256: a challenge of 32 bytes (part 2, 3.2.4)
        r"0087119E267C2482008120[0-9A-F]{64}[0-9A-F]{2}",
        # the same with RSA-2048: a padded block of 256 bytes, in two chained commands
        r"1087079EFF7C820106820081820100[0-9A-F]{490}",
        r"0087079E0B[0-9A-F]{22}[0-9A-F]{2}",
    )
)


def off_list(trace: Iterable[bytes]) -> list[str]:
    """The commands of a card's trace that are not allowed, as hex, each once."""
    heard = dict.fromkeys(command.hex().upper() for command in trace)
    return [one for one in heard if not any(allowed.fullmatch(one) for allowed in ALLOWED)]
