"""`./kazasu bench tap`: how long one tap takes, beside what a bare reader library would take."""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from tests import namespace
from tests.bench import commit, memory, tap
from tests.bench.figures import Figures, figures, ratios
from tests.pcsc_sandbox import Pcscd
from tests.walk.wall import Wall, town

TAPS = 20
LEAST = 2
COMMITS_PER_TAP = 10

ABOUT = """\
Measures one tap from the card to the strike, on real processes: pcscd with two virtual readers, a
terminal with its journal, broker and ledger, and a bare pyscard process that sends the very same
commands. The two take turns (terminal, bare, bare, terminal ...), so that both meet the same
machine.

  whole tap       from the card hearing its first command to the edge of the strike's pin
  bare            from the same moment to bare pyscard having the last answer
  in the card     the part of each until the card had given its last answer
  last answer ->  the part after it: for the terminal to the strike (signature checked, decided,
                  record signed and synced to disk), for bare pyscard to having that answer
  commit          the journal's append of one record beside append + fdatasync of as many bytes
  memory          PSS of both processes of the terminal beside that of the bare process; pages
                  shared with other programs of the same machine count in part

The clock starts behind the connect, because how soon a virtual reader notices a card says nothing
about a real one. "as a real card": 106 kbit/s, 3 ms a command for reader and host, 60 ms for the
signature; "at 0 ms": nothing but our and the system's own time.

How to read it: compare ratios, they hold from machine to machine; milliseconds are this machine's.
A ratio is the median over pairs, with its quartiles. p95 of few taps is nearly their maximum.
"""
EXAMPLES = """\
examples:
  ./kazasu bench tap                      20 pairs of each of the four kinds, about 2 minutes
  ./kazasu bench tap --taps 100 --json    for keeping: one JSON object on standard output
  ./kazasu bench tap --folder /mnt/sd     with the terminal's disk being that one
"""


def main(arguments: list[str]) -> int:
    """Run one command line; the exit code is 0, or 2 for a wrong line."""
    asked = _parser().parse_args(arguments)
    if not namespace.inside():
        return namespace.main(["--", sys.executable, "-m", "tests.bench", *arguments])
    with tempfile.TemporaryDirectory(prefix="kazasu-bench-", dir=asked.folder) as folder:
        report = _run(Path(folder), asked.taps)
    if asked.json:
        print(json.dumps(report.json(), indent=2))
    else:
        print(report.table())
    return 0


class Report:
    """What one run measured."""

    def __init__(
        self,
        taps: int,
        disk: str,
        series: list[tap.Series],
        commits: commit.Commits,
        held: dict[str, float],
    ) -> None:
        self._taps, self._disk, self._series, self._commits = taps, disk, series, commits
        self._held = held

    def json(self) -> dict[str, object]:
        """Shape: taps, machine, tap (one object for each card and speed), commit, memory."""
        return {
            "taps": self._taps,
            "machine": _machine(self._disk),
            "tap": [
                {
                    "card": one.key,
                    "speed": one.speed,
                    "commands": one.commands,
                    "bytes": one.octets,
                    "ms": {name: row.rounded(3) for name, row in _parts(one).items()},
                    "ratio": ratios(one.whole, one.bare).rounded(3),
                }
                for one in self._series
            ],
            "commit": {
                "record_bytes": self._commits.record_bytes,
                "ms": {
                    "journal": figures(self._commits.ours_ms).rounded(3),
                    "bare": figures(self._commits.bare_ms).rounded(3),
                },
                "ratio": ratios(self._commits.ours_ms, self._commits.bare_ms).rounded(3),
            },
            "memory_mb": {name: round(value, 1) for name, value in self._held.items()},
        }

    def table(self) -> str:
        """For people."""
        machine = _machine(self._disk)
        told = ", ".join(f"{name} {value}" for name, value in machine.items())
        lines = [f"{self._taps} pairs each, taken in turns; {told}", "", _HEAD]
        for one in self._series:
            lines.append(f"{one.key}, {one.speed} ({one.commands} commands, {one.octets} bytes)")
            lines += [_line(_LABELS[name], row) for name, row in _parts(one).items()]
            lines += [_ratio("whole tap / bare", ratios(one.whole, one.bare)), ""]
        commits = self._commits
        lines.append(f"commit ({commits.record_bytes} bytes)")
        lines.append(_line("journal: append one record", figures(commits.ours_ms)))
        lines.append(_line("bare: append + fdatasync", figures(commits.bare_ms)))
        lines += [_ratio("journal / bare", ratios(commits.ours_ms, commits.bare_ms)), ""]
        lines.append("memory, PSS in MB")
        lines += [f"  {name:<44}{value:>12.1f}" for name, value in self._held.items()]
        if self._disk in {"tmpfs", "ramfs"}:
            lines += ["", f"A {self._disk} syncs nothing: choose a real disk with --folder."]
        return "\n".join(lines)


