"""The ledger's commands: serve, verify, alarms, show, export (see ``--help``)."""

import argparse
import json
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from provisioning.authority_files import read, read_ec_key
from provisioning.ledger import told
from provisioning.ledger.collector import Collector, Road
from provisioning.ledger.database import StoreError
from provisioning.ledger.enrolled import Enrolled, EnrolmentDirectory, read_enrolled
from provisioning.ledger.intake import Intake
from provisioning.ledger.store import Reading, Store
from provisioning.ledger.totals import as_csv, as_jsonl, lines
from provisioning.ledger.verify import nothing_held, proven, verify_ledger
from provisioning.ledger.words import Language
from provisioning.mqtt import BrokerAddress
from provisioning.town import SETTINGS, Town, TownError, open_town

DATABASE = "ledger.db"
KEY = "ledger.key"
_FORMATS = {"csv": as_csv, "jsonl": as_jsonl}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something is wrong, 2 when it cannot run."""
    options = _parser().parse_args(argv)
    shape = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=shape)
    try:
        return int(options.run(options))
    except BrokenPipeError:
        # Whoever reads our lines has seen enough, as head has.
        sys.stderr.close()
        return 0
    except (TownError, StoreError, OSError) as error:
        print(f"kazasu town ledger: {error}", file=sys.stderr)
        return 2


def database_of(town: Town) -> Path:
    """Where a town's ledger lies unless told otherwise."""
    return town.client("ledger") / DATABASE


def ledger_keys(town: Town) -> list[ec.EllipticCurvePublicKey]:
    """The public keys that receipts may be signed with: every ``ledger/*.pub`` of the town.

    Raises:
        TownError: there is none, or one is damaged.
    """
    keys = []
    for path in sorted(town.client("ledger").glob("*.pub")):
        try:
            key = load_pem_public_key(read(path))
        except ValueError as error:
            raise TownError(f"{path}: no readable public key ({error})") from None
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise TownError(f"{path}: a ledger's key is P-256")
        keys.append(key)
    if not keys:
        folder = town.client("ledger")
        raise TownError(f"{folder} holds no ledger.pub; put the town's public key back")
    return keys


def _serve(options: argparse.Namespace) -> int:
    town = open_town(options.town)
    key = read_ec_key(town.client("ledger") / KEY)
    if key.curve.name != "secp256r1":
        raise TownError(f"{town.client('ledger') / KEY}: a ledger's key is P-256")
    address = BrokerAddress(options.host or town.broker_names[0], options.port or town.broker_port)
    # Whatever it writes says who was where: for the ledger's own user alone.
    before = os.umask(0o077)
    try:
        _collect(town, address, key, options.database or database_of(town))
    finally:
        os.umask(before)
    return 0


def _collect(
    town: Town, address: BrokerAddress, key: ec.EllipticCurvePrivateKey, database: Path
) -> None:
    store = Store(database)
    try:
        intake = Intake(store, EnrolmentDirectory(town.folder / "terminals"), key)
        collector = Collector(intake, Road(town.site, address, town.client("ledger")))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: collector.stop())
        where = f"{address.host}:{address.port}"
        print(f"collecting for {town.site} from {where}; Ctrl-C ends", file=sys.stderr)
        collector.run()
    finally:
        store.close()


def _verify(options: argparse.Namespace) -> int:
    town, enrolled = _town_of(options)
    with Reading(_database(options)) as held:
        verdicts = verify_ledger(held, enrolled, ledger_keys(town))
        aside = sum(1 for _ in held.quarantined())
        alarms = sum(1 for one in held.alarms() if one.ended_ms is None)
    broken = [one for one in verdicts if one.broken]
    records = sum(one.records for one in verdicts)
    silent = nothing_held(verdicts, enrolled)
    whole = not broken and (records > 0 or not silent)
    if options.json:
        report = {
            "whole": whole,
            "records": records,
            "quarantined": aside,
            "alarms": alarms,
            "nothing_held": silent,
            "chains": [asdict(one) for one in verdicts],
        }
        print(json.dumps(report, ensure_ascii=False, indent=1))
    else:
        language = options.language
        for one in verdicts:
            print(told.chain(one, language))
        for terminal in silent:
            print(told.nothing_held(terminal, language))
        if alarms:
            print(told.open_alarms(alarms, _database(options), language))
        print(told.ledger(told.Sums(records, aside, len(broken), len(silent)), language))
    return 0 if whole else 1


