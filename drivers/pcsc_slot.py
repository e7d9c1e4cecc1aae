"""A reader behind PC/SC, through the bare functions of pyscard. Runs in the reader process.

The field is watched with ``SCardGetStatusChange`` on a context of its own; pyscard's monitor
classes are not used, because their thread ends for good when pcscd does. The upper 16 bits of
the event state count insertions and removals, so a card that was exchanged is noticed even when
nobody saw the empty field. A lost context or reader is looked for again, at most a second apart.

Rules: connections are exclusive, and end by cutting the power, which also forgets a PIN. One
context per thread. Library's codes become ``SlotFault`` or an event.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from smartcard import scard

from drivers import pcsc_frames as wire
from drivers.pcsc_frames import Event
from drivers.slot import SlotFault, Tell

LOOK_MS = 2000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0
LEAVING_MS = 600
"""Some drivers notice an empty field only by asking every 0.4 s."""
STATUS_BYTES = 2
SHARING_PAUSE_S = 0.05
CONNECT_TRIES = 20

_SUCCESS = scard.SCARD_S_SUCCESS
_PROTOCOLS = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
_NOT_THERE = scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE | scard.SCARD_STATE_IGNORE
_STALE_CONTEXT = frozenset(
    {
        scard.SCARD_E_NO_SERVICE,
        scard.SCARD_E_SERVICE_STOPPED,
        scard.SCARD_E_INVALID_HANDLE,
        # Also what a client hears whose pcscd dies while it answers.
        scard.SCARD_W_SECURITY_VIOLATION,
    }
)
# With contactless cards an exchange that failed on the way means that the card moved away.
_TORN = frozenset(
    {
        scard.SCARD_W_REMOVED_CARD,
        scard.SCARD_W_RESET_CARD,
        scard.SCARD_W_UNPOWERED_CARD,
        scard.SCARD_E_NO_SMARTCARD,
        scard.SCARD_E_NOT_TRANSACTED,
        scard.SCARD_E_COMM_DATA_LOST,
        scard.SCARD_F_COMM_ERROR,
    }
)
_MUTE = frozenset(
    {
        scard.SCARD_W_UNRESPONSIVE_CARD,
        scard.SCARD_W_UNSUPPORTED_CARD,
        scard.SCARD_E_CARD_UNSUPPORTED,
        scard.SCARD_E_PROTO_MISMATCH,
        scard.SCARD_E_TIMEOUT,
        scard.SCARD_F_WAITED_TOO_LONG,
    }
)
_REMEDIES = {
    scard.SCARD_E_NO_SERVICE: "pcscd does not run: start it, or install it",
    scard.SCARD_W_SECURITY_VIOLATION: (
        "pcscd ended, or does not let this user in: if it stays so, a polkit rule is missing"
    ),
}


@dataclass(frozen=True, slots=True)
class _Field:
    """The field at one look: is a card there, and how often cards came or went before."""

    present: bool
    count: int


class _Lost(Exception):
    """The service or the reader is not there; the text says which."""


class PcscSlot:
    """The first reader whose name contains ``reader_name``."""

    def __init__(self, reader_name: str) -> None:
        self._wanted = reader_name
        self._reader = ""
        self._context: int | None = None
        self._card: int | None = None
        self._protocol = 0
        self._presence = 0

    def watch(self, tell: Tell) -> None:
        """Follow the field; look for service and reader again whenever they are lost."""
        said = ""
        pause_s = FIRST_PAUSE_S
        while True:
            found = False
            try:
                for event in self._follow():
                    found = True
                    tell(event)
            except _Lost as lost:
                if found:
                    said, pause_s = "", FIRST_PAUSE_S
                if str(lost) != said:
                    said = str(lost)
                    tell(Event("lost", time.monotonic_ns(), detail=said))
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def connect(self, presence: int) -> None:
        """Connect exclusively to the card of ``presence``, whatever was left of the last one."""
        self._cut_power()
        try:
            code = self._connect()
        except _Lost as lost:
            raise SlotFault(wire.BROKEN, str(lost)) from lost
        if code != _SUCCESS:
            raise _fault(code)
        self._presence = presence
        if self._exchanged():
            self._cut_power()
            raise SlotFault(wire.SWAPPED, "another card lies there by now")

    def transmit(self, apdu: bytes) -> bytes:
        """Pass one command on."""
        if self._card is None:
            raise SlotFault(wire.BROKEN, "not connected")
        by_t0 = self._protocol == scard.SCARD_PROTOCOL_T0
        header = scard.SCARD_PCI_T0 if by_t0 else scard.SCARD_PCI_T1
        code, answer = scard.SCardTransmit(self._card, header, list(apdu))
        if code != _SUCCESS:
            raise _fault(code)
        if len(answer) < STATUS_BYTES and self._leaves():
            raise SlotFault(wire.TORN, "the card left the field")
        return bytes(answer)

    def disconnect(self) -> None:
        """Cut the power and say so if the card was exchanged meanwhile."""
        exchanged = self._card is not None and self._exchanged()
        self._cut_power()
        if exchanged:
            raise SlotFault(wire.SWAPPED, "another card lies there at the end")

    def _connect(self) -> int:
        """Connect, with a new context if pcscd is a new one; give the library's code."""
        code = scard.SCARD_E_NO_SERVICE
        for _ in range(CONNECT_TRIES):
            if self._context is None:
                self._context = _establish()
            code, self._card, self._protocol = scard.SCardConnect(
                self._context, self._reader, scard.SCARD_SHARE_EXCLUSIVE, _PROTOCOLS
            )
            if code == _SUCCESS:
                break
            self._card = None
            if code in _STALE_CONTEXT:
                scard.SCardReleaseContext(self._context)
                self._context = None
            elif code == scard.SCARD_E_SHARING_VIOLATION:
                time.sleep(SHARING_PAUSE_S)
            else:
                break
        return int(code)

    def _exchanged(self) -> bool:
        """Tell whether a card lies there that is not the one of our presence."""
        try:
            field = _look(self._context, self._reader, 0, scard.SCARD_STATE_UNAWARE)[1]
        except _Lost:
            return False
        return field.present and field.count != self._presence

    def _leaves(self) -> bool:
        """Tell, after an answer that is none, whether the card is being taken away."""
        try:
            state, field = _look(self._context, self._reader, 0, scard.SCARD_STATE_UNAWARE)
            if field.present and field.count == self._presence:
                _, field = _look(self._context, self._reader, LEAVING_MS, state)
        except _Lost:
            return True
        return not field.present or field.count != self._presence

    def _cut_power(self) -> None:
        if self._card is not None:
            scard.SCardDisconnect(self._card, scard.SCARD_UNPOWER_CARD)
            self._card = None

    def _follow(self) -> Iterator[Event]:
        """Give the field's changes until service or reader is lost."""
        context = _establish()
        try:
            self._reader = _choose(context, self._wanted)
            state, field = _look(context, self._reader, 0, scard.SCARD_STATE_UNAWARE)
            yield Event("back", time.monotonic_ns())
            kind = "present" if field.present else "gone"
            yield Event(kind, time.monotonic_ns(), field.count, first=True)
            while True:
                state, now = _look(context, self._reader, LOOK_MS, state)
                yield from _changes(field, now)
                field = now
        finally:
            scard.SCardReleaseContext(context)


