"""One town for all tests of a module that leave it as they found it; a fresh one for the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pcsc_sandbox import Pcscd
from tests.walk.wall import Wall, town


@pytest.fixture(scope="module")
def shared_wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    folder = tmp_path_factory.mktemp("town")
    with Pcscd(folder) as pcscd, town(folder, pcscd) as wall:
        yield wall


@pytest.fixture
def wall(tmp_path: Path) -> Iterator[Wall]:
    with Pcscd(tmp_path) as pcscd, town(tmp_path, pcscd) as wall:
        yield wall
