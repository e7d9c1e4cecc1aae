"""The town hall's commands, as somebody at a keyboard meets them."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from provisioning.__main__ import main
from provisioning.broker import Broker
from provisioning.town import open_town

ROOT = Path(__file__).parents[2]
PERSON = """
[[holders]]
id = "k7p2"
name = "佐藤 花子"
groups = ["soumu"]
[[holders.cards]]
profile = "piv-town"
id = "{card}"
state = "active"
"""
WALL = """
[terminals.entrance-1]
default_use = "access"
portal = "front"
attendance_least = "authenticated"
"""


@pytest.fixture
def town(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A town as the commands and the first documents' comments lead to it."""
    folder = str(tmp_path / "town")
    assert main(["init", folder, "--site", "minami"]) == 0
    assert main(["terminal", folder, "entrance-1"]) == 0
    capsys.readouterr()
    assert main(["card", folder, "sato"]) == 0
    card = capsys.readouterr().out.split('id = "')[1].split('"')[0]
    documents = Path(folder) / "documents"
    roster = (documents / "roster.toml").read_text()
    (documents / "roster.toml").write_text(roster + PERSON.format(card=card))
    with (documents / "terminals.toml").open("a") as file:
        file.write(WALL)
    return folder


def test_a_town_is_made_from_nothing_and_previewed(
    town: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", town]) == 0
    shown = capsys.readouterr().out
    assert "佐藤 花子 (k7p2) gains front (office-hours)" in shown
    assert "CAUTION" not in shown


def test_the_preview_is_there_for_programs(town: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preview", town, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["joined"] == ["佐藤 花子 (k7p2)"]


def test_without_a_yes_nothing_is_signed(town: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["publish", town]) == 1
    told = capsys.readouterr().err
    assert "Not published, nothing is signed: only a keyboard can say yes" in told
    assert f"./kazasu town publish {town} --yes" in told
    assert not (Path(town) / "repository/metadata/1.targets.json").exists()


def test_a_likely_mistake_names_the_option_of_the_second_yes(
    town: str, capsys: pytest.CaptureFixture[str]
) -> None:
    access = Path(town) / "documents/access.toml"
    access.write_text(access.read_text().partition("[[permits]]")[0] + "\npermits = []\n")
    broken = access.read_text().replace("\npermits = []\n", "")
    access.write_text("permits = []\n" + broken)
    assert main(["publish", town, "--yes"]) == 1
    assert "--confirm-again" in capsys.readouterr().err


def test_a_broker_that_is_away_costs_no_signature(
    town: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provisioning.mqtt.PATIENCE_S", 0.2)
    assert main(["publish", town, "--yes", "--port", "9"]) == 1
    assert f"./kazasu town send {town}" in capsys.readouterr().err
    assert (Path(town) / "repository/metadata/1.targets.json").exists()


def test_a_town_that_is_none_is_told_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", str(tmp_path)]) == 1
    assert "./kazasu town init" in capsys.readouterr().err


def test_a_second_init_completes_and_one_with_other_values_is_told(
    town: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", town, "--site", "minami"]) == 0
    assert main(["init", town, "--site", "minami", "--broker-name", "b.example"]) == 1
    assert "town.toml" in capsys.readouterr().err
    assert main(["init", town, "--site", "minami", "--port", "1883"]) == 1
    assert "broker_port" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["init", "--site", "minami"], ["preview"]])
def test_a_file_is_not_taken_for_a_town(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    file = tmp_path / "README.md"
    file.write_text("ours")
    assert main([command[0], str(file), *command[1:]]) == 1
    assert f"{file} is a file" in capsys.readouterr().err
    assert file.read_text() == "ours"


def test_a_folder_that_cannot_be_made_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "/proc/town", "--site", "minami"]) == 1
    assert "/proc/town cannot be made here" in capsys.readouterr().err


def test_the_terminal_accepts_the_settings_that_are_laid_out_for_it(town: str) -> None:
    settings = Path(town) / "terminals/entrance-1/kazasu.toml"
    command = [sys.executable, "-m", "terminal", "--settings", str(settings), "--check"]
    plain = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert "entrance-1 of minami: settings and identity fit" in plain.stdout, plain.stderr
    text = settings.read_text(encoding="utf-8")
    # Every key that is offered in a comment is one the terminal knows.
    settings.write_text(re.sub(r"(?m)^# (?=[a-z0-9_]+ = )", "", text), encoding="utf-8")
    whole = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert whole.returncode == 0, whole.stderr
    assert tomllib.loads(settings.read_text(encoding="utf-8"))["pins"]["strike"] == 17


def test_settings_that_are_there_stay(town: str) -> None:
    settings = Path(town) / "terminals/entrance-1/kazasu.toml"
    settings.write_text("# ours\n")
    assert main(["terminal", town, "entrance-1"]) == 0
    assert settings.read_text() == "# ours\n"


def test_the_help_tells_the_whole_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for command in ("init", "terminal", "card", "preview", "publish", "renew", "broker", "ledger"):
        assert f"./kazasu town {command}" in shown


@pytest.mark.real
def test_publish_send_and_renew_reach_a_real_broker(
    town: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = open_town(Path(town))
    with Broker(place.broker, place.site) as broker:
        where = ["--host", "localhost", "--port", str(broker.port)]
        assert main(["publish", town, "--yes", *where]) == 0
        assert main(["send", town, *where]) == 0
        assert main(["renew", town, *where]) == 0
    assert "Publication 1 is on the broker." in capsys.readouterr().err
