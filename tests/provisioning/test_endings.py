"""Whatever is about to end is told in time, with what to do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from provisioning import authority
from provisioning.__main__ import main
from provisioning.endings import ending_soon
from provisioning.town import Town, TownError
from tests.town_hall import TERMINAL, TownHall

NOW = datetime.now(UTC)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    hall = TownHall(tmp_path / "town")
    hall.sign()
    return hall.town


def told(town: Town, days: int) -> list[str]:
    return ending_soon(town, NOW + timedelta(days=days))


def test_of_a_new_town_nothing_ends_soon(town: Town) -> None:
    assert told(town, 0) == []
    assert told(town, 58) == []


def test_the_end_of_a_publication_is_told_a_month_before(town: Town) -> None:
    targets, snapshot = told(town, 61)
    assert targets.startswith("the signature of the targets ends in 2")
    assert "./kazasu town publish" in targets
    assert snapshot.startswith("the signature of the snapshot ends in 2")
    assert told(town, 92)[0].startswith("the signature of the targets has ended")


def test_the_ends_of_all_certificates_and_of_the_root_are_told(town: Town) -> None:
    found = "\n".join(told(town, 705))
    for name in ("broker/server.crt", "ledger/client.crt", "publisher/client.crt"):
        assert f"{name} ends in 2" in found
    assert "operations/client.crt" in found
    assert f"{TERMINAL}/device.crt" in found
    assert "root of publications ends" in found


def test_every_command_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(tmp_path / "town")
    monkeypatch.setattr(authority, "SERVER_LIFE", timedelta(days=20))
    assert main(["init", folder, "--site", "minami"]) == 0
    assert main(["card", folder, "sato"]) == 0
    assert "CAUTION: " in capsys.readouterr().err
    assert main(["terminal", folder, "gate-1"]) == 0
    said = capsys.readouterr()
    assert "server.crt ends in 19 days" in said.err
    assert "CAUTION" not in said.out


def test_metadata_that_is_damaged_stops_no_other_command(town: Town) -> None:
    (town.repository / "metadata/1.targets.json").write_bytes(b"{}")
    with pytest.raises(TownError, match="no readable metadata"):
        ending_soon(town)
    assert main(["terminal", str(town.folder), "gate-9"]) == 0
