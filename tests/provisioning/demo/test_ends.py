"""However the demo ends, it leaves no process and no file behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
START_S = 60
PATIENCE_S = 20

pytestmark = [pytest.mark.real, pytest.mark.timeout(150)]


def alive(group_or_folder: str) -> list[str]:
    """Processes whose command line names the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if group_or_folder in line:
            found.append(line)
    return found


def wait_until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_page_ends_without_leaving_anything(number: signal.Signals, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    demo = subprocess.Popen(
        [sys.executable, "-m", "provisioning.demo", "--no-browser"],
        cwd=ROOT,
        env={**env, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    with demo.stdout as said:
        while not re.search(r"http://127\.0\.0\.1:\d+/", line := said.readline()):
            assert line, "it ended before it began"
        (folder,) = tmp_path.glob("kazasu-demo-*")
        # Broker, ledger and terminal.
        assert len(alive(str(folder))) == 3
        demo.send_signal(number)
        code = demo.wait(START_S)
    assert code == (-number if number == signal.SIGKILL else 0)
    wait_until(lambda: not alive(str(folder)))
    wait_until(lambda: not folder.exists())
