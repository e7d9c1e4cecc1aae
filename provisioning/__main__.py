"""The town hall's commands: ``./kazasu town ...``; each tells its own options with ``--help``."""

import argparse
import contextlib
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from provisioning import authority, documents, first_settings, publication, publish, signing_roles
from provisioning.broker import Broker, BrokerError
from provisioning.endings import ending_soon
from provisioning.ledger import __main__ as ledger
from provisioning.mqtt import BrokerUnreachable, DeliveryRefused, connect_client
from provisioning.parts import MissingPartError
from provisioning.preview import Preview
from provisioning.publication import GuardRefused
from provisioning.town import Town, TownError, open_town

AddParser = Callable[..., argparse.ArgumentParser]
DONE, FAILED, DECLINED = 0, 1, 1
FAULTS = (TownError, BrokerError, BrokerUnreachable, DeliveryRefused, MissingPartError, OSError)

DESCRIPTION = """\
The town hall's side of the terminals. Everything lives in one directory, the town:

  ./kazasu town init minami-town --site minami      make keys, certificates, first documents
  ./kazasu town terminal minami-town entrance-1     make the identity of a terminal
  ./kazasu town card minami-town sato               make a staff card (its number goes
                                                    into documents/roster.toml)
  ./kazasu town preview minami-town                 who gains and who loses what
  ./kazasu town publish minami-town                 sign it and send it to the terminals
  ./kazasu town renew minami-town                   once a day: the signature of the week
  ./kazasu town broker minami-town                  run the broker until Ctrl-C
  ./kazasu town ledger serve --town minami-town     collect the records

Nothing ever replaces a key: every command may be run again. The keys in authority/ are the town:
keep the directory where only its keepers can read it.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 done, 1 failed or declined, 2 the command line is wrong."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if arguments[:1] == ["ledger"]:
        return ledger.main(arguments[1:])
    options = _parser().parse_args(arguments)
    try:
        _warn(options.town)
        return int(options.run(options))
    except FAULTS as error:
        print(f"kazasu town: {error}", file=sys.stderr)
        return FAILED


def _warn(folder: Path) -> None:
    """Say what ends soon; where the town cannot be read, the command itself says why."""
    with contextlib.suppress(TownError):
        for warning in ending_soon(open_town(folder)):
            print(f"CAUTION: {warning}", file=sys.stderr)


def _init(options: argparse.Namespace) -> int:
    names = tuple(options.broker_name) or None
    town = authority.ensure_town(options.town, options.site, names, options.port)
    documents.ensure_first(town)
    print(f"{town.folder}: the town of site {town.site} is ready.")
    print(f"Next: ./kazasu town terminal {town.folder} NAME, then write {town.documents}/*.toml")
    return DONE


def _terminal(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    for terminal in options.terminal:
        identity = authority.ensure_terminal(town, terminal)
        settings = first_settings.ensure_settings(town, terminal)
        print(f"{terminal}: copy {identity}/ onto the terminal and nowhere else,")
        print(f"  and {settings} beside it, after a look at what is in it.")
    return DONE


def _card(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    card = authority.ensure_card(town, options.name, options.algorithm)
    print(f'profile = "piv-town"\nid = "{card.id}"\nstate = "active"')
    print(f"# key and certificate: {town.cards / options.name}.key and .crt", file=sys.stderr)
    return DONE


def _preview(options: argparse.Namespace) -> int:
    _, seen = publication.prepare(open_town(options.town))
    _show(seen, as_json=options.json)
    return DONE


def _publish(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    made, seen = publication.prepare(town)
    _show(seen, as_json=options.json)
    if not (options.yes or _says_yes(f"Sign and send publication {seen.number}?")):
        why = "the answer was not yes" if sys.stdin.isatty() else "only a keyboard can say yes"
        print(
            f"Not published, nothing is signed: {why}. To do it without being asked: "
            f"./kazasu town publish {options.town} --yes",
            file=sys.stderr,
        )
        return DECLINED
    try:
        publication.sign(town, made, seen, confirmed=options.confirm_again)
    except GuardRefused as refused:
        raise TownError(f"{refused} with --confirm-again") from None
    return _put(town, options)


def _send(options: argparse.Namespace) -> int:
    return _put(open_town(options.town), options)


def _renew(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    publication.renew_timestamp(town)
    return _put(town, options)


def _put(town: Town, options: argparse.Namespace) -> int:
    if warning := signing_roles.root_warning(town):
        print(f"CAUTION: {warning}", file=sys.stderr)
    try:
        connection = connect_client(town, "publisher", options.host, options.port)
    except BrokerUnreachable as error:
        later = f"./kazasu town send {town.folder}"
        raise TownError(f"{error} What is signed is kept; later run: {later}") from None
    try:
        number = publish.publish(town, connection, _progress if sys.stderr.isatty() else None)
    finally:
        connection.close()
    print(f"Publication {number} is on the broker.", file=sys.stderr)
    return DONE


def _broker(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    port = options.port or town.broker_port
    with Broker(town.broker, town.site, port, address=options.address) as broker:
        print(f"The broker listens on {options.address} port {broker.port}.", file=sys.stderr)
        while not ended.wait(1) and broker.running:
            pass
        if not broker.running:
            raise BrokerError(f"the broker ended by itself; see {broker.log}")
    return DONE


def _show(seen: Preview, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(seen.as_json(), ensure_ascii=False, indent=2))
    else:
        print("\n".join(seen.lines()))


def _says_yes(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}


def _progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} messages", end="\n" if done == total else "", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./kazasu town",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add: AddParser = commands.add_parser
    init = _command(add, "init", _init, "make a town, or complete one")
    init.add_argument("--site", required=True, help="the town's name in topics: a-z, 0-9 and -")
    init.add_argument(
        "--broker-name",
        action="append",
        default=[],
        metavar="NAME",
        help="how terminals call the broker; the first counts (default: localhost)",
    )
    init.add_argument("--port", type=int, help="the broker's port (default: 8883)")
    terminal = _command(add, "terminal", _terminal, "make the identity of a terminal")
    terminal.add_argument("terminal", nargs="+", help="its name: 1 to 32 of a-z, 0-9 and -")
    card = _command(add, "card", _card, "make a staff card's key and certificate")
    card.add_argument("name", help="what the town's files call it; it is not on the card")
    card.add_argument("--algorithm", choices=sorted(authority.CARD_CAS), default="p256")
    preview = _command(add, "preview", _preview, "show what the next publication changes")
    preview.add_argument("--json", action="store_true", help="for programs")
    sign = _command(add, "publish", _publish, "preview, sign and send the next publication")
    sign.add_argument("--json", action="store_true", help="the preview for programs")
    sign.add_argument("--yes", action="store_true", help="do not ask")
    sign.add_argument(
        "--confirm-again",
        action="store_true",
        help="the second yes that a publication with a CAUTION needs",
    )
    _add_roads(add, sign)
    add("ledger", help="collect and prove records; see: ledger --help")
    return parser


def _add_roads(add: AddParser, sign: argparse.ArgumentParser) -> None:
    """Add the commands that go to a broker, and to all of them where it is."""
    send = _command(add, "send", _send, "send the signed publication again, also elsewhere")
    renew = _command(add, "renew", _renew, "sign the timestamp for seven more days and send")
    for command in (sign, send, renew):
        command.add_argument("--host", default="", help="the broker, if not the town's own")
        command.add_argument("--port", type=int, default=0, help="its port, if not the town's own")
    broker = _command(add, "broker", _broker, "run the broker until Ctrl-C")
    broker.add_argument("--address", default="127.0.0.1", help="where it listens")
    broker.add_argument("--port", type=int, default=0, help="its port, if not the town's own")


def _command(
    add: AddParser,
    name: str,
    run: object,
    purpose: str,
) -> argparse.ArgumentParser:
    command = add(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    command.set_defaults(run=run)
    command.add_argument("town", type=Path, help="the town directory")
    return command


if __name__ == "__main__":
    sys.exit(main())
