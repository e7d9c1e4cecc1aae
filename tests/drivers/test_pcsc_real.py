"""The reader on a real pcscd with Debian's virtual reader: cards, crashes and unplugged readers."""

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.pcsc import SETTLE_S, PcscReader
from drivers.virtual_cards import faults
from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.vpcd import insert
from terminal.core.credential import Credential, Unreadable
from terminal.ports import CardTorn, ChannelRefused, DeviceError
from tests.drivers.reader_desk import ALLOWED, Desk, eventually, runs
from tests.pcsc_sandbox import Pcscd
from tests.terminal.cards.card_table import card, rsa_card

pytestmark = pytest.mark.real

SELECT = bytes.fromhex("00A404000BA00000030800001000010000")
BLOCKED_S = 0.5
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    with Pcscd(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def desk(pcscd: Pcscd) -> Iterator[Desk]:
    reader = PcscReader(allow=ALLOWED, blocked_after_s=BLOCKED_S)
    yield Desk(reader, pcscd.slots[0])
    reader.close()


def tap(desk: Desk, lying: VirtualCard) -> Credential | Unreadable:
    """Lay a card down, read it, take it away."""
    with insert(lying, desk.place):
        desk.until("present")
        outcome = desk.read()
    desk.until("gone")
    return outcome


def works(desk: Desk) -> bool:
    return isinstance(tap(desk, card()), Credential)


@pytest.mark.parametrize("make", [card, rsa_card])
def test_a_card_is_read_from_end_to_end(desk: Desk, make: Callable[[], VirtualCard]) -> None:
    good = make()
    assert isinstance(tap(desk, good), Credential)
    assert desk.kinds() == ["present", "gone"]
    assert (good.taps, good.verifies, good.forbidden_selects) == (1, 0, 0)


def test_a_planted_command_does_not_reach_the_card(desk: Desk) -> None:
    good = card()
    with insert(good, desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel, pytest.raises(ChannelRefused):
            channel.transmit(bytes.fromhex("00200080"))
    assert good.trace == []


def test_after_the_conversation_the_card_has_no_power(desk: Desk) -> None:
    with insert(card(), desk.place) as lying:
        desk.until("present")
        for _ in range(5):
            desk.read()
            # By itself pcscd would cut the power too, but only some 0.4 s later.
            assert lying.finished.wait(0.05)


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_card_torn_away_is_never_recognised_and_the_next_one_works(desk: Desk, at: int) -> None:
    for moment in faults.Moment:
        outcome = tap(desk, faults.TornCard(card(), at, moment))
        if at == 4 and moment is faults.Moment.AFTER:
            assert isinstance(outcome, Credential)
        elif moment is faults.Moment.WITHIN:
            # vpcd hands half an answer on as if it were whole.
            assert isinstance(outcome, Unreadable)
        else:
            assert outcome is Unreadable.TORN
    assert works(desk)


@pytest.mark.parametrize("at", [1, 4])
def test_a_mute_card_costs_3_s_and_the_next_good_one_works_within_5(desk: Desk, at: int) -> None:
    mute = faults.MuteCard(card(), at)
    lying = insert(mute, desk.place)
    desk.until("present")
    begun = time.monotonic()
    assert desk.read() is Unreadable.MUTE
    assert time.monotonic() - begun < 3.5
    asked = mute.apdus
    desk.until("blocked")
    assert desk.quiet(0.5)
    assert mute.apdus == asked
    lying.remove()
    taken_away = time.monotonic()
    assert works(desk)
    assert time.monotonic() - taken_away < 5
    assert desk.kinds() == ["present", "blocked", "gone", "present", "gone"]


def test_a_mute_card_stays_untouched_when_the_ladder_restarts_pcscd(
    pcscd: Pcscd, desk: Desk
) -> None:
    mute = faults.MuteCard(card(), 1)
    with insert(mute, desk.place):
        desk.until("present")
        assert desk.read() is Unreadable.MUTE
        desk.until("blocked")
        asked = mute.apdus
        pcscd.restart()
        desk.until("back")
        assert desk.quiet(1.0)
        assert mute.apdus == asked
    desk.until("gone")
    assert works(desk)


def test_a_card_that_lies_there_is_told_and_read_once(desk: Desk) -> None:
    held = card()
    with insert(held, desk.place):
        desk.until("present")
        desk.read()
        assert desk.quiet(2.0)
    assert held.taps == 1
    assert held.apdus == 4


def test_a_card_exchanged_before_the_conversation_is_not_taken_for_the_first(desk: Desk) -> None:
    first, second = card(), card()
    lying = insert(first, desk.place)
    desk.until("present")
    lying.remove()
    with insert(second, desk.place):
        # pcscd asks its readers every 0.4 s; until it has, nobody can know.
        def noticed() -> bool:
            try:
                with desk.reader.converse(3000):
                    return False
            except CardTorn:
                return True

        eventually(noticed)
        assert first.apdus == 0
        desk.until("gone")
        desk.until("present")
        assert isinstance(desk.read(), Credential)


def test_a_card_exchanged_within_the_conversation_is_noticed_at_its_end(desk: Desk) -> None:
    first, second = card(), card()
    lying = insert(first, desk.place)
    desk.until("present")
    conversation = desk.reader.converse(5000)
    channel = conversation.__enter__()
    channel.transmit(SELECT)
    onlooker = PcscReader(allow=ALLOWED)
    looks_on = Desk(onlooker, desk.place)
    looks_on.until("present")
    lying.remove()
    with insert(second, desk.place):
        looks_on.until("gone")
        looks_on.until("present")
        with pytest.raises(CardTorn):
            conversation.__exit__(None, None, None)
    onlooker.close()


def test_cards_that_changed_places_during_a_conversation_are_each_told_and_not_mixed_up(
    desk: Desk,
) -> None:
    first, second, third = card(), card(), card()
    lying = insert(first, desk.place)
    desk.until("present")

    def interrupted() -> None:
        with desk.reader.converse(9000) as channel:
            lying.remove()
            with insert(second, desk.place) as passing:
                assert passing.powered.wait(3)
            stack.enter_context(insert(third, desk.place))
            onlooker.until("present")
            onlooker.until("present")
            channel.transmit(SELECT)

    with contextlib.ExitStack() as stack:
        onlooker = Desk(PcscReader(allow=ALLOWED), desk.place)
        stack.callback(onlooker.reader.close)
        onlooker.until("present")
        with pytest.raises(CardTorn):
            interrupted()
        desk.until("present")
        assert desk.read() is Unreadable.TORN
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    desk.until("gone")
    assert desk.kinds() == ["present", "gone"] * 3
    assert (second.apdus, third.apdus) == (0, 4)


@pytest.mark.parametrize("blow", ["kill", "stop"])
def test_a_pcscd_that_dies_is_told_and_comes_back_by_itself(
    pcscd: Pcscd, desk: Desk, blow: str
) -> None:
    assert works(desk)
    for _ in range(2):
        pid = desk.reader.process_id
        getattr(pcscd, blow)()
        desk.until("lost", within_s=3)
        pcscd.restart()
        begun = time.monotonic()
        desk.until("back")
        assert works(desk)
        assert time.monotonic() - begun < 10
        assert desk.reader.process_id == pid


def test_a_pcscd_that_dies_in_a_conversation_fails_it_and_the_next_card_works(
    pcscd: Pcscd, desk: Desk
) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            channel.transmit(SELECT)
            pcscd.kill()
            with pytest.raises(DeviceError):
                channel.transmit(SELECT)
    pcscd.restart()
    desk.until("back")
    assert works(desk)


def test_an_unplugged_reader_is_told_and_found_again(pcscd: Pcscd, desk: Desk) -> None:
    assert works(desk)
    pcscd.unplug()
    desk.until("lost", within_s=3)
    with pytest.raises(DeviceError), desk.reader.converse(1000):
        pass
    pcscd.restart()
    desk.until("back")
    assert works(desk)


def test_a_terminal_that_starts_before_its_reader_waits_for_it(
    tmp_path: Path, pcscd: Pcscd
) -> None:
    pcscd.stop()
    reader = PcscReader(allow=ALLOWED)
    desk = Desk(reader, pcscd.slots[0])
    try:
        desk.until("lost")
        pcscd.start(plugged=False)
        assert desk.quiet(1.0)
        pcscd.restart()
        desk.until("back")
        assert works(desk)
    finally:
        reader.close()


def test_the_reader_is_chosen_by_its_name(pcscd: Pcscd) -> None:
    reader = PcscReader(allow=ALLOWED, reader_name="PCD 00 01")
    try:
        assert works(Desk(reader, pcscd.slots[1]))
    finally:
        reader.close()


def test_a_name_that_no_reader_has_is_told_with_those_there_are(pcscd: Pcscd) -> None:
    reader = PcscReader(allow=ALLOWED, reader_name="RC-S300")
    try:
        detail = Desk(reader, pcscd.slots[0]).until("lost").detail
        assert all(name in detail for name in pcscd.readers)
    finally:
        reader.close()


TERMINAL = """
import sys
from drivers.pcsc import PcscReader
from tests.drivers.reader_desk import ALLOWED
reader = PcscReader(allow=ALLOWED)
while reader.wait(30).kind != "present":
    pass
print(reader.process_id, flush=True)
with reader.converse(60_000) as channel:
    channel.transmit(bytes.fromhex(sys.argv[1]))
"""


def test_the_process_dies_with_the_terminal_even_while_pcscd_keeps_it_waiting(
    pcscd: Pcscd,
) -> None:
    terminal = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, SELECT.hex()], stdout=subprocess.PIPE, cwd=ROOT
    )
    mute = faults.MuteCard(card(), 1)
    with insert(mute, pcscd.slots[0]), terminal:
        assert terminal.stdout is not None
        pid = int(terminal.stdout.readline())
        eventually(lambda: mute.apdus > 0)
        terminal.kill()
        eventually(lambda: not runs(pid), within_s=2)


@pytest.mark.all
def test_a_pcscd_that_dies_at_any_moment_is_survived_each_time(pcscd: Pcscd, desk: Desk) -> None:
    chance = random.Random(20261122)
    for _ in range(25):
        killing = threading.Timer(chance.uniform(0, 1.0), pcscd.kill)
        with insert(card(), desk.place):
            killing.start()
            with contextlib.suppress(AssertionError, DeviceError):
                desk.until("present", within_s=1.0)
                desk.read()
            killing.join()
        pcscd.restart()
        begun = time.monotonic()
        desk.until("back")
        # Until the new pcscd has had time to find the card that lay there, a card that comes is
        # taken for it.
        while not desk.quiet(SETTLE_S + 0.3):
            pass
        assert works(desk)
        assert time.monotonic() - begun < 10


def test_closing_leaves_no_process(desk: Desk) -> None:
    pid = desk.reader.process_id
    assert pid is not None
    desk.reader.close()
    assert not runs(pid)