def _alarms(options: argparse.Namespace) -> int:
    with Reading(_database(options)) as held:
        listed = [one for one in held.alarms() if options.all or one.ended_ms is None]
    if options.json:
        print(json.dumps([asdict(one) for one in listed], ensure_ascii=False, indent=1))
        return 0
    for one in listed:
        print(told.alarm(one, options.language))
    if not listed:
        print(told.no_alarm(options.language))
    return 0


def _show(options: argparse.Namespace) -> int:
    _, enrolled = _town_of(options)
    with Reading(_database(options)) as held:
        newest = proven(held.records(newest=options.number), enrolled)
        # The latest stands last, where the eye is.
        shown = deque(lines(newest, options.language))
    for line in reversed(shown):
        print(line)
    if not shown:
        print(told.no_record(options.language))
    return 0


def _export(options: argparse.Namespace) -> int:
    _, enrolled = _town_of(options)
    with Reading(_database(options)) as held, held.snapshot():
        for line in _FORMATS[options.format](proven(held.records(), enrolled)):
            sys.stdout.write(line)
    return 0


def _town_of(options: argparse.Namespace) -> tuple[Town, Enrolled]:
    """The town whose certificates count: named, or the one the database lies in."""
    database = _database(options)
    folder = options.town or database.absolute().parent.parent
    if not options.town and not (folder / SETTINGS).exists():
        if not database.is_file():
            raise TownError(f"{database} is not there; the ledger makes it when it first runs")
        raise TownError(f"{database} lies in no town directory; name the town with --town TOWN")
    town = open_town(folder)
    return town, read_enrolled(town.folder / "terminals")


def _database(options: argparse.Namespace) -> Path:
    """The ledger's file: named itself, or by the town directory or the folder it lies in."""
    named: Path = options.database
    if not named.is_dir():
        return named
    if (named / SETTINGS).exists():
        return database_of(open_town(named))
    if (named / DATABASE).exists():
        return named / DATABASE
    raise TownError(
        f"{named} holds neither a town ({SETTINGS}) nor a ledger ({DATABASE}); "
        "name the town directory or the ledger's file"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./kazasu town ledger", description="The town hall's store of records, and its proofs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="collect records from the broker until stopped")
    serve.add_argument("--town", type=Path, required=True, help="the town directory")
    serve.add_argument("--host", default="", help="the broker, if not the one in town.toml")
    serve.add_argument("--port", type=int, default=0, help="its port, if not the one in town.toml")
    serve.add_argument("--database", type=Path, help=f"default: ledger/{DATABASE} in the town")
    serve.set_defaults(run=_serve)
    reading = dict(_reading_commands(commands))
    reading["verify"].add_argument("--json", action="store_true", help="for programs")
    reading["alarms"].add_argument("--json", action="store_true", help="for programs")
    reading["alarms"].add_argument("--all", action="store_true", help="also those that have ended")
    reading["show"].add_argument("-n", "--number", type=int, default=20, help="default: 20")
    reading["export"].add_argument("--format", choices=sorted(_FORMATS), default="csv")
    return parser


def _reading_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    japanese = os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("ja")
    for name, run, purpose in (
        ("verify", _verify, "prove every record from its bytes; names the first fault; 1 if any"),
        ("alarms", _alarms, "what operations should look at, the latest first"),
        ("show", _show, "the latest records, for people"),
        ("export", _export, "all proven records, as CSV or as JSON lines with their signatures"),
    ):
        command = commands.add_parser(name, help=purpose)
        command.add_argument(
            "database",
            type=Path,
            metavar="TOWN",
            help=f"the town directory, or the ledger's file {DATABASE}",
        )
        command.add_argument("--town", type=Path, help="default: the town the database lies in")
        command.add_argument(
            "--language",
            type=Language,
            choices=list(Language),
            default=Language.JA if japanese else Language.EN,
        )
        command.set_defaults(run=run)
        yield name, command


if __name__ == "__main__":
    sys.exit(main())
