"""``python -m terminal --settings kazasu.toml``: run this terminal until it is told to end.

Exit codes: 0 ended on request, 2 the command line or the settings are wrong, 3 the identity
cannot be used, 4 the journal or the store beside it cannot be opened, 5 a device the terminal
cannot be without (its strike, its reader's program) could not be set up.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from terminal import config, identity
from terminal.compose import Terminal
from terminal.identity import IdentityError
from terminal.journal import JournalError
from terminal.ports import DeviceError
from terminal.store import StoreError

log = logging.getLogger("terminal")

EPILOG = """\
A settings file needs no more than this; `./kazasu town terminal` makes the identity folder:

  [terminal]
  site = "tonosho"              # as in the town's town.toml
  id = "t-archive"              # the name in the device certificate
  state = "state"               # journal and publications; made at the first start
  identity = "identity"         # device.key device.crt seal.key town-ca.crt root.sha256

  [broker]
  host = "192.0.2.10"           # where the town's broker listens
  server_name = "broker.town"   # the name in the broker's certificate

Other tables: [reader] [display] [pins] [panel]; a wrong key names those there are.
Only a Raspberry Pi has pins; on a PC use ./kazasu demo.

Exit codes: 0 ended on request, 2 settings, 3 identity, 4 journal, 5 device.
"""

EXIT_CODES: dict[type[Exception], int] = {
    config.SettingsError: 2,
    IdentityError: 3,
    JournalError: 4,
    StoreError: 4,
    DeviceError: 5,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the terminal; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="kazasu terminal",
        description="Run a wall terminal: read cards, decide, record, and bring the records home.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        metavar="FILE",
        help="the local settings file (kazasu.toml): site, id, broker, wiring",
    )
    parser.add_argument("--verbose", action="store_true", help="log details, never card data")
    parser.add_argument(
        "--check", action="store_true", help="read settings and identity, say if they fit, and end"
    )
    chosen = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if chosen.verbose else logging.INFO,
        format="%(levelname)s %(name)s: %(message)s",
    )
    try:
        settings = config.load(chosen.settings)
        if chosen.check:
            return _check(settings)
        Terminal(settings).run()
    except tuple(EXIT_CODES) as error:
        log.error("%s", error)  # noqa: TRY400 - the text says it all; a traceback would hide it
        return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
    return 0


def _check(settings: config.Settings) -> int:
    found = identity.load(settings.identity, settings.terminal)
    print(
        f"{settings.terminal} of {settings.site}: settings and identity fit; "
        f"the certificate ends {found.not_after:%Y-%m-%d}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
