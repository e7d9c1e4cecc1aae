"""The commands of ``./kazasu``: who uses them, what they need, what they run.

A new command is one row of ``COMMANDS``; its own options belong to the module that it runs.

Exit codes: 0 done; 1 the command failed (a test is red, a record is not proven); 2 the command
line is wrong; 3 set-up could not be finished; 130 interrupted. A command may have others, told by
its own ``--help``.
"""

import difflib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from provisioning.setup import steps, suite, venv
from provisioning.setup.fault import SetupError
from provisioning.setup.progress import Progress
from provisioning.setup.relock import relock
from provisioning.setup.texts import Text

_USAGE, _NOT_READY, _INTERRUPTED = 2, 3, 130


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        users: who it is for, a key of ``_USERS``.
        shown: how it is written.
        told: what it does, in one line.
        need: the set of ``steps.NEEDS`` that must be there; empty for those that see to it.
        module: the Python module that runs it; empty where set-up does it itself.
        private: it runs with no network but a loopback of its own, as the tests do.
    """

    users: str
    shown: str
    told: Text
    need: str = ""
    module: str = ""
    private: bool = False


_USERS = {
    "try": Text("試してみる方", "To try it"),
    "town": Text("施設・運用の方", "For facilities and operations"),
    "develop": Text("開発する方", "To develop"),
}

COMMANDS = {
    "demo": Command(
        "try",
        "demo [--check] [...]",
        Text(
            "壁の端末、見本のカード、役場の側をひとつの画面で動かします",
            "the terminal, sample cards and the town hall on one web page",
        ),
        "demo",
        "provisioning.demo",
    ),
    "terminal": Command(
        "town",
        "terminal [...]",
        Text("端末のサービスを動かします", "runs the terminal's service"),
        "demo",
        "terminal",
    ),
    "town": Command(
        "town",
        "town [...]",
        Text(
            "役場の側の命令(台帳、ブローカー、配布など)",
            "the town hall's commands: ledger, broker, publication ...",
        ),
        "demo",
        "provisioning",
    ),
    "test": Command(
        "develop",
        "test [--all] [...]",
        Text(
            "点検とテスト。--all は時間のかかるものと Debian 13 (Python 3.13) も",
            "checks and tests; --all: also the long ones, and on Debian 13 (Python 3.13)",
        ),
    ),
    "check": Command(
        "develop", "check", Text("書式と型の点検だけ", "only style and types"), "test"
    ),
    "bench": Command(
        "develop",
        "bench tap [...]",
        Text("一度のタップにかかる時間を測ります", "measures how long one tap takes"),
        "test",
        "tests.bench",
        private=True,
    ),
    "setup": Command(
        "develop",
        "setup [demo|test|all]",
        Text("準備だけをします", "only sets the machine up"),
    ),
    "relock": Command(
        "develop",
        "relock [--upgrade]",
        Text("依存関係を決め直します", "resolves the dependencies anew"),
    ),
}

_HELP = Text(
    """使い方: ./kazasu [--lang ja|en] 命令 [...]

{commands}
準備は自動です。足りないものは最初の実行のときにそろえます(.venv と .kazasu の中)。
サービスは起動せず、ほかの機械から見えるポートも開きません。
終了コード: 0 成功、1 失敗、2 命令の誤り、3 準備ができない、130 中断。
""",
    """usage: ./kazasu [--lang ja|en] COMMAND [...]

{commands}
Set-up is automatic: what is missing is got at the first run (into .venv and .kazasu).
No service is started, and no port is opened that another machine could see.
Exit codes: 0 done, 1 failed, 2 wrong command line, 3 set-up could not be finished, 130 interrupted.
""",
)


def run(checkout: str, arguments: list[str]) -> int:
    """Runs one command line; returns the exit code.

    Args:
        checkout: the folder that ``kazasu`` lies in.
        arguments: what came after ``./kazasu``.
    """
    root = Path(checkout)
    language, arguments = _language(arguments)
    progress = Progress(language)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help(progress), end="")
        return 0 if arguments else _USAGE
    try:
        return _dispatch(root, language, arguments)
    except SetupError as error:
        progress.fault(error)
        return _USAGE if error.key == "unknown" else _NOT_READY
    except KeyboardInterrupt:
        return _INTERRUPTED


def _dispatch(root: Path, language: str, arguments: list[str]) -> int:
    name, rest = arguments[0], arguments[1:]
    command = COMMANDS.get(name)
    if command is None:
        raise _unknown(name, list(COMMANDS), language)
    if command.need:
        steps.ready(root, command.need, language)
    os.environ["KAZASU_LANG"] = language
    if command.module:
        python = str(venv.python(root))
        private = ["-m", *suite.PRIVATE, python] if command.private else []
        return _become(root, [python, *private, "-m", command.module, *rest])
    if name == "relock":
        return relock(root, rest)
    if name == "setup":
        for part in rest or ["demo"]:
            if part not in steps.NEEDS:
                raise _unknown(f"setup {part}", [f"setup {need}" for need in steps.NEEDS], language)
            steps.ready(root, part, language, anew=True)
        return 0
    return suite.check(root, language) if name == "check" else suite.test(root, language, rest)


def _become(root: Path, command: list[str]) -> int:
    """Goes on as another program; signals and exit code are then its own."""
    sys.stdout.flush()
    # The command is a list: no shell reads it.
    os.execve(command[0], command, venv.environment(root))  # noqa: S606


def _language(arguments: list[str]) -> tuple[str, list[str]]:
    """The language asked for, or the machine's; and the arguments without it."""
    spoken = next(filter(None, map(os.environ.get, ("KAZASU_LANG", "LC_ALL", "LANG"))), "")
    language = "ja" if spoken.startswith("ja") else "en"
    if arguments[:1] == ["--lang"] and arguments[1:2] in (["ja"], ["en"]):
        return arguments[1], arguments[2:]
    return language, arguments


def _help(progress: Progress) -> str:
    lines = []
    for users, title in _USERS.items():
        lines.append(f"{progress.words(title)}:")
        rows = [row for row in COMMANDS.values() if row.users == users]
        lines += [f"  {row.shown:22} {progress.words(row.told)}" for row in rows]
        lines.append("")
    return progress.words(_HELP, commands="\n".join(lines))


def _unknown(word: str, known: list[str], language: str) -> SetupError:
    """The error for a command that there is not, with the nearest that there is."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    asks = Text("もしかして: ./kazasu {near}", "Did you mean ./kazasu {near}?")
    guess = str(getattr(asks, language)).format(near=near[0]) if near else ""
    return SetupError("unknown", word=word, guess=guess)
