"""The demo's reader without hardware, with real virtual cards lying on it."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.virtual_cards import faults
from drivers.virtual_cards.piv import ATR
from drivers.virtual_cards.slot import CardRemovedError, Change, SlotError, SocketSlot
from drivers.virtual_cards.vpcd import insert
from tests.drivers.virtual_cards.card_office import OK, SELECT, good_card


@pytest.fixture
def slot(tmp_path: Path) -> Iterator[SocketSlot]:
    with SocketSlot(tmp_path / "reader") as slot:
        yield slot


def test_a_whole_conversation_from_laying_on_to_taking_away(slot: SocketSlot) -> None:
    card = good_card()
    with insert(card, slot.path) as presence:
        assert slot.wait(5) is Change.PRESENT
        assert slot.connect() == ATR
        assert slot.transmit(SELECT)[-2:] == OK
        slot.disconnect()
        slot.disconnect()
        assert slot.present
        assert presence.finished.wait(5)
        assert slot.wait(0) is None
    assert slot.wait(5) is Change.ABSENT
    assert card.taps == 1


def test_an_empty_reader_reports_nothing_when_the_time_is_up(slot: SocketSlot) -> None:
    assert slot.wait(0.01) is None


def test_a_second_card_waits_until_the_first_is_gone(slot: SocketSlot) -> None:
    first, second = good_card(), good_card()
    presence = insert(first, slot.path)
    assert slot.wait(5) is Change.PRESENT
    with insert(second, slot.path):
        assert slot.wait(0.01) is None
        presence.remove()
        assert slot.wait(5) is Change.ABSENT
        assert slot.wait(5) is Change.PRESENT
        slot.connect()
        slot.transmit(SELECT)
    assert (first.apdus, second.apdus) == (0, 1)


def test_one_card_can_be_connected_to_again_and_again(slot: SocketSlot) -> None:
    card = good_card()
    with insert(card, slot.path):
        slot.wait(5)
        for _ in range(3):
            assert slot.connect() == ATR
            assert slot.transmit(SELECT)[-2:] == OK
            slot.disconnect()
    assert (card.taps, card.apdus) == (1, 3)


@pytest.mark.parametrize("moment", [faults.Moment.BEFORE, faults.Moment.WITHIN])
def test_a_card_torn_away_is_told_at_once(slot: SocketSlot, moment: faults.Moment) -> None:
    with insert(faults.TornCard(good_card(), 1, moment), slot.path):
        slot.wait(5)
        slot.connect()
        with pytest.raises(CardRemovedError):
            slot.transmit(SELECT)
    assert not slot.present
    assert slot.wait(0.01) is None


def test_a_card_removed_between_two_commands_is_told_at_the_next(slot: SocketSlot) -> None:
    presence = insert(good_card(), slot.path)
    slot.wait(5)
    slot.connect()
    presence.remove()
    with pytest.raises(CardRemovedError):
        slot.transmit(SELECT)


def test_the_longest_answer_comes_through_whole(slot: SocketSlot) -> None:
    with insert(faults.over_long_answer(good_card(), 1), slot.path):
        slot.wait(5)
        slot.connect()
        assert len(slot.transmit(SELECT)) == 65_535


def test_an_empty_answer_comes_through_as_no_bytes(slot: SocketSlot) -> None:
    with insert(faults.empty_answer(good_card(), 1), slot.path):
        slot.wait(5)
        slot.connect()
        assert slot.transmit(SELECT) == b""


def test_nothing_can_be_sent_before_connecting_or_without_a_card(slot: SocketSlot) -> None:
    with pytest.raises(SlotError, match="connect first"):
        slot.transmit(SELECT)
    with pytest.raises(SlotError, match="no card"):
        slot.connect()


@pytest.mark.parametrize("size", [0, 1, 3, 65_536])
def test_what_cannot_be_a_command_is_not_sent(slot: SocketSlot, size: int) -> None:
    card = good_card()
    with insert(card, slot.path):
        slot.wait(5)
        slot.connect()
        with pytest.raises(SlotError, match=f"{size} bytes"):
            slot.transmit(bytes(size))
        slot.transmit(SELECT)
    assert card.trace == [SELECT]


def test_only_the_owner_can_lay_a_card_on_the_reader(slot: SocketSlot) -> None:
    assert stat.S_IMODE(slot.path.stat().st_mode) == 0o600


def test_the_card_lying_there_is_found_by_the_next_process_at_the_same_path(
    tmp_path: Path,
) -> None:
    path = tmp_path / "reader"
    killed = SocketSlot(path)
    card = good_card()
    with insert(card, path):
        assert killed.wait(5) is Change.PRESENT
        killed.connect()
        # What the system does for a killed process: sockets close, the path stays.
        killed._listener.close()
        killed._drop()
        with SocketSlot(path) as slot:
            assert slot.wait(5) is Change.PRESENT
            assert slot.connect() == ATR
    assert card.taps == 1


def test_closing_leaves_no_socket_behind(tmp_path: Path) -> None:
    slot = SocketSlot(tmp_path / "reader")
    slot.close()
    slot.close()
    assert list(tmp_path.iterdir()) == []


def test_a_plain_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "reader"
    path.write_text("letters")
    with pytest.raises(SlotError, match="move it elsewhere"):
        SocketSlot(path)
    assert path.read_text() == "letters"


def test_a_path_too_long_or_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SlotError, match="at most 107 bytes"):
        SocketSlot(tmp_path / ("x" * 120))
    with pytest.raises(SlotError, match="No such file"):
        SocketSlot(tmp_path / "nowhere" / "reader")


def test_a_stranger_that_speaks_first_is_shown_out(slot: SocketSlot) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.connect(str(slot.path))
        assert slot.wait(5) is Change.PRESENT
        stranger.sendall(b"\x00\x02\x90\x00")
        assert slot.wait(5) is Change.ABSENT
