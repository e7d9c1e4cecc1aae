"""Conversations that the reader failed, on a real pcscd: they cost one card, never the reader."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import pcsc_frames as wire
from drivers.pcsc import MOST_BROKEN, PcscReader
from drivers.pcsc_frames import Setup
from drivers.pcsc_process import ReaderProcess
from drivers.virtual_cards.vpcd import insert
from terminal.core.credential import Credential
from terminal.ports import ApduPattern, ChannelRefused, DeviceError
from tests.drivers.reader_desk import ALLOWED, Desk, runs
from tests.drivers.test_pcsc_real import SELECT, works
from tests.pcsc_sandbox import Pcscd
from tests.terminal.cards.card_table import card

pytestmark = pytest.mark.real

FAILS_IN_PCSCD = b""
"""pcscd passes no empty command on: the exchange fails, while card and reader work."""
LETS_IT_PASS = ApduPattern("", 0, 0)


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    with Pcscd(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def desk(pcscd: Pcscd) -> Iterator[Desk]:
    reader = PcscReader(allow=[*ALLOWED, LETS_IT_PASS])
    yield Desk(reader, pcscd.slots[0])
    reader.close()


def fail(desk: Desk) -> None:
    """Lay a card down, let the reader fail in its conversation, and take it away."""
    with insert(card(), desk.place) as lying:
        desk.until("present")
        fail_with_the_present_card(desk)
        assert lying.finished.wait(0.2), "the card still has power"
    desk.until("gone")


def fail_with_the_present_card(desk: Desk) -> None:
    with desk.reader.converse(3000) as channel:
        channel.transmit(SELECT)
        with pytest.raises(DeviceError, match="parameter"):
            channel.transmit(FAILS_IN_PCSCD)


def test_a_conversation_that_failed_costs_only_its_own_card(desk: Desk) -> None:
    process = desk.reader.process_id
    for _ in range(MOST_BROKEN):
        fail(desk)
        assert works(desk)
    assert desk.reader.process_id == process


def test_after_several_failures_in_a_row_the_process_is_replaced(desk: Desk) -> None:
    process = desk.reader.process_id
    assert process is not None
    for _ in range(MOST_BROKEN - 1):
        fail(desk)
    assert desk.reader.process_id == process
    with insert(card(), desk.place):
        desk.until("present")
        fail_with_the_present_card(desk)
        assert not runs(process)
        # What the old process could not read, the new one may.
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    desk.until("gone")
    assert works(desk)


def test_a_card_whose_conversation_failed_is_met_again_when_pcscd_is_a_new_one(
    pcscd: Pcscd, desk: Desk
) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        fail_with_the_present_card(desk)
        pcscd.restart()
        desk.until("back")
        desk.until("present")


def test_a_failure_that_nobody_dealt_with_is_the_one_that_is_told(desk: Desk) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        with pytest.raises(DeviceError, match="parameter"), desk.reader.converse(3000) as channel:
            channel.transmit(FAILS_IN_PCSCD)


def test_a_process_that_does_not_take_the_allow_list_is_replaced(desk: Desk) -> None:
    """It takes none while a conversation is open."""
    process = desk.reader.process_id
    assert process is not None
    with insert(card(), desk.place):
        desk.until("present")
        with pytest.raises(DeviceError, match="does not run"), desk.reader.converse(3000):
            desk.reader.allow([])
        assert not runs(process)
        desk.until("present")
        with desk.reader.converse(3000) as channel, pytest.raises(ChannelRefused):
            channel.transmit(SELECT)


class Frames:
    """A reader process spoken to in bare frames: a conversation always ends what it began."""

    def __init__(self) -> None:
        self._quiet, self._waker = os.pipe()
        self._process = ReaderProcess(Setup("pcsc", "", (("00", 5, 261),)), self._quiet)

    def hear(self, *kinds: bytes) -> tuple[bytes, bytes]:
        """The next frame of one of these kinds."""
        while (heard := self._process.receive(time.monotonic() + 5)) is not None:
            if heard[0] in kinds:
                return heard
        raise AssertionError("nothing more was heard")

    def present(self) -> bytes:
        """The number of the next card that comes, as it is asked for."""
        while (event := wire.event_of(self.hear(wire.EVENT)[1])).kind != "present":
            pass
        return event.presence.to_bytes(4, "big")

    def ask(self, kind: bytes, body: bytes) -> bytes:
        """The kind of the answer."""
        self._process.send(wire.frame(kind, body))
        return self.hear(wire.OK, wire.ANSWER, wire.FAILED)[0]

    def close(self) -> None:
        self._process.release()
        os.close(self._quiet)
        os.close(self._waker)


def test_a_card_that_was_left_connected_does_not_keep_the_next_one_out(pcscd: Pcscd) -> None:
    frames = Frames()
    for _ in range(3):
        with insert(card(), pcscd.slots[0]):
            assert frames.ask(wire.CONNECT, frames.present()) == wire.OK
            assert frames.ask(wire.TRANSMIT, SELECT) == wire.ANSWER
    frames.close()
