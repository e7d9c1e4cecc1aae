"""The demo's check on real parts: Mosquitto, the terminal, the ledger, as processes.

The plain check must prove everything; each of the six plants must be named, and nothing else.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from provisioning.demo.samples import SAMPLES
from provisioning.demo.spoils import PLANTS

ROOT = Path(__file__).resolve().parents[3]
TAPS = 2
WITHIN_S = 150

pytestmark = [pytest.mark.real, pytest.mark.timeout(WITHIN_S + 30)]


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "provisioning.demo", "--check", "--taps", str(TAPS)]
    return subprocess.run(
        [*command, "--json", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def told(run: subprocess.CompletedProcess[str]) -> tuple[dict[str, Any], str]:
    """The JSON and the last line; what went wrong is shown with everything that was said."""
    lines = run.stdout.splitlines()
    assert len(lines) == 2, f"exit {run.returncode}\n{run.stdout}\n{run.stderr}"
    return json.loads(lines[0]), lines[1]


def test_every_tap_of_every_card_is_proven_although_the_broker_was_killed() -> None:
    begun = time.monotonic()
    run = check()
    report, last = told(run)
    assert run.returncode == 0, run.stderr
    assert report["findings"] == []
    taps = TAPS * len(SAMPLES)
    records, received = report["records"], report["received"]
    assert last == f"demo: {taps} taps, {records} records, {received} received, chain ok"
    assert report["taps"] == taps
    assert records == received > taps
    assert set(report["cards"]) == {sample.key for sample in SAMPLES}
    for card in report["cards"].values():
        assert card["taps"] == card["records"] == TAPS
    assert "kill -9" in run.stderr
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_is_named_and_nothing_else(plant: str) -> None:
    run = check("--plant", plant)
    report, last = told(run)
    assert run.returncode == 1, run.stderr
    assert {finding["kind"] for finding in report["findings"]} == {plant}
    assert last.endswith(f"NOT proven: {plant}")
    assert f"{plant}: " in run.stderr


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
