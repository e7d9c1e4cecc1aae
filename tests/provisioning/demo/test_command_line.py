"""The demo's command line: its language, its exit codes, what it says of what stays."""

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
