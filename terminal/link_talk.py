"""One session's life: what is said on it, what its acknowledgements mean, when it is given up."""

import logging
import socket
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

from terminal.core.events import (
    LinkChanged,
    MessageDropped,
    PublishRefused,
    ReceiptRefused,
    RecordLost,
)
from terminal.core.moment import Stamp
from terminal.link_drain import ACCEPTED, NO_SUBSCRIBERS, Drain
from terminal.link_ears import Ears
from terminal.link_receipts import ReceiptArrived
from terminal.link_session import Acked, Arrived, Closed, Opened, Session, Sign
from terminal.link_voice import Statement, Voice
from terminal.wire.messages import OFFLINE
from terminal.wire.topics import Name, row

log = logging.getLogger(__name__)

WINDOW = 20
"""At most so many messages are on the wire without a PUBACK; fewer if the broker says so."""

CONNACK_WITHIN_S = 10.0
PUBACK_WITHIN_S = 10.0
GOODBYE_WITHIN_S = 1.0


LinkEvent = (
    LinkChanged | MessageDropped | ReceiptRefused | RecordLost | ReceiptArrived | PublishRefused
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the link consists of, whichever session it is."""

    drain: Drain
    voice: Voice
    ears: Ears
    emit: Callable[[LinkEvent], None]
    stamp: Callable[[], Stamp]


class Talk:
    """One session, numbered ``number`` since the start. Used by the link's thread only.

    ``up`` is whether the broker has let us in; ``ended`` how the other side ended it.
    """

    def __init__(self, session: Session, number: int, parts: Parts) -> None:
        self.session = session
        self.up = False
        self.ended: Closed | None = None
        self._number = number
        self._parts = parts
        self._began = time.monotonic()
        self._window = WINDOW
        self._unacked: dict[int, tuple[float, Name]] = {}
        parts.ears.begin()

    @property
    def lasted_s(self) -> float:
        """How old it is."""
        return time.monotonic() - self._began

    def turn(self, longest_s: float, wake: socket.socket) -> None:
        """Wait for something to happen, deal with it, say what is due."""
        for sign in self.session.turn(longest_s, wake):
            if isinstance(sign, Closed):
                self.ended = sign
                return
            self._react(sign)
        self._watch()
        if self.up:
            self._speak()

    def goodbye(self, wake: socket.socket) -> None:
        """Say offline ourselves, when there is room for it; the broker then drops the will."""
        status = row(Name.STATUS)
        mid: int | None = None
        deadline = time.monotonic() + GOODBYE_WITHIN_S
        while self.up and time.monotonic() < deadline:
            if mid is None and self._room():
                mid = self.session.publish(
                    Name.STATUS, OFFLINE, qos=status.qos, retain=status.retained
                )
                if mid is None:
                    break
            signs = self.session.turn(deadline - time.monotonic(), wake)
            if any(_answers(sign, mid) for sign in signs):
                break
            for sign in signs:
                if isinstance(sign, Acked):
                    self._unacked.pop(sign.mid, None)
        self.session.leave()

    def _react(self, sign: Opened | Acked | Arrived) -> None:
        now = time.monotonic()
        match sign:
            case Opened(receive_maximum):
                self._window = min(WINDOW, receive_maximum)
                self.up = True
                self.session.subscribe(self._parts.ears.filters())
                self._parts.voice.begin(now)
                self._parts.drain.begin(now)
                self._parts.emit(LinkChanged(self._parts.stamp(), up=True))
            case Acked(mid, code):
                _, name = self._unacked.pop(mid, (0.0, Name.REC))
                self._parts.drain.acknowledged(mid, code, now)
                if _matters(name, code):
                    log.warning("the broker answered %s with 0x%02X", name, code)
                    self._parts.emit(PublishRefused(self._parts.stamp(), name, code))
            case Arrived():
                self._parts.ears.hear(sign, now)

    def _watch(self) -> None:
        """End a session that does not do its part; the next turn tells of it."""
        now = time.monotonic()
        oldest = min((at for at, _ in self._unacked.values()), default=now)
        if not self.up and now - self._began > CONNACK_WITHIN_S:
            self.session.end("no CONNACK")
        elif now - oldest > PUBACK_WITHIN_S:
            self.session.end("no PUBACK")
        elif self._parts.ears.overwhelmed:
            self.session.end("too many messages dropped")

    def _speak(self) -> None:
        """Send what is due, within the window."""
        now = time.monotonic()
        for statement in self._parts.voice.due(now, self._room()):
            self._say(statement, now)
        try:
            self._send_records(now)
        except sqlite3.Error as error:
            log.warning("the journal cannot be read just now: %s", error)
            self._parts.drain.reopen()
        for lost in self._parts.drain.spoilt:
            self._parts.emit(RecordLost(self._parts.stamp(), lost.seq, lost.hash))
        self._parts.drain.spoilt.clear()

    def _room(self) -> int:
        return max(0, self._window - len(self._unacked))

    def _send_records(self, now: float) -> None:
        for record in self._parts.drain.take(self._room(), now):
            mid = self.session.publish(Name.REC, record.payload, qos=1, retain=False)
            if mid is None:
                return
            self._unacked[mid] = (now, Name.REC)
            self._parts.drain.sent(mid, record.seq)
            live = self._parts.voice.live(record)
            if live is not None:
                self._say(live, now)

    def _say(self, statement: Statement, now: float) -> None:
        note = str(self._number) if statement.name is Name.STATUS else ""
        mid = self.session.publish(
            statement.name,
            statement.payload,
            qos=statement.qos,
            retain=statement.retain,
            expiry_s=statement.expiry_s,
            note=note,
        )
        if mid is not None and statement.qos:
            self._unacked[mid] = (now, statement.name)


def _answers(sign: Sign, mid: int | None) -> bool:
    return isinstance(sign, Closed) or (isinstance(sign, Acked) and sign.mid == mid)


def _matters(name: Name, code: int) -> bool:
    """Whether an answer means loss. What is retained is kept although nobody listens yet."""
    return code not in {ACCEPTED, NO_SUBSCRIBERS} or (code != ACCEPTED and not row(name).retained)
