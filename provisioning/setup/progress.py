"""What the person at the keyboard sees while set-up works, and what goes to its log.

A line for each step, with the seconds since the start; every ten seconds of a long step another,
so that nobody thinks it hangs. What apt, pip and dpkg print goes to the log, and its end into the
error when they fail.
"""

import errno
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from provisioning.setup.fault import SetupError
from provisioning.setup.texts import FAULTS, STEPS, Text

_BEAT_SECONDS = 10
_TAIL_LINES = 15
_OFFLINE = re.compile(
    r"Temporary failure resolving|Could not resolve|Name or service not known|"
    r"Failed to establish a new connection|Network is unreachable|Connection (timed out|refused)|"
    r"from versions: none|Max retries exceeded|Could not connect to",
)
_CREDENTIALS = re.compile(rb"(\w://)[^/\s@\"']+@")


def _bare(output: bytes) -> bytes:
    """The text without the name and password that an address (of a proxy, say) may carry."""
    return _CREDENTIALS.sub(rb"\1***@", output)


class Progress:
    """Says steps and faults in the person's language, and runs other people's programs.

    Args:
        language: ``ja`` or ``en``.
        log: where the programs' output is kept; ``None`` while nothing is run.
    """

    def __init__(self, language: str, log: Path | None = None) -> None:
        self.language = language
        self.log = log
        self._start = time.monotonic()

    def words(self, text: Text, **values: object) -> str:
        """The text in the person's language, its places filled."""
        return str(getattr(text, self.language)).format(**values)

    def say(self, key: str, **values: object) -> None:
        """Prints the step's line with the seconds since the start."""
        seconds = time.monotonic() - self._start
        print(f"[{seconds:4.0f} s] {self.words(STEPS[key], **values)}", flush=True)

    def fault(self, error: SetupError) -> None:
        """Prints what could not be done and the remedy."""
        print(f"kazasu: {self.words(FAULTS[error.key], **error.values)}", file=sys.stderr)

    def run(
        self,
        key: str,
        command: list[str],
        env: Mapping[str, str] | None = None,
        **values: object,
    ) -> None:
        """Says the step, runs the command to its end.

        Raises:
            SetupError: it failed; no network and a full disk are told as what they are.
        """
        self.say(key, **values)
        code, output = self.attempt(command, env)
        if code:
            raise self.failure(self.words(STEPS[key], **values), output)

    def attempt(self, command: list[str], env: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Runs the command; returns its exit code and what it printed."""
        if self.log is None:
            raise AssertionError
        with os.fdopen(os.open(self.log, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as log:
            os.fchmod(log.fileno(), 0o600)
            begin = log.seek(0, os.SEEK_END)
            log.write(_bare(f"$ {' '.join(command)}\n".encode()))
            log.flush()
            said = log.tell()
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env
            )
            try:
                self._wait(child)
            finally:
                # Whoever wrote it wrote through a copy of this very file, at its own place.
                log.seek(said)
                output = _bare(log.read())
                log.seek(said)
                log.truncate()
                log.write(output)
            log.seek(begin)
            return child.returncode, log.read().decode(errors="replace")

    def failure(self, what: str, output: str) -> SetupError:
        """The error that tells why a program failed, from what it printed."""
        log = str(self.log)
        if os.strerror(errno.ENOSPC) in output or "No space left on device" in output:
            return SetupError("disk", where=str(Path(log).parent), free="0", need="500")
        if "CERTIFICATE_VERIFY_FAILED" in output:
            return SetupError("certificate", what=what, log=log)
        if _OFFLINE.search(output):
            return SetupError("network", what=what, log=log)
        tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
        return SetupError("step", what=what, tail=tail, log=log)

    def _wait(self, child: subprocess.Popen[bytes]) -> None:
        """Waits for the child, with a line now and then; ends it when we are interrupted."""
        while True:
            try:
                child.wait(_BEAT_SECONDS)
            except subprocess.TimeoutExpired:
                self.say("busy")
            except BaseException:
                child.terminate()
                child.wait()
                raise
            else:
                return