def _choose(context: int, wanted: str) -> str:
    """Give the first reader whose name contains ``wanted``."""
    code, readers = scard.SCardListReaders(context, [])
    if code == scard.SCARD_E_NO_READERS_AVAILABLE or (code == _SUCCESS and not readers):
        raise _Lost("no reader is plugged in")
    if code != _SUCCESS:
        raise _Lost(_spell(code))
    for reader in readers:
        if wanted in reader:
            return str(reader)
    raise _Lost(f'no reader is named "{wanted}"; there are: {", ".join(readers)}')


def _look(context: int | None, reader: str, timeout_ms: int, state: int) -> tuple[int, _Field]:
    """Wait until the field differs from ``state``; give the state to wait on next, and the field.

    Raises:
        _Lost: service or reader are gone.
    """
    code, states = scard.SCardGetStatusChange(context, timeout_ms, [(reader, state)])
    if code not in {_SUCCESS, scard.SCARD_E_TIMEOUT}:
        raise _Lost(_spell(code))
    seen = int(states[0][1]) & 0xFFFFFFFF
    if seen & _NOT_THERE:
        raise _Lost("the reader was unplugged")
    present = bool(seen & scard.SCARD_STATE_PRESENT)
    return seen & ~scard.SCARD_STATE_CHANGED, _Field(present, seen >> 16)


def _changes(before: _Field, now: _Field) -> Iterator[Event]:
    """Tell what happened between two looks; a stay that fell between them is told too."""
    at = time.monotonic_ns()
    if before.count == now.count and before.present == now.present:
        return
    if before.present:
        yield Event("gone", at, before.count)
    if now.present or not before.present:
        yield Event("present", at, now.count)
    if not now.present and not before.present:
        yield Event("gone", at, now.count)


def _fault(code: int) -> SlotFault:
    """Translate a library's code."""
    if code in _TORN:
        return SlotFault(wire.TORN, "the card left the field")
    if code in _MUTE:
        return SlotFault(wire.MUTE, "the card does not answer as cards do")
    return SlotFault(wire.BROKEN, _spell(code))


def _spell(code: int) -> str:
    known = _REMEDIES.get(code)
    said = scard.SCardGetErrorMessage(code).rstrip(".") if known is None else known
    return f"{said} (PC/SC 0x{code & 0xFFFFFFFF:08X})"


def _establish() -> int:
    """Open a context; _Lost if pcscd does not run or does not let us in."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    if code != _SUCCESS:
        raise _Lost(_spell(code))
    return int(context)
