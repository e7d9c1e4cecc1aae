"""``./kazasu demo``: the terminal, the cards and the town hall on one web page.

Without options a browser opens with the page. With ``--check`` nobody looks: every sample card is
tapped many times and the ledger must prove every record. Exit codes: 0 all well, 1 the check has
found something, 2 the demo cannot run here, 3 what it wrote cannot be read, so that nothing is
proven either way, 130 interrupted.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

from provisioning.broker import BrokerError
from provisioning.demo.answers import Watcher
from provisioning.demo.check import run
from provisioning.demo.processes import ProcessFailedError
from provisioning.demo.report import Report
from provisioning.demo.spoils import PLANTS, Plant
from provisioning.demo.stage import TERMINAL_MODULE, Stage
from provisioning.demo.texts import words
from provisioning.ledger.database import StoreError
from provisioning.mqtt import BrokerUnreachable, DeliveryRefused
from provisioning.parts import MissingPartError
from provisioning.town import TownError
from terminal.core.rules import Language
from terminal.wire.strict_json import Malformed

FIRST_PORT = 8080
LAST_PORT = 65_535
TAPS = 20
MOST_TAPS = 1_000
TELL_EVERY_S = 10.0
CANNOT_RUN = (
    MissingPartError,
    BrokerError,
    BrokerUnreachable,
    DeliveryRefused,
    TownError,
    ProcessFailedError,
    OSError,
)
UNREADABLE = (StoreError, sqlite3.Error, Malformed)
_HELP = """\
examples:
  ./kazasu demo                      the page; Ctrl-C ends everything
  ./kazasu demo --lang en            the page in English
  ./kazasu demo --reader pcsc        the same page with a real USB reader and real cards
  ./kazasu demo --check              no browser: 20 taps of each card, broker killed in between;
                                     about four minutes, then one line with the result
  ./kazasu demo --check --taps 2     the same in half a minute
  ./kazasu demo --check --plant edit --taps 2
                                     spoils one record first; the check must name it and exit 1

Only the very first set-up may ask for root, the demo itself never does. Nothing is left behind (but
with --keep), nothing listens on any address but 127.0.0.1.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line."""
    options = _options(argv)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    language = Language(options.lang)
    try:
        if options.check:
            return _check(options, language)
        return _page(options, language)
    except KeyboardInterrupt:
        return 130
    except CANNOT_RUN as error:
        print(f"kazasu demo: {error}", file=sys.stderr)
        return 2
    except UNREADABLE as error:
        advice = "--keep DIR keeps the files for a look"
        print(f"kazasu demo: nothing is proven: {error} ({advice})", file=sys.stderr)
        return 3


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    spoken = [str(one) for one in Language]
    asked = os.environ.get("KAZASU_LANG", "")
    default = asked if asked in spoken else str(Language.JA)
    parser = argparse.ArgumentParser(
        prog="kazasu demo",
        description="A card terminal, its cards and the town hall on one web page; all real but "
        "the reader and the panel.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--lang", choices=spoken, default=default, help=f"of page and terminal ({default})"
    )
    parser.add_argument(
        "--reader", choices=["demo", "pcsc"], default="demo", help="sample cards, or a USB reader"
    )
    parser.add_argument(
        "--port", type=int, help=f"of the page on 127.0.0.1 ({FIRST_PORT}, or any that is free)"
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave all files there")
    checking = parser.add_argument_group("checking without a browser")
    checking.add_argument("--check", action="store_true", help="tap every card and prove all")
    checking.add_argument("--taps", type=int, help=f"of each card ({TAPS})")
    checking.add_argument(
        "--json", action="store_true", help="one line of JSON before the last line: T and R by card"
    )
    checking.add_argument(
        "--plant", choices=list(PLANTS), help="spoil one thing, which the check must name"
    )
    options = parser.parse_args(argv)
    _refuse_nonsense(parser, options)
    return options


def _refuse_nonsense(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a word on what does not fit together; fill in what was left away."""
    if not options.check and (options.plant or options.json or options.taps is not None):
        parser.error("--taps, --plant and --json belong to --check")
    options.taps = TAPS if options.taps is None else options.taps
    if options.port is not None and not 1 <= options.port <= LAST_PORT:
        parser.error(f"--port is a number from 1 to {LAST_PORT}")
    if not 1 <= options.taps <= MOST_TAPS:
        parser.error(f"--taps is a number from 1 to {MOST_TAPS}")
    if options.check and options.reader != "demo":
        parser.error("--check taps its own sample cards: leave --reader away")
    if options.check and options.keep is not None and options.keep.exists():
        parser.error(f"--check counts from nothing: {options.keep} is there, name a new directory")


