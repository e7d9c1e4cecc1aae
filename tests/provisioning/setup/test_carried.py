import subprocess
import tarfile
from pathlib import Path

import pytest

from provisioning.setup import carried


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    for name in ("kazasu", "terminal/ports.py", ".venv/bin/python", ".kazasu/log", ".gitignore"):
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("/.venv/\n/.kazasu/\n")
    (root / "kazasu").chmod(0o755)
    python = root / ".venv" / "bin" / "python"
    python.write_text("#!/bin/sh\nprintf '%s' \"$TOLD\"\n")
    python.chmod(0o755)
    return root


def luggage(checkout: Path, folder: Path) -> Path:
    place = folder / "luggage.tar"
    carried.pack(checkout, place)
    system = folder / "system"
    system.mkdir()
    subprocess.run(["tar", "--extract", "--file", place, "--directory", system], check=True)
    return system


@pytest.mark.parametrize("by_git", [True, False])
def test_the_checkout_goes_along_without_what_was_made_in_it(
    checkout: Path, tmp_path: Path, *, by_git: bool
) -> None:
    if by_git:
        subprocess.run(["git", "-C", checkout, "init", "--quiet"], check=True)
    place = luggage(checkout, tmp_path) / "srv" / "kazasu"
    found = {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}
    assert found == {"kazasu", "terminal/ports.py", ".gitignore"}
    assert (place / "kazasu").stat().st_mode & 0o111


def test_settings_of_pip_and_of_proxies_go_along_and_nothing_else(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard = 'it\'s a \\ "hard" $one #2'
    monkeypatch.setenv("PIP_INDEX_URL", hard)
    monkeypatch.setenv("https_proxy", "proxy:3128")
    monkeypatch.setenv("AWS_SECRET", "stays")
    system = luggage(checkout, tmp_path)
    words = (system / "root" / "environment").read_text()
    shown = subprocess.run(
        ["env", "--ignore-environment", f"--split-string={words}", "env", "-0"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    there = dict(entry.split("=", 1) for entry in shown.split("\0") if entry)
    assert there["PIP_INDEX_URL"] == hard
    assert there["https_proxy"] == "proxy:3128"
    assert there["HOME"] == "/root"
    assert "AWS_SECRET" not in there


def test_certificates_that_pip_is_told_of_go_along_to_a_place_that_everyone_may_read(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(key, raising=False)
    bundle, settings = tmp_path / "town.pem", tmp_path / "pip.conf"
    bundle.write_text("the town's own authority")
    settings.write_text(f"[global]\ncert = {bundle}\n")
    monkeypatch.setenv("TOLD", f"global:\n  {settings}, exists: True\n")
    system = luggage(checkout, tmp_path)
    assert (system / "srv/certificates.pem").read_text() == "the town's own authority"
    assert (system / str(settings).lstrip("/")).read_text() == settings.read_text()
    assert "'PIP_CERT=/srv/certificates.pem'" in (system / "root/environment").read_text()


def test_the_luggage_is_for_its_owner_alone(checkout: Path, tmp_path: Path) -> None:
    luggage = tmp_path / "luggage.tar"
    luggage.touch(mode=0o666)
    carried.pack(checkout, luggage)
    assert luggage.stat().st_mode & 0o777 == 0o600
    with tarfile.open(luggage) as tar:
        assert tar.getmember("root/environment").mode == 0o600
        assert tar.getmember("srv/certificates.pem").mode == 0o644
