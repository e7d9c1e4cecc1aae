"""The command line: a sample card on a reader, its commands on the screen."""

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.virtual_cards.__main__ import main
from drivers.virtual_cards.slot import Change, SocketSlot
from tests.drivers.virtual_cards.card_office import SELECT, write_sample


def test_a_card_is_laid_on_a_slot_and_its_commands_are_shown(tmp_path: Path) -> None:
    write_sample(tmp_path, "suzuki", "good")
    with SocketSlot(tmp_path / "reader") as slot:
        command = [sys.executable, "-m", "drivers.virtual_cards", str(tmp_path), "suzuki"]
        with subprocess.Popen(
            [*command, "--slot", str(slot.path)], stdout=subprocess.PIPE, text=True
        ) as shown:
            assert slot.wait(20) is Change.PRESENT
            slot.connect()
            slot.transmit(SELECT)
            slot.disconnect()
            assert slot.wait(20) is Change.ABSENT
            assert shown.stdout is not None
            lines = shown.stdout.read().splitlines()
    assert lines == [
        SELECT.hex(" ").upper(),
        "taps 1, commands 1, PINs 0, forbidden selections 0",
    ]
    assert shown.returncode == 0


def test_without_a_card_the_tray_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample(tmp_path, "suzuki", "good", order=3)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "3  suzuki       good     suzukiさんのカード\n"


def test_a_card_that_no_reader_asks_ends_with_an_error_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sample(tmp_path, "suzuki", "good")
    with SocketSlot(tmp_path / "reader") as slot:
        assert main([str(tmp_path), "suzuki", "--slot", str(slot.path), "--hold", "0"]) == 1
    assert "taps 0" in capsys.readouterr().out


def test_an_unreadable_tray_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "no sample card" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["suzuki"], "say where to lay the card"),
        (["suzuki", "--vpcd", "nowhere"], "say where to lay the card"),
        (["tanaka", "--slot", "x"], "no card tanaka in this tray; it has suzuki"),
    ],
)
def test_a_wrong_line_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    write_sample(tmp_path, "suzuki", "good")
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path), *words])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
