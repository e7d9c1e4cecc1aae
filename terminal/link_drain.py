"""Which records go out next: in order, a window at a time, until receipts come.

A PUBACK is not a receipt: the broker may lose what it has acknowledged. It only makes room in the
window. What has no receipt is sent again: after a reconnect, and after a minute without progress
(then ever more slowly, so that an absent ledger is not flooded with copies).

Rules: no clock and no network here; times come in as monotonic seconds. ``sent`` lives in memory
only. A broker that took a record for nobody (0x10) or refused it (0x80 and above) has not taken
it: everything without receipt is sent again after a pause.
"""

from terminal.journal_rows import JournalReader, Spoilt, Stored

AHEAD = 1000
"""At most this many records are out without a receipt, however many the broker would take."""

RESEND_S = 60.0
RESEND_MOST_S = 600.0
RETRY_S = 10.0
RETRY_MOST_S = 120.0

ACCEPTED = 0x00
"""The one PUBACK reason code (MQTT 5, 3.4.2.1) that counts; paho calls the next a success too."""

NO_SUBSCRIBERS = 0x10


class Drain:
    """The sending side of one journal. Used by the link's thread only."""

    def __init__(self, source: JournalReader) -> None:
        self._source = source
        self._cursor = 0
        self._received = 0
        self._in_flight: dict[int, int] = {}
        self._progress_at = 0.0
        self._resend_s = RESEND_S
        self._paused_until = 0.0
        self._retry_s = RETRY_S
        self._told: set[int] = set()
        self.spoilt: list[Spoilt] = []
        """Records found unreadable and not yet declared; whoever reports them empties the list."""

    @property
    def in_flight(self) -> int:
        """Records handed to the broker and not acknowledged."""
        return len(self._in_flight)

    def begin(self, now: float) -> None:
        """A new connection: whatever was out on the last one counts as not sent."""
        self._in_flight.clear()
        self._received = self._source.marks().received
        self._cursor = self._received
        self._progress_at = now
        self._paused_until = 0.0

    def take(self, room: int, now: float) -> tuple[Stored, ...]:
        """Up to ``room`` records to be sent now; each is to be reported to ``sent``.

        Raises:
            sqlite3.Error: the journal cannot be read just now.
        """
        self._look(now)
        room = min(room, self._received + AHEAD - self._cursor)
        if room <= 0 or now < self._paused_until:
            return ()
        batch = []
        for one in self._source.pending(self._cursor, room):
            if isinstance(one, Stored):
                batch.append(one)
            else:
                batch.extend(self._pass(one))
            self._cursor = one.seq
        return tuple(batch)

    def sent(self, mid: int, seq: int) -> None:
        """Record ``seq`` went out as packet ``mid``."""
        self._in_flight[mid] = seq

    def acknowledged(self, mid: int, code: int, now: float) -> int | None:
        """Packet ``mid`` was answered with ``code``; the number of the record if it was refused."""
        seq = self._in_flight.pop(mid, None)
        if seq is None:
            return None
        if code == ACCEPTED:
            self._retry_s = RETRY_S
            return None
        self._cursor = self._received
        if now >= self._paused_until:
            # Once for each attempt, however many of its records were refused.
            self._paused_until = now + self._retry_s
            self._retry_s = min(2 * self._retry_s, RETRY_MOST_S)
        return seq

    def encourage(self) -> None:
        """A receipt came, so the ledger is there again: a pause after refusals ends now."""
        self._paused_until = 0.0
        self._retry_s = RETRY_S

    def reopen(self) -> None:
        """Open the journal's file anew before it is read again."""
        self._source.close()

    def _look(self, now: float) -> None:
        """Follow the receipts, forwards and (after "resend from") backwards."""
        received = self._source.marks().received
        if received > self._received:
            self._resend_s = RESEND_S
            self._progress_at = now
            self._cursor = max(self._cursor, received)
        elif received < self._received:
            self._cursor = received
        self._received = received
        if self._cursor <= received:
            self._progress_at = now
        elif not self._in_flight and now - self._progress_at >= self._resend_s:
            self._cursor = received
            self._progress_at = now
            self._resend_s = min(2 * self._resend_s, RESEND_MOST_S)

    def _pass(self, lost: Spoilt) -> list[Stored]:
        """Go past an unreadable record: what declares it is sent in its place, ahead of its turn.

        Without that the ledger would wait for the gap, and so would everything behind it.
        """
        declaration = self._source.declaration_of(lost.seq)
        if declaration is not None:
            return [declaration]
        if lost.seq not in self._told:
            self._told.add(lost.seq)
            self.spoilt.append(lost)
        return []
