"""The bench runs and says what it promises; how fast anything is, no test asserts."""

import json
import subprocess
import sys

import pytest

from tests.bench.figures import figures, ratios


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


def test_a_row_of_numbers_is_told_by_its_quartiles() -> None:
    told = figures([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (told.n, told.p25, told.median, told.p75) == (5, 2.0, 3.0, 4.0)


def test_a_ratio_is_taken_pair_by_pair() -> None:
    assert ratios([2.0, 20.0, 200.0], [1.0, 10.0, 100.0]).median == 2.0


def test_help_says_from_where_to_where_is_measured() -> None:
    said = bench("tap", "--help").stdout
    assert "whole tap" in said
    assert "first command to the edge of the strike's pin" in said
    assert "ratio" in said


@pytest.mark.parametrize("wrong", [["--taps", "1"], ["--taps", "many"], ["--fast"]])
def test_a_wrong_line_is_refused(wrong: list[str]) -> None:
    done = bench("tap", *wrong)
    assert done.returncode == 2
    assert wrong[-1] in done.stderr


@pytest.mark.real
def test_two_taps_give_the_whole_report() -> None:
    done = bench("tap", "--taps", "2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    kinds = [(one["card"], one["speed"], one["commands"]) for one in report["tap"]]
    assert kinds == [
        ("P-256", "at 0 ms", 4),
        ("P-256", "as a real card", 4),
        ("RSA-2048", "at 0 ms", 8),
        ("RSA-2048", "as a real card", 8),
    ]
    for one in report["tap"]:
        assert one["ratio"]["n"] == one["ms"]["whole_tap"]["n"] == one["ms"]["bare"]["n"] == 2
        assert all(row["median"] > 0 for row in one["ms"].values())
    assert report["commit"]["ratio"]["n"] == 20
    assert report["commit"]["record_bytes"] > 0
    assert all(value > 0 for value in report["memory_mb"].values())
    assert report["machine"]["disk"]
