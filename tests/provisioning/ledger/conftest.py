from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import Wall


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


@pytest.fixture
def wall(desk: Desk) -> Wall:
    return desk.enrolled_wall()
