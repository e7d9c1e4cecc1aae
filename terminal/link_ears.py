"""What comes in from the broker: receipts, and whatever the updater has asked for.

The broker may be hostile. A message counts only on a topic of the table that this terminal may
read and asked for, and only up to that topic's length; anything else is dropped and counted. The
count is told at most once a second, and a session that brings too much of it is ended.
"""

from collections.abc import Callable, Iterable, Iterator

from paho.mqtt.client import topic_matches_sub

from terminal.link_receipts import (
    MalformedReceiptError,
    NoReceiptError,
    ReceiptArrived,
    ReceiptGate,
)
from terminal.link_session import Arrived
from terminal.wire.signed import PublicKey
from terminal.wire.topics import TERMINAL, Name, Place, place_of, topic

TELL_EVERY_S = 1.0
MOST_DROPPED = 1000
"""More than this many dropped messages end the session."""

OnMessage = Callable[[str, bytes], None]


class Ears:
    """Sorts incoming messages. Used by the link's thread only.

    ``arrived`` gets proven receipts, ``refused`` the reason of those that are not, ``dropped``
    topic and reason of what was thrown away.
    """

    def __init__(
        self,
        site: str,
        gate: ReceiptGate,
        terminal: str,
        arrived: Callable[[ReceiptArrived], None],
        refused: Callable[[str], None],
        dropped: Callable[[str, str], None],
    ) -> None:
        self._site = site
        self._terminal = terminal
        self._gate = gate
        self._arrived = arrived
        self._refused = refused
        self._dropped = dropped
        self._readers: dict[str, OnMessage] = {}
        self._drop_told_at = float("-inf")
        self._refusal_told_at = float("-inf")
        self.dropped_total = 0
        self._dropped_before = 0

    def begin(self) -> None:
        """A new session: its dropped messages are counted anew."""
        self._dropped_before = self.dropped_total

    @property
    def overwhelmed(self) -> bool:
        """Whether this session brings too much rubbish."""
        return self.dropped_total - self._dropped_before > MOST_DROPPED

    def filters(self) -> Iterator[str]:
        """Everything to subscribe to."""
        yield topic(Name.RECEIPT, self._site, self._terminal)
        yield from self._readers

    def add(self, topic_filter: str, on_message: OnMessage) -> None:
        """Hand messages on ``topic_filter`` to ``on_message`` from now on."""
        self._readers[topic_filter] = on_message

    def remove(self, topic_filter: str) -> None:
        """No longer."""
        self._readers.pop(topic_filter, None)

    def set_keys(self, keys: Iterable[PublicKey], now: float) -> None:
        """Receipts are proven with these keys from now on."""
        self._judge(lambda: self._gate.set_keys(keys), now)

    def hear(self, message: Arrived, now: float) -> None:
        """Take one message to whom it is for, or drop it."""
        place = place_of(message.topic)
        if place is None or not self._may_read(place):
            self._drop(message.topic, "unknown_topic", now)
        elif len(message.payload) > place.row.longest:
            self._drop(message.topic, "too_long", now)
        elif place.row.name is Name.RECEIPT:
            if message.payload:
                self._judge(lambda: self._gate.admit(message.payload), now)
        else:
            self._hand_on(message, now)

    def _may_read(self, place: Place) -> bool:
        own = place.terminal in {"", self._terminal}
        return place.site == self._site and own and TERMINAL in place.row.readers

    def _hand_on(self, message: Arrived, now: float) -> None:
        heard = False
        for topic_filter, on_message in tuple(self._readers.items()):
            if topic_matches_sub(topic_filter, message.topic):
                on_message(message.topic, message.payload)
                heard = True
        if not heard:
            self._drop(message.topic, "not_asked_for", now)

    def _judge(self, receipt: Callable[[], ReceiptArrived | None], now: float) -> None:
        try:
            found = receipt()
        except MalformedReceiptError:
            self._drop(topic(Name.RECEIPT, self._site, self._terminal), "malformed", now)
        except NoReceiptError as error:
            self.dropped_total += 1
            if now - self._refusal_told_at >= TELL_EVERY_S:
                self._refusal_told_at = now
                self._refused(str(error))
        else:
            if found is not None:
                self._arrived(found)

    def _drop(self, name: str, reason: str, now: float) -> None:
        self.dropped_total += 1
        if now - self._drop_told_at >= TELL_EVERY_S:
            self._drop_told_at = now
            # The name is the sender's choice: cut, and nothing in it but plain signs.
            self._dropped(ascii(name[:80])[1:-1], reason)
