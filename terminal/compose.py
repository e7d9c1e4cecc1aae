"""The composition root: builds every part of a terminal, starts them in order, stops in reverse.

The strike comes first and goes last: its pin is at the safe level before anything else is looked
at, and stays there until everything else has ended. What the terminal's devices are is
``compose_devices``; nothing but these two files knows both drivers and the rest of the terminal.
"""

import logging
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol, TypeVar

from terminal import checkpoint, clock, identity
from terminal.compose_devices import Devices, build_devices, build_reader
from terminal.config import Settings
from terminal.core import events
from terminal.core.notes import note
from terminal.core.reasons import Alarm, Note
from terminal.core.rules import no_rules
from terminal.core.state import State
from terminal.identity import IdentityError
from terminal.inbox import Inbox
from terminal.journal import WARN_PERCENT, Journal, JournalDamagedError, set_aside
from terminal.letters import RaiseFloor, TakeReceipt
from terminal.link import Link, LinkEvent, LinkSettings, ReceiptArrived
from terminal.reader import Reader
from terminal.recognition import ReadBy, Recognition
from terminal.service import Item, Outputs, Service
from terminal.updater import Activated, Emitted, Updater
from terminal.updater_active import Active, UpdaterSettings, read_pin
from terminal.updater_road import OnMessage
from terminal.watchdog import Watchdog
from terminal.wire.messages import CfgState, Health, Info

log = logging.getLogger(__name__)

SOFTWARE = "0.1.0"
THREADS = ("loop", "reader", "link", "errand")
CHECKPOINT_EVERY = 1_000
"""Records; reading that many at a start takes well under a second."""
_MS_PER_S = 1000


class _Closes(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=_Closes)


