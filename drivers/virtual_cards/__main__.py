"""Lays a sample card on a virtual reader from the command line, and shows what is asked of it.

    python -m drivers.virtual_cards TRAY                         lists the cards of a tray
    python -m drivers.virtual_cards TRAY CARD --vpcd             on pcscd's first virtual reader
    python -m drivers.virtual_cards TRAY CARD --vpcd HOST:PORT   on another one
    python -m drivers.virtual_cards TRAY CARD --slot PATH        on a demo terminal's reader

The card lies there for `--hold` seconds, or until Ctrl-C or the reader has finished with it.
Each command is printed as it arrives. For developers; the demo has its own tray.
"""

import argparse
import sys
import time
from pathlib import Path

from drivers.virtual_cards.tray import SampleCard, TrayError, read_tray
from drivers.virtual_cards.vpcd import Address, NoReaderError, Presence, insert

VPCD = "127.0.0.1:35963"
LOOK_S = 0.02


def main(arguments: list[str]) -> int:
    """Run one command line; 0 when the card was read, 1 when not, 2 for a wrong line."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    try:
        samples = read_tray(asked.tray)
        if asked.card is None:
            return _list(samples)
        address = _address(parser, asked)
        sample = next((each for each in samples if each.name == asked.card), None)
        if sample is None:
            names = ", ".join(each.name for each in samples)
            parser.error(f"no card {asked.card} in this tray; it has {names}")
        with insert(sample.card, address) as presence:
            _watch(presence, asked.hold)
    except (TrayError, NoReaderError) as error:
        print(error, file=sys.stderr)
        return 1
    card = sample.card
    print(f"taps {card.taps}, commands {card.apdus}, PINs {card.verifies}", end="")
    print(f", forbidden selections {card.forbidden_selects}")
    return 0 if card.taps else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m drivers.virtual_cards",
        description="Lay a sample card on a virtual reader and show what is asked of it.",
    )
    parser.add_argument("tray", type=Path, help="folder with the sample cards")
    parser.add_argument("card", nargs="?", help="the card's name; without it, list the cards")
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--vpcd",
        nargs="?",
        const=VPCD,
        metavar="HOST:PORT",
        help=f"a reader of pcscd's vpcd driver (without a value: {VPCD})",
    )
    place.add_argument("--slot", type=Path, metavar="PATH", help="the socket of a demo terminal")
    parser.add_argument(
        "--hold",
        type=float,
        metavar="SECONDS",
        help="how long the card lies there; else until the reader has finished with it",
    )
    return parser


def _address(parser: argparse.ArgumentParser, asked: argparse.Namespace) -> Address:
    if asked.slot is not None:
        slot: Path = asked.slot
        return slot
    host, colon, port = (asked.vpcd or "").rpartition(":")
    if not colon or not port.isdecimal():
        parser.error("say where to lay the card: --vpcd, --vpcd HOST:PORT or --slot PATH")
    return host, int(port)


def _list(samples: list[SampleCard]) -> int:
    for sample in samples:
        print(f"{sample.order}  {sample.name:<12} {sample.kind:<8} {sample.label['ja']}")
    return 0


def _watch(presence: Presence, hold_s: float | None) -> None:
    """Print commands as they arrive, until the time is up or the reader has finished."""
    shown = 0
    end = None if hold_s is None else time.monotonic() + hold_s
    try:
        while presence.present and (end is None or time.monotonic() < end):
            done = end is None and presence.finished.wait(LOOK_S)
            for command in presence.card.trace[shown:]:
                shown += 1
                print(command.hex(" ").upper(), flush=True)
            if done:
                return
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
