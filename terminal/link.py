"""The road to the town hall: one thread keeps a session with the broker and drains the journal.

The journal is the outbox, so there is nothing to hand over here: offline and online are one path.
The link sends what has no receipt yet (``link_drain``), says how the terminal is (``link_voice``),
hears receipts and publications (``link_ears``), over one connection after another
(``link_session``). Reaching the broker has a thread of its own, because name servers and dead
networks block; a reach that takes too long is abandoned.

Rules:
- Only this thread touches the session. Every public method may be called from any thread and
  returns at once; what it wants done goes through one queue.
- What happens goes out through ``emit``, which must only hand on (to the inbox).
- Between connections it waits 1 to 120 seconds, doubling and with chance, the first time up to a
  delay that each terminal draws for itself: after a power cut a whole town hall comes back at once.
- Nothing here decides anything about cards or doors, and nothing that comes in can.
"""

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

from terminal.core.events import LinkChanged, MessageDropped, ReceiptRefused
from terminal.core.moment import Stamp
from terminal.core.reasons import Alarm
from terminal.journal_rows import JournalReader
from terminal.link_drain import Drain
from terminal.link_ears import Ears, OnMessage
from terminal.link_pipe import LinkSettings
from terminal.link_receipts import ReceiptArrived, ReceiptGate
from terminal.link_rhythm import BackOff, Flaps, calm, settled
from terminal.link_session import Closed, Session
from terminal.link_talk import LinkEvent, Parts, Talk
from terminal.link_voice import Voice
from terminal.wire.messages import CfgState, Health, Info
from terminal.wire.signed import PublicKey

__all__ = ["Link", "LinkEvent", "LinkSettings", "ReceiptArrived"]

log = logging.getLogger(__name__)

DIAL_WITHIN_S = 20.0
_TURN_S = 1.0


