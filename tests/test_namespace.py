"""The private namespace, from outside."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests import namespace

ROOT = Path(__file__).resolve().parent.parent
SHOW = """
import os, socket, pathlib
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
print(sorted(name for _, name in socket.if_nameindex()))
print(list(pathlib.Path("/run/pcscd").iterdir()))
print(os.getuid())
pathlib.Path("out").write_text("seen outside")
from tests import namespace
print(namespace.inside())
"""


def run(
    *command: str, cwd: Path, prefix: list[str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(prefix or []), sys.executable, "-m", "tests.namespace", *command],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), namespace.MARK: ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.real
@pytest.mark.parametrize("who", ["as we are", "as an ordinary user"])
def test_inside_there_is_only_loopback_an_empty_run_pcscd_and_the_same_user_and_files(
    who: str,
) -> None:
    prefix: list[str] = []
    owner = os.getuid()
    if who == "as an ordinary user":
        if owner != 0:
            pytest.skip("we are one already")
        prefix, owner = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], 65534
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = Path(name)
        os.chown(folder, owner, -1)
        done = run("--", sys.executable, "-c", SHOW, cwd=folder, prefix=prefix)
        assert done.stderr == ""
        assert done.stdout.splitlines() == ["['lo']", "[]", str(owner), "True"]
        assert (folder / "out").read_text() == "seen outside"
        assert (folder / "out").stat().st_uid == owner


@pytest.mark.real
def test_the_machines_other_run_folders_stay_in_sight(tmp_path: Path) -> None:
    outside = {path.name for path in Path("/run").iterdir()}
    done = run("--", "ls", "-A", "/run", cwd=tmp_path)
    assert set(done.stdout.split()) == outside | {"pcscd"}


@pytest.mark.real
def test_the_commands_exit_code_is_ours(tmp_path: Path) -> None:
    assert run("--", "sh", "-c", "exit 7", cwd=tmp_path).returncode == 7


def test_where_the_system_refuses_the_remedy_is_told_and_nothing_runs(tmp_path: Path) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    done = run(
        "--", "touch", "ran", cwd=tmp_path, prefix=["env", f"PATH={tmp_path}:{os.environ['PATH']}"]
    )
    assert done.returncode == namespace.REFUSED
    assert "Operation not permitted" in done.stderr
    assert "sysctl kernel.unprivileged_userns_clone=1" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("words", [[], ["--"], ["ls"]])
def test_without_a_command_the_usage_is_told(tmp_path: Path, words: list[str]) -> None:
    done = run(*words, cwd=tmp_path)
    assert (done.returncode, "usage:" in done.stderr) == (2, True)


def test_a_mark_from_another_network_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(namespace.MARK, "net:[1]")
    assert not namespace.inside()
