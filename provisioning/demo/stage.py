"""The running demo: broker, ledger, terminal, cable and card reader, and how each is switched.

Started in order, ended in the reverse; the keeper sees to it that nothing stays behind. The
terminal and the ledger are the real programs, started as processes; this module only starts and
kills them, pulls their cable and reads what they write.

Rules: methods wait for what they do; the page calls them from threads of its own (``show``).
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from drivers.virtual_cards.card import VirtualCard
from provisioning.broker import Broker
from provisioning.demo.hand import Hand
from provisioning.demo.keeper import Keeper
from provisioning.demo.panel import Edge, Panel
from provisioning.demo.processes import Child, ProcessFailedError, module
from provisioning.demo.shown import Counts, Row
from provisioning.demo.town import TERMINAL, DemoTown, new_folder
from provisioning.demo.watch import Watch
from provisioning.demo.wire_cut import WireCut
from terminal.core.reasons import Note
from terminal.core.rules import Language

READY_WITHIN_S = 45.0
LOOK_EVERY_S = 0.03
MIND_EVERY_S = 0.002
NEWEST = 20
TERMINAL_MODULE = "terminal"

Progress = Callable[[str], None]


class Stage:
    """The demo from ``start`` to ``close``; use it in a ``with``."""

    def __init__(
        self,
        language: Language,
        *,
        keep: Path | None = None,
        rush: bool = True,
        slot: str = "",
        terminal: tuple[str, ...] = (TERMINAL_MODULE,),
        on_edge: Callable[[Edge], None] | None = None,
    ) -> None:
        """Prepare everything without starting it.

        Args:
            language: of the terminal's screens.
            keep: a directory that stays; otherwise one that is removed at the end.
            rush: whether the 8:25 queue has cards.
            slot: the terminal's reader ("pcsc"); "" for the demo's own cards.
            terminal: module and first arguments that run the terminal.
            on_edge: called for each change of the terminal's pins, from a thread.
        """
        self._ends = ExitStack()
        self.keeper = Keeper()
        self._ends.callback(self.keeper.close)
        folder = (keep or new_folder()).resolve()
        if keep is None:
            self.keeper.remove(folder)
        self._slot, self._terminal_command = slot, terminal
        self.town = DemoTown(folder, language, rush=rush)
        self.cards: Mapping[str, VirtualCard] = self.town.cards()
        self.panel = Panel(on_edge)
        self.hand = Hand(self.town.places.reader)
        places = self.town.places
        self.broker = Broker(self.town.town.broker, self.town.town.site)
        self.ledger = Child("ledger", places.logs / "ledger.log", self.keeper)
        self.terminal = Child("terminal", places.logs / "terminal.log", self.keeper)
        self._watch = Watch(
            places.journal, places.ledger, self.town.town.client("ledger") / "ledger.pub", TERMINAL
        )
        self._lock = threading.Lock()
        self._cable: WireCut | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def cable(self) -> WireCut:
        """The cable between terminal and broker; only once started."""
        if self._cable is None:
            raise RuntimeError("the demo has not been started")
        return self._cable

    def start(self, progress: Progress) -> None:
        """Start everything; returns once the terminal has taken its first publication.

        Raises:
            ProcessFailedError: one of the processes ended, or it took too long.
        """
        progress("broker")
        self._ends.callback(self.broker.stop)
        self.start_broker()
        self._cable = WireCut(self.broker.port)
        self._ends.callback(self._cable.close)
        progress("publication")
        number = self.town.sign()
        self.town.send()
        progress("ledger")
        self._ends.callback(self.ledger.stop)
        self.ledger.start(self.town.ledger_command())
        progress("terminal")
        self._ends.callback(self.terminal.stop)
        self._ends.callback(self.hand.take)
        self.power_on()
        self._wait_until_ready(number)

    def close(self) -> None:
        """End everything in the reverse order; idempotent."""
        self._ends.close()

    def start_broker(self) -> None:
        """Start the broker; one that was killed may have lost everything, so publish again."""
        again = self.broker.port != 0
        started = threading.Event()
        minder = threading.Thread(target=self._mind_broker, args=(started,), name="minder")
        minder.start()
        try:
            self.broker.start()
        finally:
            started.set()
            minder.join()
        self.town.reach_at(self.broker.port)
        if again:
            self.town.send()

    def kill_broker(self) -> None:
        """End the broker as a crash would (SIGKILL)."""
        group = self.broker.pid
        self.broker.kill()
        if group is not None:
            self.keeper.forget(group)

    def power_on(self) -> None:
        """Switch the terminal on."""
        pipes = self.panel.connect()
        settings = self.town.write_settings(
            self.cable.port, pipes.out, pipes.presses, slot=self._slot
        )
        command = module(*self._terminal_command, "--settings", str(settings))
        self.terminal.start(command, inherited=(pipes.out, pipes.presses))

    def cut_power(self) -> None:
        """Cut the terminal's power: SIGKILL to its whole process group."""
        self.terminal.kill()

    def end_terminal(self) -> bool:
        """Have the terminal end in order, which writes down what it knows; whether it did."""
        return self.terminal.stop()

    def cursor(self) -> int:
        """How far the terminal's own journal says that it has receipts; once it has ended."""
        with self._lock:
            return self._watch.cursor()

    def on_disk(self, begun_ms: int, at_ns: int) -> bool:
        """Whether a record of a tap begun at ``begun_ms`` was on disk at ``at_ns``."""
        with self._lock:
            return self._watch.on_disk(begun_ms, at_ns)

    def look(self) -> None:
        """Read what is new in journal and ledger."""
        with self._lock:
            self._watch.look()

    def rows(self, newest: int) -> tuple[Row, ...]:
        """The newest records as of the last look, the last one first."""
        with self._lock:
            return self._watch.rows(newest)

    def payload(self, seq: int) -> bytes:
        """The wire bytes of record ``seq`` on the terminal's disk, b"" where there is none."""
        with self._lock:
            return self._watch.payload(seq)

    def since(self, mono_ms: int) -> tuple[Row, ...]:
        """Records of moments from ``mono_ms`` on, in order, as of the last look."""
        with self._lock:
            return self._watch.since(mono_ms)

    def counts(self) -> Counts:
        """How many records there are, and how many proven, as of the last look."""
        with self._lock:
            return self._watch.counts

    def wait_for(self, what: Callable[[], bool], within_s: float, *, alive: bool = True) -> bool:
        """Look until ``what`` holds; False when it did not within ``within_s``.

        Raises:
            ProcessFailedError: ledger or terminal ended meanwhile (only where ``alive``).
        """
        end = time.monotonic() + within_s
        while True:
            self.look()
            if what():
                return True
            if alive:
                self.ledger.must_run()
                self.terminal.must_run()
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_EVERY_S)

    def _mind_broker(self, started: threading.Event) -> None:
        """Have the keeper mind the broker as soon as there is one: it only listens a while later.

        Where its port is taken a second one is started in place of the first.
        """
        minded, ended = None, False
        while not ended:
            ended = started.wait(MIND_EVERY_S)
            group = self.broker.pid
            if group != minded:
                if minded is not None:
                    self.keeper.forget(minded)
                if group is not None:
                    self.keeper.mind(group)
                minded = group

    def _wait_until_ready(self, number: int) -> None:
        def ready() -> bool:
            told = {(row.reason, row.detail) for row in self.rows(NEWEST)}
            active = (str(Note.PUBLICATION_ACTIVE), str(number)) in told
            return active and self.counts().waiting == 0

        if not self.wait_for(ready, READY_WITHIN_S):
            raise ProcessFailedError(
                f"the terminal took no publication within {READY_WITHIN_S:g} s; "
                f"what it did stands in {self.town.places.logs}"
            )