class Link:
    """Keeps the terminal and the town hall in touch. ``start`` once, ``stop`` once."""

    def __init__(
        self,
        settings: LinkSettings,
        source: JournalReader,
        emit: Callable[[LinkEvent], None],
        stamp: Callable[[], Stamp],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._source = source
        self._emit = emit
        self._stamp = stamp
        self._beat = beat
        self._drain = Drain(source)
        self._voice = Voice(source, stamp)
        gate = ReceiptGate(settings.terminal, source.epoch)
        self._ears = Ears(
            settings.site, gate, settings.terminal, self._receipted, self._refused, self._dropped
        )
        self._parts = Parts(self._drain, self._voice, self._ears, emit, stamp)
        self._back_off = BackOff(settings.first_delay_s, random.SystemRandom())
        self._flaps = Flaps()
        self._orders: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._ring, self._wake = socket.socketpair()
        for end in (self._ring, self._wake):
            end.setblocking(False)  # noqa: FBT003 - the library knows no name for it
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._stopping = threading.Event()
        self._talk: Talk | None = None
        self._sessions = 0
        self._wait_until = 0.0

    def start(self) -> None:
        """Begin to reach for the broker."""
        self._thread.start()

    def stop(self, within_s: float = 3.0) -> None:
        """Say goodbye if there is somebody to say it to, and end within ``within_s``."""
        self._stopping.set()
        self.wake()
        if self._thread.is_alive():
            self._thread.join(within_s)
        if not self._thread.is_alive():
            self._ring.close()
            self._wake.close()

    def wake(self) -> None:
        """There is something to do: a record was committed, a receipt taken. Any thread."""
        try:
            self._ring.send(b"!")
        except OSError:
            # Full: it is awake anyway. Closed: it has stopped.
            return

    def set_alarm(self, alarm: Alarm, *, on: bool, detail: str = "") -> None:
        """An alarm starts or ends; operations see all of them in one retained message."""
        self._order(partial(self._voice.alarm, alarm, on=on, detail=detail))

    def set_health_source(self, source: Callable[[], Health | None]) -> None:
        """Where the health of each minute comes from; called on the link's thread."""
        self._order(partial(setattr, self._voice, "health", source))

    def set_info_source(self, source: Callable[[], Info]) -> None:
        """Where the birth comes from; called on the link's thread, now and on each connection."""
        self._order(partial(setattr, self._voice, "info", source))
        self._order(self._voice.say_info)

    def set_cfg_state(self, state: CfgState) -> None:
        """Something became of a publication; operations see the newest."""
        self._order(partial(self._voice.cfg_state, state))

    def set_ledger_keys(self, keys: Iterable[PublicKey]) -> None:
        """The keys that receipts must be signed with, from the publication in force."""
        known = tuple(keys)
        self._order(lambda: self._ears.set_keys(known, time.monotonic()))

    def subscribe(self, topic_filter: str, on_message: OnMessage) -> None:
        """Hand (topic, payload) of messages on ``topic_filter`` to ``on_message``.

        It is called on the link's thread and must only hand on. The topics must be of the table
        and readable by this terminal. Subscribing again brings what the broker has retained.
        """
        self._order(partial(self._subscribe, topic_filter, on_message))

    def unsubscribe(self, topic_filter: str) -> None:
        """No more messages on ``topic_filter``."""
        self._order(partial(self._unsubscribe, topic_filter))

    def _run(self) -> None:
        self._wait_until = time.monotonic() + self._back_off.first()
        while not self._stopping.is_set():
            self._rest()
            if self._stopping.is_set():
                break
            try:
                session = self._dial()
                if session is None:
                    self._flaps.missed()
                else:
                    self._serve(session)
            except Exception:
                # A fault of ours must not silence the terminal for good: log it, reach again.
                log.exception("the link starts anew")
            self._wait_until = time.monotonic() + self._back_off.next()
        self._source.close()

    def _rest(self) -> None:
        """Wait until it is time for the next connection, doing what is asked meanwhile."""
        while not self._stopping.is_set():
            self._beat()
            self._take_orders()
            left = self._wait_until - time.monotonic()
            if left <= 0:
                return
            self._pause(min(left, _TURN_S))

    def _pause(self, seconds: float) -> None:
        self._wake.setblocking(True)  # noqa: FBT003 - the library knows no name for it
        self._wake.settimeout(seconds)
        try:
            self._wake.recv(4096)
        except TimeoutError:
            return
        finally:
            self._wake.setblocking(False)  # noqa: FBT003 - as above

    def _dial(self) -> Session | None:
        """A session whose CONNECT has been sent, None if the broker could not be reached."""
        self._sessions += 1
        session = Session(self._settings, self._sessions, fresh=self._sessions == 1)
        failures: SimpleQueue[OSError | None] = SimpleQueue()
        threading.Thread(
            target=_reach, args=(session, failures, self.wake), name="link-dial", daemon=True
        ).start()
        deadline = time.monotonic() + DIAL_WITHIN_S
        while not self._stopping.is_set() and time.monotonic() < deadline:
            self._beat()
            self._take_orders()
            try:
                failure = failures.get_nowait()
            except Empty:
                self._pause(_TURN_S)
                continue
            if failure is None:
                return session
            log.warning("the broker was not reached: %s", failure)
            session.end("not reached")
            return None
        session.abandon()
        return None

    def _serve(self, session: Session) -> None:
        """Live with one session until it ends."""
        talk = self._talk = Talk(session, self._sessions, self._parts)
        try:
            while talk.ended is None and not self._stopping.is_set():
                self._beat()
                self._take_orders()
                talk.turn(_TURN_S, self._wake)
                if talk.up and calm(talk.lasted_s):
                    self._back_off.reset()
                if talk.up and settled(talk.lasted_s):
                    self._voice.alarm(Alarm.DUPLICATE_IDENTITY, on=False)
            if talk.ended is None:
                talk.goodbye(self._wake)
            else:
                self._note_end(talk, talk.ended)
        finally:
            self._talk = None
            session.end("done")
            if talk.up:
                self._emit(LinkChanged(self._stamp(), up=False))

    def _note_end(self, talk: Talk, ended: Closed) -> None:
        log.warning("the session with the broker ended after %d s: %s", talk.lasted_s, ended.reason)
        if talk.up and self._flaps.ended(talk.lasted_s, ended.code):
            self._voice.alarm(Alarm.DUPLICATE_IDENTITY, on=True, detail="sessions_taken_over")

    def _order(self, order: Callable[[], None]) -> None:
        self._orders.put(order)
        self.wake()

    def _take_orders(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except Empty:
                return
            try:
                order()
            except Exception:
                # Ours or the asker's fault: it costs that order, not the session or the thread.
                log.exception("an order to the link failed")

    def _subscribe(self, topic_filter: str, on_message: OnMessage) -> None:
        self._ears.add(topic_filter, on_message)
        if self._talk is not None and self._talk.up:
            self._talk.session.subscribe([topic_filter])

    def _unsubscribe(self, topic_filter: str) -> None:
        self._ears.remove(topic_filter)
        if self._talk is not None and self._talk.up:
            self._talk.session.unsubscribe(topic_filter)

    def _receipted(self, receipt: ReceiptArrived) -> None:
        self._drain.encourage()
        self._emit(receipt)

    def _refused(self, reason: str) -> None:
        self._emit(ReceiptRefused(self._stamp(), reason))

    def _dropped(self, name: str, reason: str) -> None:
        self._emit(MessageDropped(self._stamp(), name, reason))


def _reach(
    session: Session, failures: SimpleQueue[OSError | None], done: Callable[[], None]
) -> None:
    """On a thread of its own: it may hang in a name server for a minute."""
    try:
        session.connect()
    except OSError as error:
        failures.put(error)
    except Exception as error:  # noqa: BLE001 - reported to the link's thread, which logs it
        failures.put(OSError(f"{type(error).__name__}: {error}"))
    else:
        failures.put(None)
    done()