_LABELS = {
    "whole_tap": "whole tap: first command -> strike",
    "card": "  in the card",
    "last_answer_to_strike": "  last answer -> strike",
    "bare": "bare: first command -> last answer",
    "bare_card": "  in the card",
    "last_answer_to_bare": "  last answer -> bare has it",
    "connect_to_first_command": "before that: connect -> first command (bare)",
}
_HEAD = f"{'milliseconds':<46}{'n':>6}{'median':>9}{'p25':>9}{'p75':>9}{'p95':>9}"


def _parts(one: tap.Series) -> dict[str, Figures]:
    return {
        "whole_tap": figures(one.whole),
        "card": figures(one.card),
        "last_answer_to_strike": figures(one.after),
        "bare": figures(one.bare),
        "bare_card": figures(one.bare_card),
        "last_answer_to_bare": figures(one.bare_after),
        "connect_to_first_command": figures(one.connected),
    }


def _line(name: str, row: Figures) -> str:
    cells = "".join(f"{cell:>9.2f}" for cell in (row.median, row.p25, row.p75, row.p95))
    return f"  {name:<44}{row.n:>6}{cells}"


def _ratio(name: str, row: Figures) -> str:
    cells = "".join(f"{cell:>9.2f}" for cell in (row.median, row.p25, row.p75))
    return f"  {'ratio ' + name:<44}{row.n:>6}{cells}"


def _run(folder: Path, taps: int) -> Report:
    disk = commit.filesystem(folder)
    _progress("starting pcscd, broker, ledger and terminal")
    with Pcscd(folder) as pcscd, town(folder, pcscd) as wall:
        tap.prepare(wall)
        with tap.bare_at(wall) as bare:
            held = {f"{name}, before": value for name, value in _held(wall, bare).items()}
            series = tap.measure(wall, bare, taps, _progress)
            wall.wait_until_proven()
            held |= {f"{name}, after all taps": value for name, value in _held(wall, bare).items()}
        _progress("commit")
        commits = commit.measure(folder, taps * COMMITS_PER_TAP)
    return Report(taps, disk, series, commits, held)


def _held(wall: Wall, bare: tap.Bare) -> dict[str, float]:
    """Idle processes: what the terminal's two hold, the bare one, and the ratio."""
    pid = wall.stage.terminal.pid
    assert pid is not None
    service, *readers = [memory.pss_mb(one) for one in memory.family(pid)]
    other = memory.pss_mb(bare.pid)
    return {
        "terminal: service": service,
        "terminal: reader process": sum(readers),
        "bare pyscard": other,
        "ratio terminal / bare": (service + sum(readers)) / other,
    }


def _machine(disk: str) -> dict[str, str | int | float]:
    return {
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 2),
        "disk": disk,
    }


def _progress(what: str) -> None:
    print(f"  {what} ...", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./kazasu bench", description="Measures the terminal, as ratios to bare parts."
    )
    kinds = parser.add_subparsers(dest="what", required=True, metavar="tap")
    row = kinds.add_parser(
        "tap",
        help="one tap from the card to the strike, commit and memory",
        description=ABOUT,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    row.add_argument(
        "--taps", type=_count, default=TAPS, metavar="N", help=f"pairs (default {TAPS})"
    )
    row.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    row.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="where the terminal's disk is to lie (default: the system's temporary folder)",
    )
    return parser


def _count(word: str) -> int:
    if not word.isdecimal() or int(word) < LEAST:
        raise argparse.ArgumentTypeError(f"{word!r}: a number from {LEAST} on")
    return int(word)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
