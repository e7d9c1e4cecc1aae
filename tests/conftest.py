"""What holds for every test: its log lines can be written, and its threads have ended.

Tests that start a pcscd are marked so: a machine (or a private piece of it) has room for one at a
time, so ``./kazasu test`` runs them beside the others, in a private piece of their own.

A thread that a failed test left behind would keep the whole run from ending, so the run leaves
without waiting for it; the test that left it has failed by then.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Machines are noisy: how long an example took never decides a test.
settings.register_profile(
    "kazasu", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("kazasu")

THREAD_END_S = 5.0


class _Strict(logging.Handler):
    """Formats each record as the service would, and keeps those that cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.malformed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.getMessage()
        except (TypeError, ValueError, KeyError) as error:
            place = f"{record.pathname}:{record.lineno}"
            self.malformed.append(f"{place}: {record.msg!r} with {record.args!r}: {error}")


@pytest.fixture(autouse=True)
def every_log_line_is_well_formed() -> Iterator[None]:
    handler = _Strict()
    logger = logging.getLogger()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(level)
    logger.removeHandler(handler)
    assert not handler.malformed, "log lines that cannot be written:\n" + "\n".join(
        handler.malformed
    )


@pytest.fixture(autouse=True)
def the_umask_stays() -> Iterator[None]:
    """Who makes files private changes the whole process, which here is everybody's."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    after = os.umask(before)
    assert after == before, f"the test left umask {after:03o} behind"


@pytest.fixture(autouse=True)
def every_thread_ends() -> Iterator[None]:
    before = _lasting_threads()
    yield
    deadline = time.monotonic() + THREAD_END_S
    for thread in _lasting_threads() - before:
        thread.join(max(0.0, deadline - time.monotonic()))
    left = [thread.name for thread in _lasting_threads() - before]
    assert not left, f"threads that the test left behind: {left}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _starts_pcscd(item):
            item.add_marker(pytest.mark.pcscd)


def _starts_pcscd(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    module = getattr(item, "module", None)
    walks = {"walk", "bench"} & set(item.path.parts)
    return bool(walks) or "pcscd" in fixtures or hasattr(module, "Pcscd")


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.pluginmanager.get_plugin("session")
    if _lasting_threads() and session is not None:
        sys.stdout.flush()
        os._exit(int(session.exitstatus))


def _lasting_threads() -> set[threading.Thread]:
    """Threads that the interpreter would wait for at its end."""
    main = threading.main_thread()
    return {thread for thread in threading.enumerate() if not thread.daemon and thread is not main}
