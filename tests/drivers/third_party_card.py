"""A card that others wrote, on a virtual reader: libcacard's Common Access Card, as a process.

    python -m tests.drivers.third_party_card KEYS HOST PORT

`KEYS` is a folder that `make_keys` has filled. The card lies on the reader until standard input
ends; then one line of JSON tells what it was asked, in hex, and how often it was powered on::

    {"taps": 1, "heard": ["00A4..."]}

The library keeps its state in the process and needs NSS beside it, so it is loaded nowhere else.
Only the bytes on the road to the reader are ours.
"""

import ctypes
import json
import subprocess
import sys
from pathlib import Path

from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.vpcd import insert
from provisioning import parts

READER = "Virtual Reader"
CERTIFICATES = ("id", "signing", "encryption")
LONGEST_ATR, LONGEST_ANSWER = 40, 65_538
OK = 0


class CacError(Exception):
    """The library did not do what it was asked; the text says what."""


class CommonAccessCard(VirtualCard):
    """The library's card behind the bridge: power and bytes, nothing else."""

    def __init__(self, keys: Path) -> None:
        self._library = ctypes.CDLL(str(parts.library("libcacard.so.0")))
        for name in ("vcard_emul_options", "vreader_get_reader_by_name"):
            getattr(self._library, name).restype = ctypes.c_void_p
        words = f'db="sql:{keys}" use_hw=no soft=(,{READER},CAC,,{",".join(CERTIFICATES)})'
        options = ctypes.c_void_p(self._library.vcard_emul_options(words.encode()))
        if self._library.vcard_emul_init(options) != OK:
            raise CacError("libcacard found no card among its keys")
        self._reader = ctypes.c_void_p(self._library.vreader_get_reader_by_name(READER.encode()))
        super().__init__(self._given_power())

    def power_on(self) -> None:
        """Give power, counted as with our own cards."""
        super().power_on()
        self._given_power()

    def power_off(self) -> None:
        """Cut the power."""
        self._library.vreader_power_off(self._reader)

    def answer(self, command: bytes) -> bytes:
        """Let the library answer."""
        received = ctypes.create_string_buffer(LONGEST_ANSWER)
        length = ctypes.c_int(LONGEST_ANSWER)
        code = self._library.vreader_xfr_bytes(
            self._reader, command, len(command), received, ctypes.byref(length)
        )
        if code != OK:
            raise CacError(f"libcacard answered nothing: {code}")
        return received.raw[: length.value]

    def _given_power(self) -> bytes:
        answer = ctypes.create_string_buffer(LONGEST_ATR)
        length = ctypes.c_int(LONGEST_ATR)
        code = self._library.vreader_power_on(self._reader, answer, ctypes.byref(length))
        if code != OK:
            raise CacError(f"libcacard has no answer to reset: {code}")
        return answer.raw[: length.value]


def make_keys(folder: Path) -> None:
    """Make three keys with certificates, as a Common Access Card has them; takes a second."""
    folder.mkdir()
    _certutil(folder, "-N", "--empty-password")
    noise = folder / "noise"
    noise.write_bytes(bytes(range(256)))
    for number, name in enumerate(CERTIFICATES, start=1):
        _certutil(folder, "-S", "-n", name, "-s", f"CN={name}", "-x", "-t", "CTu,CTu,CTu",
                  "-k", "rsa", "-g", "2048", "-v", "12", "-m", str(number),
                  "-z", str(noise))  # fmt: skip


def _certutil(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [str(parts.tool("certutil")), *arguments, "-d", f"sql:{folder}"],
        env=parts.environment(),
        check=True,
        capture_output=True,
        timeout=60,
    )


def main(keys: Path, host: str, port: int) -> None:
    """Lie on the reader until standard input ends."""
    card = CommonAccessCard(keys)
    with insert(card, (host, port)):
        print("lies there", flush=True)
        sys.stdin.read()
    print(json.dumps({"taps": card.taps, "heard": [one.hex().upper() for one in card.trace]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
