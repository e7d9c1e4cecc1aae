"""The launcher as a person meets it: what it says, what it needs, when it does nothing."""

import ast
import fcntl
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from provisioning.setup import steps
from provisioning.setup.commands import COMMANDS
from provisioning.setup.fault import SetupError
from provisioning.setup.texts import FAULTS, STEPS
from tests.provisioning.setup.machines import ROOT, Machine, machine

NEEDED = "python3-venv python3-dev gcc libc6-dev libpcsclite-dev"


@pytest.fixture
def there(tmp_path: Path) -> Machine:
    return machine(tmp_path)


def launcher() -> ModuleType:
    loader = SourceFileLoader("launcher", str(ROOT / "kazasu"))
    spec = spec_from_loader("launcher", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def set_up(there: Machine, name: str) -> None:
    """As if everything had been got: the stamp, and an interpreter that tells its arguments."""
    (there.checkout / ".kazasu").mkdir()
    (there.checkout / ".kazasu" / f"ready-{name}").write_text(steps._digest(there.checkout))
    interpreter = there.checkout / ".venv" / "bin" / "python"
    interpreter.parent.mkdir(parents=True)
    interpreter.write_text('#!/bin/sh\necho "$KAZASU_LANG: $*"\nexit 7\n')
    interpreter.chmod(0o755)


@pytest.mark.parametrize(("language", "users"), [("ja", "試してみる方"), ("en", "To try it")])
def test_help_lists_every_command_by_who_uses_it(there: Machine, language: str, users: str) -> None:
    shown = there.launch("--lang", language, "--help")
    assert shown.returncode == 0
    assert users in shown.stdout
    for command in COMMANDS.values():
        assert f"  {command.shown}" in shown.stdout


def test_help_speaks_the_machines_language(there: Machine) -> None:
    assert "使い方" in there.launch("--help", LANG="ja_JP.UTF-8").stdout
    assert "usage" in there.launch("--help", LANG="de_DE.UTF-8").stdout


def test_nothing_said_is_answered_with_the_help(there: Machine) -> None:
    shown = there.launch()
    assert (shown.returncode, "usage" in shown.stdout) == (2, True)


def test_an_unknown_command_is_told_with_the_nearest(there: Machine) -> None:
    refused = there.launch("tset")
    assert refused.returncode == 2
    assert "Did you mean ./kazasu test?" in refused.stderr


@pytest.mark.parametrize("table", [STEPS, FAULTS])
def test_every_sentence_has_the_same_places_in_both_languages(table: dict[str, tuple[str]]) -> None:
    for sentence in table.values():
        japanese, english = (sorted(re.findall(r"{\w+}", text)) for text in sentence)
        assert japanese == english


def test_the_launcher_can_be_read_by_a_python_that_is_too_old_to_run_it() -> None:
    ast.parse((ROOT / "kazasu").read_text(), feature_version=(3, 7))


def test_a_python_that_is_too_old_is_told_in_both_languages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = launcher()
    monkeypatch.setattr(module, "MACHINES_OWN", "/nowhere/python3")
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    said = module.main()
    assert "Python 3.9.2 is too old: 3.11 or newer is needed." in said
    assert "3.11 以上が必要です。" in said


def test_a_processor_without_ready_made_libraries_is_refused(
    there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    with pytest.raises(SetupError) as refused:
        steps.ready(there.checkout, "demo", "en")
    assert (refused.value.key, refused.value.values) == ("machine", {"machine": "armv7l"})


def test_a_disk_that_is_too_full_is_told_before_anything_is_fetched(
    there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = (10_000_000_000, 9_900_000_000, 100_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": full[2]}))
    with pytest.raises(SetupError) as refused:
        steps.ready(there.checkout, "demo", "en")
    assert (refused.value.key, refused.value.values["free"]) == ("disk", "100")


def test_a_checkout_that_cannot_be_written_to_is_told(there: Machine, tmp_path: Path) -> None:
    (there.checkout / ".kazasu").symlink_to(tmp_path / "nowhere")
    refused = there.launch("demo")
    assert refused.returncode == 3
    assert "cannot be written to" in refused.stderr


def test_without_debians_tools_the_packages_are_named(there: Machine) -> None:
    refused = there.launch("demo")
    assert refused.returncode == 3
    assert "There is no apt-get here.\nUse Debian 12" in refused.stderr
    assert NEEDED in refused.stderr


def test_when_everything_is_there_the_command_runs_at_once_with_its_arguments(
    there: Machine,
) -> None:
    set_up(there, "demo")
    done = there.launch("--lang", "ja", "demo", "--check", "--taps", "2")
    assert done.returncode == 7, "the command's own exit code"
    assert done.stdout == "ja: -m provisioning.demo --check --taps 2\n"
    assert there.calls() == []


@pytest.mark.parametrize("moved", ["kazasu", "requirements.lock", "provisioning/setup/fetch.py"])
def test_a_change_of_what_is_set_up_is_seen(there: Machine, moved: str) -> None:
    set_up(there, "demo")
    with (there.checkout / moved).open("a") as file:
        file.write("\n# changed\n")
    assert there.launch("demo").returncode == 3


def test_a_second_launcher_waits_for_the_first(there: Machine) -> None:
    set_up(there, "demo")
    stamp = there.checkout / ".kazasu" / "ready-demo"
    done = stamp.read_text()
    stamp.unlink()
    with (there.checkout / ".kazasu" / "setup.lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_SH)  # held by somebody, however little
        second = subprocess.Popen(
            ["/usr/bin/python3", there.checkout / "kazasu", "demo"],
            env=there.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        with second, second.stdout:
            assert "Another ./kazasu is at the same work" in second.stdout.readline()
            stamp.write_text(done)
            fcntl.flock(first, fcntl.LOCK_UN)
            assert second.stdout.read() == "en: -m provisioning.demo\n"


def test_the_locks_name_every_dependency_with_hashes_and_no_address() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    asked = [line for group in groups for line in group]
    names = {re.split(r"[<>=; ]", line)[0].lower().replace(".", "-") for line in asked}
    locked = set()
    for lock in ROOT.glob("requirements*.lock"):
        entries = re.split(r"\n(?=\w)", lock.read_text())
        for entry in entries:
            assert re.match(r"[\w.-]+==[^\s\\]+( ; [^\\]+)? \\\n( +--hash=sha256:)", entry), entry
            assert "//" not in entry
        locked |= {entry.split("==")[0] for entry in entries}
    assert names <= locked


def test_the_project_builds_as_one_with_its_three_packages(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "terminal", "drivers", "provisioning"):
        (source / name).symlink_to(ROOT / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", tmp_path, source],
        check=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("kazasu-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("terminal/core/access.py", "drivers/pcsc.py", "provisioning/parts.py"):
        assert name in names
    assert "terminal/py.typed" in names
    assert not any(name.startswith("tests/") for name in names)
