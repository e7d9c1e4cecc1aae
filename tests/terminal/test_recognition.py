"""What the next card is read by, after publications have come and gone."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from terminal.clock import Clock, always_synced
from terminal.core.credential import Unreadable
from terminal.ports import ApduPattern, Channel, FieldChange
from terminal.recognition import ReadBy, Recognition
from tests.terminal.cards import card_table
from tests.terminal.core import scene
from tests.terminal.wire import card_zoo

NOW = scene.stamp()


class StrangeCard:
    """A reader with a card that has no application of ours; it notes what it is told."""

    def __init__(self) -> None:
        self.allowed: list[tuple[ApduPattern, ...]] = []
        self.asked: list[bytes] = []

    def wait(self, timeout_s: float) -> FieldChange | None:
        raise NotImplementedError

    def allow(self, patterns: Sequence[ApduPattern]) -> None:
        self.allowed.append(tuple(patterns))

    def converse(self, budget_ms: int) -> AbstractContextManager[Channel]:
        return nullcontext(self)

    def transmit(self, apdu: bytes) -> bytes:
        self.asked.append(apdu)
        return bytes.fromhex("6A82")

    def close(self) -> None:
        raise NotImplementedError


def published() -> ReadBy:
    return ReadBy(tuple(card_table.profiles()), card_zoo.trust())


def recognition(read_by: ReadBy | None = None) -> Recognition:
    return Recognition("t-archive", Clock(always_synced), read_by)


def test_before_the_first_publication_no_card_is_asked_anything() -> None:
    reader = StrangeCard()
    assert recognition().identify(reader, NOW) is Unreadable.NO_APPLICATION
    assert reader.asked == []
    assert reader.allowed == []


def test_the_reader_has_the_new_list_before_the_first_card_of_a_new_publication() -> None:
    reader, room = StrangeCard(), recognition()
    room.renew(published())
    assert room.identify(reader, NOW) is Unreadable.NO_APPLICATION
    assert reader.allowed == [published().allowed]
    assert len(reader.asked) == 1


def test_a_publication_with_the_same_profiles_leaves_the_reader_alone() -> None:
    reader, room = StrangeCard(), recognition(published())
    room.renew(published())
    room.identify(reader, NOW)
    assert reader.allowed == []