class Terminal:
    """One terminal, from its settings; ``run`` returns when it was told to end."""

    def __init__(self, settings: Settings) -> None:
        """Build all parts; nothing runs yet but the drivers' workers.

        Raises:
            IdentityError, JournalError, DeviceError: see ``__main__`` for the exit codes.
        """
        self._settings = settings
        self._ends = ExitStack()
        try:
            self._build()
        except BaseException:
            self._ends.close()
            raise

    def run(self) -> None:
        """Start in order, handle events until SIGTERM or SIGINT, stop in reverse."""
        with self._ends:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._told_to_end)
            self._start()
            self.watchdog.ready()
            self.service.run()
            self.watchdog.stopping()
            self.service.take(events.Stopping(self.clock.stamp()))
            checkpoint.keep(self.service.state, self.journal, self._documents)

    def _build(self) -> None:
        settings = self._settings
        self._inbox: Inbox[Item] = Inbox()
        synced = clock.always_synced if settings.clock == "trusted" else clock.kernel_synced
        self.clock = clock.Clock(synced)
        self.watchdog = Watchdog(THREADS)
        self.devices: Devices = build_devices(settings, self._ends, self._device_told)
        self.identity = identity.load(settings.identity, settings.terminal)
        replaced = self._open_journal(settings.state / "journal.sqlite")
        self._documents = self._closed_at_end(checkpoint.opened(settings.state / "documents.json"))
        state = State(no_rules(settings.terminal))
        state = checkpoint.restore(state, self.journal, self._documents)
        self.link = self._build_link()
        self.updater = self._build_updater(state.published)
        active = self.updater.load_active()
        if active is not None:
            state = replace(state, rules=active.rules)
            self.clock.raise_floor(active.rules.issued or clock.BUILT)
        if state.synced_at is not None:
            self.clock.nudge_floor(state.synced_at)
        if replaced:
            state = note(state, self.clock.stamp(), Note.JOURNAL_REPLACED)
        self.reader = self._build_reader(active)
        self.service = self._build_service(state)
        self._health: Health | None = None
        self._began = self.clock.stamp()
        self._checkpoint = self.journal.head()[0]
        self._published = 0
        if active is not None:
            self._trust(active)

    def _open_journal(self, path: Path) -> bool:
        """Open the journal; a damaged one is set aside, because a wall must go on recording."""
        terminal, key = self._settings.terminal, self.identity.device_key
        opened = partial(
            Journal.open, path, terminal, key, capacity=self._settings.journal_capacity
        )
        try:
            self.journal = self._closed_at_end(opened())
        except JournalDamagedError as error:
            log.error("%s; it is kept as %s", error, set_aside(path))  # noqa: TRY400 - says it all
        else:
            return False
        self.journal = self._closed_at_end(opened())
        return True

    def _build_link(self) -> Link:
        broker = self._settings.broker
        settings = LinkSettings(
            host=broker.host,
            port=broker.port,
            server_name=broker.server_name,
            ca=self.identity.town_ca_path,
            certificate=self.identity.certificate_path,
            key=self.identity.device_key_path,
            site=self._settings.site,
            terminal=self._settings.terminal,
            protocol=broker.protocol,
        )
        beat = partial(self.watchdog.beat, "link")
        link = Link(settings, self.journal.reader(), self._emit, self.clock.stamp, beat)
        self.journal.listen(link.wake)
        return link

    def _build_updater(self, least: int) -> Updater:
        path = self.identity.root_hash_path
        try:
            pin = read_pin(path)
        except ValueError as error:
            raise IdentityError(str(error)) from None
        settings = UpdaterSettings(
            site=self._settings.site,
            terminal=self._settings.terminal,
            folder=self._settings.state / "publications",
            pin=pin,
            seal_key=self.identity.seal_key,
            least=least,
        )
        return Updater(
            settings,
            self._subscribe,
            self._emit,
            self.clock.stamp,
            healthy=self._healthy,
            beat=partial(self.watchdog.beat, "errand"),
        )

    def _build_reader(self, active: Active | None) -> Reader:
        read_by = None if active is None else ReadBy(active.profiles, active.trust)
        self.recognition = Recognition(self._settings.terminal, self.clock, read_by)
        allowed = () if read_by is None else read_by.allowed
        return Reader(
            build_reader(self._settings.reader, allowed),
            self.clock,
            self.recognition,
            self._inbox.put,
            partial(self.watchdog.beat, "reader"),
        )

    def _build_service(self, state: State) -> Service:
        outputs = Outputs(
            self.devices.strike, self.devices.indicator, self.devices.display, self._alarm
        )
        return Service(
            self._inbox, self.clock, self.journal, outputs, state, self._beat, self._chores
        )

    def _start(self) -> None:
        """From the loop's own belongings outward; each is stopped before what it needs."""
        self.service.take(events.Started(self.clock.stamp()))
        self._chores()
        self.link.set_health_source(lambda: self._health)
        self.link.set_info_source(self._info)
        self._ends.callback(self.link.stop)
        self.link.start()
        self._ends.callback(self.updater.stop)
        self.updater.set_rules_source(lambda: self.service.state.rules)
        self.updater.start()
        self._ends.callback(self.reader.close)
        self.reader.start()
        self.devices.inputs.listen(self._pressed)

    def _emit(self, told: LinkEvent | Emitted) -> None:
        """From the link's and the errand's threads: hand on to who it is for."""
        match told:
            case ReceiptArrived():
                self._inbox.put(TakeReceipt(told, self.clock))
            case Activated(active):
                self._trust(active)
            case CfgState():
                self.link.set_cfg_state(told)
            case _:
                self._inbox.put(told)

    def _trust(self, active: Active) -> None:
        """A publication's part that is not the core's: cards, receipts, time."""
        self.recognition.renew(ReadBy(active.profiles, active.trust))
        self.link.set_ledger_keys(active.trust.ledger_keys)
        self._published = active.number
        self.link.set_info_source(self._info)
        if active.rules.issued is not None:
            self._inbox.put(RaiseFloor(active.rules.issued, self.clock))

    def _subscribe(self, topic_filter: str, on_message: OnMessage) -> Callable[[], None]:
        self.link.subscribe(topic_filter, on_message)
        return partial(self.link.unsubscribe, topic_filter)

    def _pressed(self, name: str) -> None:
        stamp = self.clock.stamp()
        if name == "exit":
            self._inbox.put(events.ExitRequested(stamp))
        else:
            self._inbox.put(events.ButtonPressed(stamp, int(name.removeprefix("button-"))))

    def _device_told(self, device: str, detail: str) -> None:
        stamp = self.clock.stamp()
        if detail:
            self._inbox.put(events.DeviceFailed(stamp, device, detail))
        else:
            self._inbox.put(events.DeviceBack(stamp, device))

    def _alarm(self, alarm: Alarm, on: bool, detail: str) -> None:  # noqa: FBT001 - Outputs' form
        self.link.set_alarm(alarm, on=on, detail=detail)

    def _healthy(self) -> bool:
        """Whether new settings may be kept: the broker is reached and cards can be read."""
        state = self.service.state
        return state.link_up and state.ready

    def _beat(self) -> None:
        self.watchdog.beat("loop")
        self.watchdog.ping()

    def _chores(self) -> None:
        """Every minute, on the loop: how the terminal is, and whether the journal fills."""
        state, stamp = self.journal.state(), self.clock.stamp()
        before = self._health.journal_percent if self._health is not None else 0
        oldest_ms = state.oldest_pending_ms
        self._health = Health(
            at_ms=stamp.at_ms,
            pending=state.pending,
            total=state.total,
            oldest_pending_s=0 if oldest_ms is None else (stamp.at_ms - oldest_ms) // _MS_PER_S,
            journal_percent=state.percent,
            disk_free_mb=state.free_mb,
            clock=stamp.quality.state,
            clock_error_ms=stamp.quality.error_ms,
            uptime_s=stamp.mono_ms // _MS_PER_S,
            publication=self.service.state.rules.publication,
            reader_ok=self.service.state.ready,
        )
        if max(before, state.percent) >= WARN_PERCENT[0]:
            self._inbox.put(events.JournalFilling(stamp, state.percent))
        if state.seq - self._checkpoint >= CHECKPOINT_EVERY:
            self._checkpoint = state.seq
            checkpoint.keep(self.service.state, self.journal, self._documents)

    def _info(self) -> Info:
        return Info(
            terminal=self._settings.terminal,
            epoch=self.journal.epoch,
            software=SOFTWARE,
            boot=self._began.boot,
            started_ms=self._began.at_ms,
            publication=self._published,
        )

    def _told_to_end(self, _number: int, _frame: FrameType | None) -> None:
        self.service.stop()

    def _closed_at_end(self, part: T) -> T:
        self._ends.callback(part.close)
        return part
