"""The rules of the house, held against this checkout, and each seen to fail on a planted tree."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import architecture as house

ROOT = Path(__file__).resolve().parent.parent
Rule = Callable[[Path], list[str]]
RULES: tuple[Rule, ...] = (
    house.broken_arrows,
    house.mixed_drivers,
    house.long_rooms,
    house.forbidden_names,
    house.forbidden_words,
    house.strange_top_level,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_this_checkout_keeps(rule: Rule) -> None:
    assert rule(ROOT) == []


ALLOWED = {
    "terminal/core/access.py": "from terminal.core import roster\nimport collections.abc\n",
    "terminal/core/roster.py": "from dataclasses import dataclass\n",
    "terminal/wire/topics.py": "import json\nfrom terminal.core.roster import Holder\n",
    "terminal/cards/piv.py": "from terminal.ports import Channel\nfrom terminal.wire import x509\n",
    "terminal/wire/x509.py": "import cryptography.x509\n",
    "terminal/ports.py": "from typing import Protocol\n",
    "terminal/compose.py": "from drivers import oled\nfrom terminal import link\n",
    "terminal/link.py": "import threading\nimport paho.mqtt.client\n",
    "drivers/oled.py": "from luma.oled.device import ssd1306\nfrom terminal.ports import Display\n",
    "drivers/virtual_cards/piv.py": "from cryptography import x509\n",
    "provisioning/__init__.py": "",
    "provisioning/demo/plants.py": "from terminal.compose import build\n",
    "provisioning/demo/page.py": "from nicegui import ui\nfrom drivers import simulated\n",
    "drivers/simulated.py": "",
    "drivers/pcsc.py": "import smartcard.scard\n",
    "provisioning/card_desk.py": "from terminal.cards import piv\nimport drivers.pcsc\n",
}


def planted(root: Path, **sources: str) -> Path:
    for name, text in {**ALLOWED, **sources}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_tree_that_keeps_the_rules_is_let_through(rule: Rule, tmp_path: Path) -> None:
    assert rule(planted(tmp_path)) == []


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("terminal/core/access.py", "import logging"),
        ("terminal/core/access.py", "import time"),
        ("terminal/core/access.py", "from terminal.wire import topics"),
        ("terminal/core/access.py", "from cryptography import x509"),
        ("terminal/wire/topics.py", "from pathlib import Path"),
        ("terminal/wire/topics.py", "import socket"),
        ("terminal/wire/topics.py", "from terminal import link"),
        ("terminal/wire/topics.py", "from drivers import oled"),
        ("terminal/cards/piv.py", "import smartcard"),
        ("terminal/cards/piv.py", "from terminal.wire import topics"),
        ("terminal/cards/piv.py", "from drivers.pcsc import Reader"),
        ("terminal/ports.py", "from terminal.wire import topics"),
        ("terminal/link.py", "from drivers import oled"),
        ("terminal/link.py", "import tinydb"),
        ("terminal/link.py", "import provisioning.parts"),
        ("terminal/service.py", "import paho.mqtt.client"),
        ("terminal/service.py", "from cryptography import x509"),
        ("terminal/service.py", "import requests"),
        ("terminal/service.py", "def later() -> None:\n    import tuf"),
        ("drivers/oled.py", "from terminal.wire import topics"),
        ("drivers/oled.py", "from terminal import link"),
        ("drivers/virtual_cards/piv.py", "from terminal.cards import piv"),
        ("drivers/virtual_cards/piv.py", "from terminal.core import roster"),
        ("provisioning/ledger.py", "from terminal import link"),
        ("provisioning/ledger.py", "from terminal.cards import piv"),
        ("provisioning/ledger.py", "from drivers import simulated"),
        ("provisioning/ledger.py", "from nicegui import ui"),
        ("provisioning/demo/page.py", "from terminal.compose import build"),
        ("provisioning/demo/page.py", "from drivers.oled import Oled"),
        ("provisioning/__init__.py", "from provisioning import ledger"),
        ("provisioning/parts.py", "from terminal.core import roster"),
        ("provisioning/setup/venv.py", "from provisioning import ledger"),
        ("provisioning/setup/venv.py", "import paho.mqtt"),
    ],
)
def test_an_arrow_that_the_table_does_not_allow_is_found(
    place: str, line: str, tmp_path: Path
) -> None:
    found = house.broken_arrows(planted(tmp_path, **{place: line + "\n"}))
    assert len(found) == 1
    assert found[0].startswith(f"{place}:")


def test_a_driver_with_two_libraries_is_found(tmp_path: Path) -> None:
    two = "import gpiozero\nfrom luma.oled.device import ssd1306\n"
    found = house.mixed_drivers(planted(tmp_path, **{"drivers/oled.py": two}))
    assert found == ["drivers/oled.py: gpiozero, luma; one library per file"]


def test_a_room_that_has_grown_too_long_is_found(tmp_path: Path) -> None:
    grown = {
        "terminal/inbox.py": "x = 1\n" * (house.LONGEST_FILE + 1),
        "tests/test_inbox.py": "x = 1\n" * (house.LONGEST_TEST_FILE + 1),
    }
    found = house.long_rooms(planted(tmp_path, **grown))
    assert [line.split(":")[0] for line in found] == list(grown)


def test_a_function_that_has_grown_too_long_is_found_by_its_statements(tmp_path: Path) -> None:
    body = "    x = 1\n" * house.LONGEST_FUNCTION
    told = '    """Tells.\n\n    Much.\n    """\n'
    sources = {"terminal/inbox.py": f"def put():\n{told}{body}"}
    assert house.long_rooms(planted(tmp_path, **sources)) == []
    sources["terminal/inbox.py"] += "    x = 2\n"
    found = house.long_rooms(planted(tmp_path, **sources))
    assert found == ["terminal/inbox.py: put has 41 lines, more than 40"]


@pytest.mark.parametrize("name", ["terminal/utils.py", "drivers/base.py", "tests/helpers/a.py"])
def test_a_name_that_says_nothing_is_found(name: str, tmp_path: Path) -> None:
    assert house.forbidden_names(planted(tmp_path, **{name: ""})) == [name]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://" + "pypi" + ".org/simple",
        "http://" + "deb" + ".debian.org/debian",
        "see /" + "work/somewhere",
        "as " + "facts/" + "cards.md says",
        "closes " + "issue #" + "2",
    ],
)
def test_a_word_that_does_not_belong_into_the_tree_is_found(line: str, tmp_path: Path) -> None:
    found = house.forbidden_words(planted(tmp_path, **{"README.md": f"fine\n{line}\n"}))
    assert found == [f"README.md:2: {line}"]


def test_a_file_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    (planted(tmp_path) / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\xff")
    assert house.forbidden_words(tmp_path) == []


def test_what_tools_leave_behind_is_passed_over(tmp_path: Path) -> None:
    left = (".pytest_cache/v/nodeids", ".venv/lib/base.py", "kazasu.egg-info/SOURCES.txt")
    planted(tmp_path, **dict.fromkeys(left, "see /" + "work/somewhere"))
    assert [rule(tmp_path) for rule in RULES] == [[]] * len(RULES)


def test_a_new_name_at_the_top_is_found(tmp_path: Path) -> None:
    extra = {"notes.txt": "", "docs/a.md": "", ".github/b": "", "requirements-dev.lock": ""}
    assert house.strange_top_level(planted(tmp_path, **extra)) == ["docs", "notes.txt"]
