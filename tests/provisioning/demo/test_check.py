"""The demo's check on real parts: Mosquitto, the terminal, the ledger, as processes.

The plain check must prove everything; each of the six plants must be named, and nothing else.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from provisioning.demo.samples import SAMPLES
from provisioning.demo.spoils import PLANTS

ROOT = Path(__file__).resolve().parents[3]
TAPS = 2
WITHIN_S = 150
TAMPERED = {
    "silent": "no-answer",
    "green": "early-beep",
    "phantom": "stray-record",
    "deaf": "deaf",
}
"""What each of the terminals of ``tampered`` must be found out by."""

pytestmark = [pytest.mark.real, pytest.mark.timeout(WITHIN_S + 30)]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "provisioning.demo", "--check", "--taps", str(TAPS)]
    return subprocess.Popen(
        [*command, "--json", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class Outcome:
    """What a check printed: its JSON, its last line, what went to standard error."""

    code: int
    report: dict[str, Any]
    last: str
    progress: str


def outcome(run: subprocess.Popen[str]) -> Outcome:
    said, progress = run.communicate(timeout=WITHIN_S)
    lines = said.splitlines()
    assert len(lines) == 2, f"exit {run.returncode}\n{said}\n{progress}"
    return Outcome(run.returncode, json.loads(lines[0]), lines[1], progress)


@pytest.fixture(scope="module")
def tampered(planted: object) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The terminals of ``tampered``, together with the plants: these wait as well."""
    del planted
    runs = {
        name: subprocess.Popen(
            [sys.executable, "-m", "tests.provisioning.demo.tampered", name],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in TAMPERED
    }
    yield runs
    for run in runs.values():
        run.kill()
        run.communicate()


@pytest.fixture(scope="module")
def planted() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All six at once: a check mostly waits, for tones to end and for a card that is mute."""
    runs = {plant: start("--plant", plant) for plant in PLANTS}
    yield runs
    for run in runs.values():
        run.kill()
        run.communicate()


def test_every_tap_of_every_card_is_proven_although_the_broker_was_killed() -> None:
    found = outcome(start())
    report, last = found.report, found.last
    assert report["findings"] == []
    assert found.code == 0, found.progress
    taps = TAPS * len(SAMPLES)
    records, received = report["records"], report["received"]
    assert last == f"demo: {taps} taps, {records} records, {received} received, chain ok"
    assert report["taps"] == taps
    assert records == received > taps
    assert set(report["cards"]) == {sample.key for sample in SAMPLES}
    for card in report["cards"].values():
        assert card["taps"] == card["records"] == TAPS
    assert "kill -9" in found.progress


@pytest.mark.parametrize("name", TAMPERED)
def test_a_terminal_that_was_tampered_with_is_named(
    tampered: dict[str, subprocess.Popen[str]], name: str
) -> None:
    found = outcome(tampered[name])
    assert {finding["kind"] for finding in found.report["findings"]} == {TAMPERED[name]}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_named_and_nothing_else(
    planted: dict[str, subprocess.Popen[str]], plant: str
) -> None:
    found = outcome(planted[plant])
    assert {finding["kind"] for finding in found.report["findings"]} == {plant}
    assert found.code == 1
    assert found.last.endswith(f"NOT proven: {plant}")
    assert f"{plant}: " in found.progress


def test_what_cannot_run_says_what_is_missing_and_leaves_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "parts"
    env = {**os.environ, "KAZASU_PARTS": str(empty), "TMPDIR": str(tmp_path)}
    if Path("/usr/sbin/mosquitto").exists():
        pytest.skip("this machine has a broker of its own")
    run = subprocess.run(
        [sys.executable, "-m", "provisioning.demo", "--check", "--taps", "1"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert run.returncode == 2
    assert "setup demo" in run.stderr
    assert list(tmp_path.glob("kazasu-demo-*")) == []
