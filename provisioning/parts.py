"""Where the programs lie that are not Python: broker, smart-card daemon, browser, fonts.

``./kazasu`` unpacks Debian's packages into ``.kazasu/parts`` beside the sources instead of
installing them, because installing a daemon starts it. A copy that the machine already has is
used as it is. This module only answers where a part is; it starts nothing.

Rules: standard library only; every question is answered by a path that exists, or by
``MissingPartError`` with the remedy. One environment variable is read:

=================  ==========================================================================
``KAZASU_PARTS``   folder with the unpacked packages (default: ``.kazasu/parts`` in the checkout)
=================  ==========================================================================

A part that was unpacked finds its libraries only with ``environment()``::

    subprocess.Popen([parts.mosquitto(), "-c", conf], env=parts.environment())
"""

import os
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_UNIFONT = "usr/share/fonts/opentype/unifont/unifont_jp.otf"
_MACHINE = Path("/")


class MissingPartError(Exception):
    """A program or file that the launcher brings is not there; the message names the remedy."""


def folder() -> Path:
    """The folder that packages are unpacked into; it need not exist."""
    return Path(os.environ.get("KAZASU_PARTS") or _ROOT / ".kazasu" / "parts")


def environment() -> dict[str, str]:
    """The whole environment for a child process that is a part, or loads one.

    It is this process's own, and names the unpacked libraries and the test pictures' fonts.
    """
    env = dict(os.environ)
    libraries = [str(path) for path in _library_folders()]
    if libraries:
        own = env.get("LD_LIBRARY_PATH")
        env["LD_LIBRARY_PATH"] = ":".join([*libraries, own] if own else libraries)
    fonts = folder() / "fonts.conf"
    if fonts.is_file():
        env["FONTCONFIG_FILE"] = str(fonts)
    return env


def mosquitto() -> Path:
    """The MQTT broker."""
    return _first("the broker Mosquitto", "demo", "usr/sbin/mosquitto")


def pcscd() -> Path:
    """The smart-card daemon; see ``pcscd_command`` for how to start it in the foreground."""
    return _first("the smart-card daemon pcscd", "test", "usr/sbin/pcscd")


def pcscd_command() -> tuple[str, ...]:
    """How pcscd is started in the foreground, asking no polkit where it would ask one.

    Debian 13's pcscd refuses every client unless polkit runs; Debian 12's knows no such flag.
    """
    daemon = str(pcscd())
    shown = subprocess.run(
        [daemon, "--help"], env=environment(), capture_output=True, text=True, check=False
    )
    asks = "--disable-polkit" in shown.stdout + shown.stderr
    return (daemon, "--foreground", *(["--disable-polkit"] if asks else []))


def vpcd_driver() -> Path:
    """Debian's driver for virtual readers, to be named by LIBPATH in a test's own reader.conf.

    It listens on every address once pcscd has loaded it, so only in a private network namespace,
    and never copied to where the machine's own pcscd would find it.
    """
    return _first("the virtual reader vpcd", "test", "usr/lib/pcsc/drivers/serial/libifdvpcd.so")


def chromium() -> Path:
    """The browser that the tests of the demo page drive."""
    return _first("the browser Chromium", "test", "usr/bin/chromium", "usr/lib/chromium/chromium")


def font() -> Path:
    """GNU Unifont with Japanese glyph forms (OpenType, made for 16 px)."""
    return _first("the font Unifont", "demo", _UNIFONT)


def tool(name: str) -> Path:
    """A card program of the tests: opensc-tool, pkcs11-tool, yubico-piv-tool, certutil, ..."""
    return _first(f"the program {name}", "test", f"usr/bin/{name}")


def library(name: str) -> Path:
    """A shared library by its file name, as libcacard.so.0; load it in a child process only."""
    places = [path / name for path in _library_folders()]
    places += [path / name for path in _MACHINE.glob("usr/lib/*-linux-gnu")]
    return _existing(f"the library {name}", "test", places)


def _library_folders() -> list[Path]:
    """Folders of unpacked libraries, the machine's architecture first."""
    # Some packages of Debian 12 still say /lib, which the machine itself leads to /usr/lib.
    own = sorted(path for lib in ("usr/lib", "lib") for path in folder().glob(f"{lib}/*-linux-gnu"))
    # Two libraries keep their own libraries in a folder of that name.
    inner = [path / name for path in own for name in ("nss", "pulseaudio")]
    return [path for path in (*own, *inner) if path.is_dir()]


def _first(what: str, wanted_by: str, *paths: str) -> Path:
    """The machine's own copy if it has one, else the unpacked one."""
    places = [_MACHINE / path for path in paths]
    # An unpacked wrapper in usr/bin points outside its folder: there the last path leads.
    places += [folder() / path for path in reversed(paths)]
    return _existing(what, wanted_by, places)


def _existing(what: str, wanted_by: str, places: list[Path]) -> Path:
    for place in places:
        if place.exists():
            return place
    looked = ", ".join(str(place) for place in places)
    raise MissingPartError(
        f"{what} is not on this machine (looked for {looked}). "
        f"Run `./kazasu setup {wanted_by}`, which fetches it without installing it."
    )
