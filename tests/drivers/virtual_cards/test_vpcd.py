"""A virtual card on a reader, seen from the reader's end of the socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.virtual_cards import faults
from drivers.virtual_cards.piv import ATR
from drivers.virtual_cards.vpcd import Address, NoReaderError, insert
from tests.drivers.virtual_cards.card_office import OK, SELECT, good_card


class BareReader:
    """The reader's end, in as few lines as the protocol has rules."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.listener.settimeout(5)
        self.link: socket.socket | None = None

    def find(self) -> None:
        if self.link is not None:
            self.link.close()
        self.link, _ = self.listener.accept()
        self.link.settimeout(5)

    def say(self, body: str) -> None:
        assert self.link is not None
        raw = bytes.fromhex(body)
        self.link.sendall(len(raw).to_bytes(2, "big"))  # two writes, as Debian's vpcd does
        self.link.sendall(raw)

    def hear(self) -> bytes | None:
        assert self.link is not None
        length = self._exactly(2)
        return None if length is None else self._exactly(int.from_bytes(length, "big"))

    def ask(self, body: str) -> bytes | None:
        self.say(body)
        return self.hear()

    def lose(self) -> None:
        assert self.link is not None
        self.link.close()

    def _exactly(self, size: int) -> bytes | None:
        assert self.link is not None
        heard = b""
        while len(heard) < size:
            piece = self.link.recv(size - len(heard))
            if not piece:
                return None
            heard += piece
        return heard


@pytest.fixture(params=["tcp", "unix"])
def reader_at(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[BareReader, Address]]:
    address: Address
    if request.param == "tcp":
        listener = socket.create_server(("127.0.0.1", 0))
        address = ("127.0.0.1", listener.getsockname()[1])
    else:
        address = tmp_path / "slot"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(address))
        listener.listen()
    reader = BareReader(listener)
    yield reader, address
    listener.close()
    if reader.link is not None:
        reader.link.close()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "did not come true within 5 s"
        time.sleep(0.005)


def test_the_card_tells_its_answer_to_reset_and_answers_commands(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    card = good_card()
    with insert(card, address) as presence:
        reader.find()
        assert reader.ask("04") == ATR
        reader.say("01")
        assert reader.ask("04") == ATR
        answer = reader.ask(SELECT.hex())
        assert answer is not None
        assert answer[-2:] == OK
        assert reader.ask("04") == ATR  # a reader polls between commands too
        assert presence.powered.is_set()
        assert not presence.finished.is_set()
        reader.say("00")
        assert presence.finished.wait(5)
    assert reader.hear() is None
    assert (card.taps, card.apdus) == (1, 1)


def test_a_reset_loses_the_selection(reader_at: tuple[BareReader, Address]) -> None:
    reader, address = reader_at
    with insert(good_card(), address):
        reader.find()
        reader.say("01")
        reader.ask(SELECT.hex())
        reader.say("02")
        assert reader.ask("00200080") == b"\x6d\x00"


def test_a_card_that_was_never_powered_on_is_no_tap(reader_at: tuple[BareReader, Address]) -> None:
    reader, address = reader_at
    card = good_card()
    with insert(card, address):
        reader.find()
        assert reader.ask("04") == ATR
    assert card.taps == 0


def test_each_presence_is_one_tap_however_often_it_is_powered_on(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    card = good_card()
    for _ in range(2):
        with insert(card, address):
            reader.find()
            for _ in range(3):
                reader.say("01")
                assert reader.ask("04") == ATR
                reader.say("00")
    assert card.taps == 2


def test_a_card_that_lies_there_is_found_again_by_the_next_reader_as_the_same_tap(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    card = good_card()
    with insert(card, address) as presence:
        for _ in range(3):
            reader.find()
            reader.say("01")
            assert reader.ask("04") == ATR
            reader.lose()
        assert presence.present
    assert card.taps == 1


def test_a_card_taken_away_while_no_reader_is_there_does_not_come_back(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    presence = insert(good_card(), address)
    reader.find()
    reader.listener.close()
    reader.lose()
    presence.remove()
    presence.remove()
    assert not presence.present


def test_a_mute_card_says_nothing_until_it_gets_power_anew(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    with insert(faults.MuteCard(good_card(), at=1), address):
        reader.find()
        reader.say("01")
        assert reader.ask("04") == ATR
        reader.say(SELECT.hex())
        reader.say("04")
        reader.say("00CB3FFF035C017E00")
        reader.say("01")
        assert reader.ask("04") == ATR  # the only answer after all these
        assert reader.link is not None
        reader.link.setblocking(False)
        with pytest.raises(BlockingIOError):
            reader.link.recv(1)


def test_a_card_mute_from_power_on_is_seen_but_never_answers_to_reset(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    card = faults.MuteCard(good_card(), at=0)
    with insert(card, address):
        reader.find()
        assert reader.ask("04") == ATR
        reader.say("01")
        reader.say("04")
        eventually(lambda: card.taps == 1)
        assert reader.link is not None
        reader.link.settimeout(0.05)
        with pytest.raises(TimeoutError):
            reader.link.recv(1)


@pytest.mark.parametrize("moment", list(faults.Moment))
def test_a_torn_card_leaves_at_its_moment_and_does_not_come_back(
    reader_at: tuple[BareReader, Address], moment: faults.Moment
) -> None:
    reader, address = reader_at
    card = faults.TornCard(good_card(), at=2, moment=moment)
    with insert(card, address) as presence:
        reader.find()
        reader.say("01")
        assert reader.ask(SELECT.hex()) is not None
        answer = reader.ask("00CB3FFF035C017E00")
        assert (answer is not None) == (moment is faults.Moment.AFTER)
        assert reader.hear() is None if moment is faults.Moment.AFTER else True
        assert not presence.present
    with insert(card, address):  # the card itself is whole and can be laid on again
        reader.find()


def test_half_an_answer_of_a_torn_card_really_reaches_the_reader(
    reader_at: tuple[BareReader, Address],
) -> None:
    reader, address = reader_at
    with insert(faults.TornCard(good_card(), 1, faults.Moment.WITHIN), address):
        reader.find()
        reader.say("01")
        reader.say(SELECT.hex())
        assert reader.link is not None
        heard = b""
        while piece := reader.link.recv(4096):
            heard += piece
        announced = int.from_bytes(heard[:2], "big")
        assert 0 < len(heard) - 2 < announced


def test_one_card_lies_on_one_reader_only(reader_at: tuple[BareReader, Address]) -> None:
    _, address = reader_at
    card = good_card()
    with insert(card, address), pytest.raises(ValueError, match="remove it there first"):
        insert(card, address)


def test_without_a_reader_the_error_names_the_place_and_what_to_start(tmp_path: Path) -> None:
    card = good_card()
    with pytest.raises(NoReaderError, match=r"nowhere.*start pcscd"):
        insert(card, tmp_path / "nowhere", patience_s=0.05)
    card.enter_field()  # it lies nowhere, so it can still be laid somewhere


def test_a_card_waits_for_a_reader_that_is_just_starting(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "slot"))
    card = good_card()

    starting = threading.Timer(0.1, listener.listen)
    starting.start()
    with insert(card, tmp_path / "slot") as presence:
        assert presence.present
    starting.join()
    listener.close()
