"""Nothing outlives the demo, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.demo.keeper import Keeper
from provisioning.demo.processes import Child, ProcessFailedError

PATIENCE_S = 10.0
SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]

DEMO = """
import sys, os, signal
from pathlib import Path
from provisioning.demo.keeper import Keeper
from provisioning.demo.processes import Child
folder = Path(sys.argv[1])
keeper = Keeper()
keeper.remove(folder)
child = Child("sleeper", folder / "log", keeper)
child.start([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie that nobody has asked after counts as ended)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def wait_until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_a_killed_demo_leaves_neither_process_nor_directory(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, "-c", DEMO, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == -signal.SIGKILL
    sleeper = int(run.stdout)
    wait_until(lambda: gone(sleeper))
    wait_until(lambda: not folder.exists())


def test_closing_ends_what_is_minded_and_spares_what_is_forgotten(tmp_path: Path) -> None:
    keeper = Keeper()
    minded = subprocess.Popen(SLEEPER, start_new_session=True)
    forgotten = subprocess.Popen(SLEEPER, start_new_session=True)
    keeper.mind(minded.pid)
    keeper.mind(forgotten.pid)
    keeper.forget(forgotten.pid)
    keeper.close()
    keeper.close()
    assert minded.wait(PATIENCE_S) == -signal.SIGKILL
    assert forgotten.poll() is None
    forgotten.kill()
    forgotten.wait(PATIENCE_S)


def test_cutting_the_power_ends_a_whole_process_group(tmp_path: Path) -> None:
    keeper = Keeper()
    child = Child("terminal", tmp_path / "log", keeper)
    code = (
        "import subprocess, sys, time\n"
        "inner = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(inner.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    child.start([sys.executable, "-c", code])
    wait_until(lambda: (tmp_path / "log").read_text().strip().isdigit())
    inner = int((tmp_path / "log").read_text())
    child.kill()
    wait_until(lambda: gone(inner))
    assert not child.running
    child.kill()
    child.stop()
    keeper.close()


def test_a_process_that_ends_tells_its_last_words(tmp_path: Path) -> None:
    keeper = Keeper()
    child = Child("ledger", tmp_path / "log", keeper)
    child.start([sys.executable, "-c", "raise SystemExit('the disk is full')"])
    wait_until(lambda: not child.running)
    with pytest.raises(ProcessFailedError, match=r"ledger .*the disk is full") as failed:
        child.must_run()
    assert str(tmp_path / "log") in str(failed.value)
    child.stop()
    keeper.close()


def test_an_inherited_descriptor_is_closed_here(tmp_path: Path) -> None:
    keeper = Keeper()
    child = Child("terminal", tmp_path / "log", keeper)
    seen, out = os.pipe()
    code = f"import os; os.write({out}, b'here')"
    child.start([sys.executable, "-c", code], inherited=(out,))
    with os.fdopen(seen, "rb") as end:
        assert end.read() == b"here"
    child.stop()
    keeper.close()
