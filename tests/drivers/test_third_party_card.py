"""Our reader meets a card that others wrote: it is not ours, it comes to no harm, nor do we."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from drivers.pcsc import PcscReader
from drivers.virtual_cards.vpcd import insert
from provisioning import parts
from provisioning.demo.commands import off_list
from terminal.core.credential import Credential, Unreadable
from tests.drivers.reader_desk import ALLOWED, Desk
from tests.drivers.third_party_card import make_keys
from tests.pcsc_sandbox import Pcscd
from tests.terminal.cards.card_table import card

pytestmark = pytest.mark.real

SELECT = "00A404000BA00000030800001000010000"


@dataclass
class Lying:
    """What the other card tells when it has been taken away."""

    taps: int = 0
    heard: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cac") / "keys"
    make_keys(folder)
    return folder


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    with Pcscd(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def desk(pcscd: Pcscd) -> Iterator[Desk]:
    reader = PcscReader(allow=ALLOWED)
    yield Desk(reader, pcscd.slots[0])
    reader.close()


@contextmanager
def other_card(keys: Path, pcscd: Pcscd) -> Iterator[Lying]:
    """The other card lies on the first reader; what it heard is told at the end."""
    host, port = pcscd.slots[0]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.drivers.third_party_card", str(keys), host, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=parts.environment(),
    )
    lying = Lying()
    with process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == "lies there\n", process.communicate(timeout=10)
        yield lying
        told, errors = process.communicate(timeout=20)
        assert process.returncode == 0, errors
    lying.__dict__.update(json.loads(told))


def test_it_is_what_it_says_to_a_client_that_others_wrote(pcscd: Pcscd, keys: Path) -> None:
    with other_card(keys, pcscd):
        named = subprocess.run(
            [str(parts.tool("opensc-tool")), "--wait", "--name"],
            env=parts.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert "Common Access Card" in named.stdout + named.stderr


def test_it_has_no_application_of_ours_and_is_asked_for_nothing_else(
    pcscd: Pcscd, desk: Desk, keys: Path
) -> None:
    with other_card(keys, pcscd) as lying:
        desk.until("present")
        assert desk.read() is Unreadable.NO_APPLICATION
    desk.until("gone")
    assert lying.taps == 1
    assert lying.heard == [SELECT]
    assert off_list(bytes.fromhex(one) for one in lying.heard) == []
    assert desk.reader.refused == 0


def test_the_next_good_card_works_however_often_it_came(
    pcscd: Pcscd, desk: Desk, keys: Path
) -> None:
    for _ in range(3):
        with other_card(keys, pcscd):
            desk.until("present")
            assert desk.read() is Unreadable.NO_APPLICATION
        desk.until("gone")
        with insert(card(), desk.place):
            desk.until("present")
            assert isinstance(desk.read(), Credential)
        desk.until("gone")
    assert desk.kinds() == ["present", "gone"] * 6
