"""The town hall's commands, as somebody at a keyboard meets them."""

import json
from pathlib import Path

import pytest

from provisioning.__main__ import main
from provisioning.broker import Broker
from provisioning.town import open_town

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
    roster = (documents / "roster.toml").read_text().replace("holders = []", "")
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
    assert "Not published" in told
    assert f"kazasu town publish {town} --yes" in told
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
    assert "kazasu town send" in capsys.readouterr().err
    assert (Path(town) / "repository/metadata/1.targets.json").exists()


def test_a_town_that_is_none_is_told_with_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preview", str(tmp_path)]) == 1
    assert "kazasu town init" in capsys.readouterr().err


def test_a_second_init_completes_and_one_with_other_values_is_told(
    town: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", town, "--site", "minami"]) == 0
    assert main(["init", town, "--site", "minami", "--broker-name", "b.example"]) == 1
    assert "town.toml" in capsys.readouterr().err
    assert main(["init", town, "--site", "minami", "--port", "1883"]) == 1
    assert "broker_port" in capsys.readouterr().err


def test_the_help_tells_the_whole_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    for command in ("init", "terminal", "card", "preview", "publish", "renew", "broker", "ledger"):
        assert f"kazasu town {command}" in shown


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
