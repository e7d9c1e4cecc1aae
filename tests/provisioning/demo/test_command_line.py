"""The demo's command line: its language, its exit codes, what it says of what stays."""

import socket
import sqlite3
from pathlib import Path

import pytest

from provisioning.demo import __main__ as command_line
from provisioning.demo.texts import words
from provisioning.ledger.database import StoreError
from provisioning.town import TownError
from terminal.core.rules import Language


@pytest.mark.parametrize(
    ("asked", "words", "speaks"),
    [
        ("en", [], "en"),
        ("ja", [], "ja"),
        ("en", ["--lang", "ja"], "ja"),
        ("", [], "ja"),
        ("de", [], "ja"),
    ],
)
def test_the_launchers_language_is_spoken_unless_another_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, asked: str, words: list[str], speaks: str
) -> None:
    monkeypatch.setenv("KAZASU_LANG", asked)
    assert command_line._options(words).lang == speaks


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (TownError("no town"), 2),
        (StoreError("a row holds nonsense"), 3),
        (sqlite3.DatabaseError("file is not a database"), 3),
    ],
)
def test_what_cannot_run_and_what_cannot_be_read_have_their_own_exit_codes(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: Exception,
    code: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(command_line, "Stage", fail)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert command_line.main(["--check", "--taps", "1"]) == code
    assert str(fault) in capsys.readouterr().err


@pytest.mark.parametrize("language", ["ja", "en"])
def test_what_is_kept_is_said_with_its_place(language: str, tmp_path: Path) -> None:
    said = words(Language(language))["console"]
    assert str(tmp_path) in said["kept"].format(folder=tmp_path)
    assert command_line._end_words(said, tmp_path) != said["ended"]
    assert command_line._end_words(said, None) == said["ended"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--port", "99999"], "from 1 to 65535"),
        (["--port", "0"], "from 1 to 65535"),
        (["--taps", "2"], "belong to --check"),
        (["--check", "--taps", "0"], "from 1 to 1000"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], asked: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line._options(asked)
    assert ended.value.code == 2
    heard = capsys.readouterr()
    assert said in heard.err
    assert heard.out == ""


def test_without_a_number_a_card_is_tapped_as_often_as_the_help_says() -> None:
    assert command_line._options(["--check"]).taps == command_line.TAPS


def test_a_port_that_somebody_has_is_named_with_a_remedy_before_anything_starts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert command_line.main(["--lang", "en", "--no-browser", "--port", str(port)]) == 2
    heard = capsys.readouterr()
    assert f"Port {port} cannot be used" in heard.err
    assert "--port" in heard.err
    assert heard.out == ""