def _check(options: argparse.Namespace, language: Language) -> int:
    logging.basicConfig(level=logging.ERROR)
    plant: Plant | None = PLANTS[options.plant] if options.plant else None
    watcher = Watcher()
    shown = _Progress(language)
    with Stage(
        language,
        keep=options.keep,
        rush=False,
        terminal=plant.terminal if plant else (TERMINAL_MODULE,),
        on_edge=watcher.edge,
    ) as stage:
        watcher.on_disk = stage.on_disk
        stage.start(lambda part: shown(part, 0, 1))
        report = run(stage, watcher, options.taps, shown, plant.spoil if plant else None)
    shown.end()
    _print(report, as_json=options.json)
    return 1 if report.findings else 0


def _print(report: Report, *, as_json: bool) -> None:
    for finding in report.findings:
        print(f"{finding.kind}: {finding.text}", file=sys.stderr)
    if as_json:
        print(json.dumps(report.as_json(), ensure_ascii=False))
    print(report.last_line, flush=True)


def _page(options: argparse.Namespace, language: Language) -> int:
    # Here, because a check needs no web server and starts a second sooner without it.
    from provisioning.demo.page import HOST, serve  # noqa: PLC0415
    from provisioning.demo.show import Show  # noqa: PLC0415

    said = words(language)["console"]
    port = _free_port(HOST) if options.port is None else options.port
    if fault := _fault_of(HOST, port):
        print(f"kazasu demo: {said['port_taken'].format(port=port, why=fault)}", file=sys.stderr)
        return 2
    real_reader = options.reader == "pcsc"
    print(said["starting"], flush=True)
    with Stage(language, keep=options.keep, slot="pcsc" if real_reader else "") as stage:
        stage.start(_quietly)
        show = Show(stage, real_reader=real_reader)
        ready = said["ready"].format(address=f"http://{HOST}:{port}/")
        try:
            serve(
                show,
                port,
                language,
                show=not options.no_browser,
                ready=lambda: print(ready, flush=True),
            )
        except KeyboardInterrupt:
            # The web server has ended in order and passes the signal on.
            pass
        finally:
            show.close()
    print(_end_words(said, options.keep), flush=True)
    return 0


def _end_words(said: Mapping[str, str], kept: Path | None) -> str:
    """What is said at the end: that nothing stays, or what stays where."""
    return said["ended"] if kept is None else said["kept"].format(folder=kept.resolve())


def _quietly(_part: str) -> None:
    """The page itself shows that all has started."""


def _free_port(host: str) -> int:
    """The usual port if nobody has it, else any."""
    for port in (FIRST_PORT, 0):
        with contextlib.suppress(OSError):
            return _bound(host, port)
    raise OSError(f"no free port on {host}")


def _fault_of(host: str, port: int) -> str:
    """Why ``port`` cannot be used, in the system's words; "" if it can."""
    try:
        _bound(host, port)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _bound(host: str, port: int) -> int:
    """Take ``port`` for a moment (0: any); gives its number."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


def _end(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Progress:
    """What the check is doing, on standard error: one line that moves, or a line now and then."""

    def __init__(self, language: Language) -> None:
        self._said = words(language)["console"]["steps"]
        self._cards = words(language)["cards"]
        self._moving = sys.stderr.isatty()
        self._told_s = 0.0
        self._begun_s = time.monotonic()

    def __call__(self, what: str, number: int, of: int) -> None:
        """Tell that ``what`` is at ``number`` of ``of``."""
        card = self._cards.get(what)
        text = f"{number}/{of} {card['name']} ({card['note']})" if card else self._said[what]
        now = time.monotonic()
        line = f"[{now - self._begun_s:5.0f} s] {text}"
        if self._moving:
            print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
        elif card is None or now - self._told_s > TELL_EVERY_S or number == of:
            self._told_s = now
            print(line, file=sys.stderr, flush=True)

    def end(self) -> None:
        """No more is coming."""
        if self._moving:
            print(file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
