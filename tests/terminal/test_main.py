"""The command line of a terminal: what it says when something is wrong, and its exit codes."""

import contextlib
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioning import parts
from provisioning.authority import ensure_terminal, ensure_town
from terminal.__main__ import main

LONG_S = 20


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    """A settings file whose identity fits; no broker runs, cards come over a socket."""
    town = ensure_town(tmp_path / "town", "tonosho")
    identity = ensure_terminal(town, "t-archive")
    path = tmp_path / "kazasu.toml"
    path.write_text(
        f"""
[terminal]
site = "tonosho"
id = "t-archive"
state = "state"
identity = {json.dumps(str(identity))}
clock = "trusted"
[broker]
host = "127.0.0.1"
port = 9
[reader]
slot = {json.dumps(f"socket:{tmp_path / 'reader'}")}
[display]
font = {json.dumps(str(parts.font()))}
""",
        encoding="utf-8",
    )
    return path


def test_check_says_that_settings_and_identity_fit(
    settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--settings", str(settings), "--check"]) == 0
    assert "t-archive of tonosho: settings and identity fit" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "code", "told"),
    [
        ("[broker]", "[brocker]", 2, "there is no [brocker]"),
        ('id = "t-archive"', 'id = "t-hall"', 3, "not for t-hall"),
        ('clock = "trusted"', 'clock = "mine"', 2, "kernel, trusted"),
    ],
)
def test_what_is_wrong_is_said_and_has_its_exit_code(
    settings: Path,
    caplog: pytest.LogCaptureFixture,
    old: str,
    new: str,
    code: int,
    told: str,
) -> None:
    settings.write_text(settings.read_text().replace(old, new))
    assert main(["--settings", str(settings), "--check"]) == code
    assert told in caplog.text


def test_without_pins_and_without_a_panel_it_says_what_to_do(
    settings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--settings", str(settings)]) == 5
    assert "simulated panel" in caplog.text


class Running:
    """A terminal process whose panel the test watches."""

    def __init__(self, settings: Path) -> None:
        self._seen, out = os.pipe()
        settings.write_text(settings.read_text() + f"[panel]\nout_fd = {out}\n")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "terminal", "--settings", str(settings)],
            pass_fds=[out],
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(out)

    def frames(self) -> Iterator[str]:
        """Lines of the panel that are frames, as they come."""
        buffered = b""
        while select.select([self._seen], [], [], LONG_S)[0]:
            read = os.read(self._seen, 65536)
            if not read:
                return
            *lines, buffered = (buffered + read).split(b"\n")
            yield from (line.decode() for line in lines if b"frame" in line)

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=LONG_S)
        os.close(self._seen)
        return self.process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminal_ends_in_order_when_it_is_told_to(
    settings: Path, number: signal.Signals
) -> None:
    running = Running(settings)
    next(running.frames())
    code, said = running.end(number)
    assert code == 0, said
    assert "Traceback" not in said


def notes(settings: Path) -> list[str]:
    """The reasons in the terminal's journal, in order."""
    journal = f"{(settings.parent / 'state' / 'journal.sqlite').as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(journal, uri=True)) as database:
        rows = database.execute("SELECT payload FROM record ORDER BY seq").fetchall()
    return [str(json.loads(payload)["reason"]) for (payload,) in rows]


def test_a_clean_end_is_written_down(settings: Path) -> None:
    running = Running(settings)
    next(running.frames())
    running.end(signal.SIGTERM)
    assert notes(settings)[-1] == "stopped"


def test_a_damaged_journal_is_set_aside_and_a_new_one_says_so(settings: Path) -> None:
    state = settings.parent / "state"
    state.mkdir()
    (state / "journal.sqlite").write_bytes(b"")
    running = Running(settings)
    next(running.frames())
    code, said = running.end(signal.SIGTERM)
    assert code == 0, said
    assert "journal_replaced" in notes(settings)
    kept = [path for path in state.rglob("*") if path.is_file() and path.stat().st_size == 0]
    assert kept, "the damaged file is kept for people to look at"


def test_a_second_terminal_on_the_same_journal_is_refused(settings: Path) -> None:
    first = Running(settings)
    next(first.frames())
    text = settings.read_text()
    settings.write_text(text[: text.index("[panel]")])
    second = Running(settings)
    _, said = second.process.communicate(timeout=LONG_S)
    assert second.process.returncode == 4
    assert "in use" in said
    assert first.end(signal.SIGTERM)[0] == 0
