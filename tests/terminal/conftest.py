"""A town with a real broker, and one terminal's journal and link in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import link_drain, link_rhythm
from tests.terminal.town_broker import SITE, SimpleLedger, Town, TownHall, Wall
from tests.terminal.wall import eventually

EVERYTHING = f"kazasu/v1/{SITE}/#"


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    # The waits of a day are seconds here; their lengths are tested where no clock is needed.
    monkeypatch.setattr(link_rhythm, "SHORTEST_S", 0.1)
    monkeypatch.setattr(link_rhythm, "LONGEST_S", 0.3)
    monkeypatch.setattr(link_drain, "RETRY_S", 0.3)
    one = Town(tmp_path)
    one.broker.start()
    yield one
    one.broker.stop()


@pytest.fixture
def ledger(town: Town) -> Iterator[SimpleLedger]:
    one = SimpleLedger(town)
    eventually(one.client.is_connected)
    yield one
    one.close()


@pytest.fixture
def operations(town: Town) -> Iterator[TownHall]:
    one = TownHall(town, "operations", EVERYTHING)
    eventually(one.client.is_connected)
    yield one
    one.close()


@pytest.fixture
def wall(town: Town, tmp_path: Path) -> Iterator[Wall]:
    one = Wall(town, tmp_path)
    yield one
    one.close()
