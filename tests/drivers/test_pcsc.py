"""The reader behind its own process, with virtual cards on a socket instead of PC/SC."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import pcsc_frames as wire
from drivers.pcsc import PcscReader
from drivers.virtual_cards import faults
from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.vpcd import insert
from terminal.core.credential import Credential, Unreadable
from terminal.ports import ApduPattern, CardMute, CardTorn, ChannelRefused, DeviceError
from tests.drivers.reader_desk import ALLOWED, Desk, eventually, runs
from tests.terminal.cards.card_table import card, rsa_card

SELECT = bytes.fromhex("00A404000BA00000030800001000010000")
PIN_QUERY = bytes.fromhex("00200080")
BLOCKED_S = 0.3
ROOT = Path(__file__).resolve().parents[2]

OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    place = tmp_path / "slot"
    opened = []

    def make(**how: object) -> Desk:
        given = {"allow": ALLOWED, "blocked_after_s": BLOCKED_S, "recover_after_s": 0.2} | how
        reader = PcscReader(f"socket:{place}", **given)  # type: ignore[arg-type]
        opened.append(reader)
        return Desk(reader, place)

    yield make
    for reader in opened:
        reader.close()


@pytest.fixture
def desk(open_desk: OpenDesk) -> Desk:
    return open_desk()


def pid_of(desk: Desk) -> int:
    pid = desk.reader.process_id
    assert pid is not None
    return pid


@pytest.mark.parametrize("make", [card, rsa_card])
def test_a_card_comes_is_read_and_goes(desk: Desk, make: Callable[[], VirtualCard]) -> None:
    before = time.monotonic_ns()
    with insert(make(), desk.place):
        seen = desk.until("present")
        assert isinstance(desk.read(), Credential)
    gone = desk.until("gone")
    assert before < seen.mono_ns < gone.mono_ns < time.monotonic_ns()
    assert desk.kinds() == ["present", "gone"]


def test_that_there_is_a_reader_is_the_first_thing_told_and_told_once(desk: Desk) -> None:
    first = desk.reader.wait(5)
    assert first is not None
    assert first.kind == "back"
    assert desk.reader.wait(0.3) is None


def test_a_command_off_the_list_never_reaches_the_card(desk: Desk) -> None:
    good = card()
    with insert(good, desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            channel.transmit(SELECT)
            for planted in (PIN_QUERY, bytes.fromhex("FFCA000000"), SELECT[:-1], b""):
                with pytest.raises(ChannelRefused):
                    channel.transmit(planted)
            assert channel.transmit(SELECT)[-2:] == b"\x90\x00"
    assert good.trace == [SELECT, SELECT]
    assert desk.reader.refused == 4


def test_a_new_list_counts_from_the_next_conversation_on(desk: Desk) -> None:
    desk.reader.allow([ApduPattern("00200080", 4, 4)])
    with insert(card(), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            assert channel.transmit(PIN_QUERY) == b"\x6d\x00"
            with pytest.raises(ChannelRefused):
                channel.transmit(SELECT)


def test_a_new_list_also_counts_for_the_next_process(desk: Desk) -> None:
    desk.reader.allow([])
    os.kill(pid_of(desk), signal.SIGKILL)
    desk.until("back")
    with insert(card(), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel, pytest.raises(ChannelRefused):
            channel.transmit(SELECT)


def test_a_card_that_lies_there_is_told_and_read_once(desk: Desk) -> None:
    held = card()
    with insert(held, desk.place):
        desk.until("present")
        desk.read()
        assert desk.quiet(1.0)
    desk.until("gone")
    assert desk.kinds() == ["present", "gone"]
    assert held.taps == 1


def test_two_cards_in_quick_succession_are_both_seen(desk: Desk) -> None:
    for _ in range(10):
        with insert(card(), desk.place):
            desk.until("present")
            assert isinstance(desk.read(), Credential)
    desk.until("gone")
    assert desk.kinds() == ["present", "gone"] * 10


def test_a_card_exchanged_before_the_conversation_is_not_taken_for_the_first(desk: Desk) -> None:
    first, second = card(), card()
    lying = insert(first, desk.place)
    desk.until("present")
    lying.remove()
    with insert(second, desk.place) as waiting:
        assert desk.read() is Unreadable.TORN
        desk.until("gone")
        desk.until("present")
        assert isinstance(desk.read(), Credential)
        waiting.powered.wait(5)
    assert (first.apdus, second.apdus) == (0, 4)


def test_a_card_that_was_too_quick_does_not_hide_the_next(desk: Desk) -> None:
    lying = insert(card(), desk.place)
    desk.until("present")
    lying.remove()
    assert desk.read() is Unreadable.TORN
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)


@pytest.mark.parametrize("moment", list(faults.Moment))
def test_a_card_torn_away_at_any_command_spoils_nothing_for_the_next(
    desk: Desk, moment: faults.Moment
) -> None:
    for at in range(1, 5):
        with insert(faults.TornCard(card(), at, moment), desk.place):
            desk.until("present")
            outcome = desk.read()
            # After the last answer everything is proven, and the card may go.
            complete = at == 4 and moment is faults.Moment.AFTER
            assert isinstance(outcome, Credential) if complete else outcome is Unreadable.TORN
        desk.until("gone")
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)


@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_mute_card_costs_its_budget_and_the_next_good_one_works(desk: Desk, at: int) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    desk.until("gone")
    desk.told.clear()
    mute = faults.MuteCard(card(), at)
    lying = insert(mute, desk.place)
    desk.until("present")
    first_process = pid_of(desk)
    begun = time.monotonic()
    assert desk.read(budget_ms=300) is Unreadable.MUTE
    assert 0.3 <= time.monotonic() - begun < 1.0
    assert not runs(first_process)
    asked = mute.apdus
    desk.until("blocked")
    assert desk.quiet(0.5)
    assert mute.apdus == asked, "a mute card is not spoken to again"
    lying.remove()
    taken_away = time.monotonic()
    desk.until("gone")
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    assert time.monotonic() - taken_away < 5
    desk.until("gone")
    assert desk.kinds() == ["present", "blocked", "gone", "present", "gone"]


def test_while_a_mute_card_lies_there_nothing_is_connected(desk: Desk) -> None:
    with insert(faults.MuteCard(card(), 1), desk.place):
        desk.until("present")
        desk.read(budget_ms=200)
        begun = time.monotonic()
        assert desk.read() is Unreadable.MUTE
        assert time.monotonic() - begun < 0.1


def test_a_mute_card_that_goes_soon_is_not_told_as_blocked(open_desk: OpenDesk) -> None:
    desk = open_desk(blocked_after_s=1.0)
    with insert(faults.MuteCard(card(), 1), desk.place):
        desk.until("present")
        desk.read(budget_ms=200)
    desk.until("gone")
    assert desk.quiet(1.2)


def test_the_ladder_is_climbed_one_rung_at_a_time_and_ends_with_the_card(
    open_desk: OpenDesk, tmp_path: Path
) -> None:
    marks = [tmp_path / name for name in ("first", "second", "third")]
    rungs = [["touch", str(marks[0])], ["false"], ["/nonexistent"], ["touch", str(marks[1])]]
    desk = open_desk(recover=[*rungs, ["touch", str(marks[2])]], recover_after_s=0.3)
    lying = insert(faults.MuteCard(card(), 1), desk.place)
    desk.until("present")
    desk.read(budget_ms=200)
    desk.until("blocked")
    assert not marks[0].exists()

    def climbed(mark: Path) -> bool:
        desk.quiet(0.05)
        return mark.exists()

    eventually(lambda: climbed(marks[0]))
    assert not marks[1].exists()
    eventually(lambda: climbed(marks[1]))
    lying.remove()
    desk.until("gone")
    assert desk.quiet(0.5)
    assert not marks[2].exists()


def test_an_answer_of_64_kib_is_cut_and_refused(desk: Desk) -> None:
    with insert(faults.over_long_answer(card(), 2), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            channel.transmit(SELECT)
            answer = channel.transmit(bytes.fromhex("00CB3FFF055C035FC10100"))
        assert len(answer) == wire.LONGEST_ANSWER
        assert desk.reader.wait(0) is None


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_an_empty_answer_is_an_answer_and_the_next_card_works(desk: Desk, at: int) -> None:
    with insert(faults.empty_answer(card(), at), desk.place):
        desk.until("present")
        assert desk.read() is Unreadable.GARBLED
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)


def test_a_process_that_dies_is_told_and_replaced(desk: Desk) -> None:
    assert desk.quiet(0.2)
    for _ in range(3):
        os.kill(pid_of(desk), signal.SIGKILL)
        assert "ended" in desk.until("lost").detail
        desk.until("back")
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)


def test_a_process_that_dies_in_a_conversation_fails_it_and_the_card_is_met_again(
    desk: Desk,
) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            os.kill(pid_of(desk), signal.SIGKILL)
            with pytest.raises(DeviceError, match="ended"):
                channel.transmit(SELECT)
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    desk.until("gone")
    assert desk.kinds() == ["present", "gone", "lost", "back", "present", "gone"]


def test_a_card_that_was_read_to_the_end_is_not_met_again_by_the_next_process(desk: Desk) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)
        os.kill(pid_of(desk), signal.SIGKILL)
        desk.until("back")
        assert desk.quiet(1.3)
    desk.until("gone")
    with insert(card(), desk.place):
        desk.until("present")
        assert isinstance(desk.read(), Credential)
    assert desk.kinds() == ["present", "lost", "back", "gone", "present"]


def test_a_slot_that_cannot_be_is_told_with_its_reason(tmp_path: Path) -> None:
    for slot, said in (
        ("usb", "accepted is pcsc or socket:PATH"),
        (f"socket:{tmp_path}/nowhere/slot", "nowhere"),
    ):
        reader = PcscReader(slot, allow=ALLOWED)
        desk = Desk(reader, tmp_path)
        assert said in desk.until("lost").detail
        with pytest.raises(DeviceError), reader.converse(1000):
            pass
        reader.close()


def test_closing_from_another_thread_ends_a_wait_and_the_process(desk: Desk) -> None:
    pid = pid_of(desk)
    heard: list[object] = []
    waiting = threading.Thread(target=lambda: heard.append(desk.reader.wait(60)))
    waiting.start()
    desk.reader.close()
    waiting.join(5)
    assert heard == [None]
    assert not runs(pid)
    desk.reader.close()
    assert desk.reader.wait(60) is None


def test_closing_from_another_thread_ends_a_conversation_with_a_mute_card(desk: Desk) -> None:
    mute = faults.MuteCard(card(), 1)
    with insert(mute, desk.place):
        desk.until("present")

        def close_soon() -> None:
            eventually(lambda: mute.apdus > 0)
            desk.reader.close()

        closing = threading.Thread(target=close_soon)
        closing.start()
        begun = time.monotonic()
        with pytest.raises(DeviceError), desk.reader.converse(60_000) as channel:
            channel.transmit(SELECT)
        assert time.monotonic() - begun < 5
        closing.join(5)


TERMINAL = """
import sys
from drivers.pcsc import PcscReader
from tests.drivers.reader_desk import ALLOWED
reader = PcscReader("socket:" + sys.argv[1], allow=ALLOWED)
while reader.wait(30).kind != "present":
    pass
print(reader.process_id, flush=True)
with reader.converse(60_000) as channel:
    channel.transmit(bytes.fromhex(sys.argv[2]))
"""


def test_the_process_dies_with_the_terminal_even_while_a_card_keeps_it_waiting(
    tmp_path: Path,
) -> None:
    place = tmp_path / "slot"
    terminal = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, str(place), SELECT.hex()],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    mute = faults.MuteCard(card(), 1)
    with insert(mute, place, patience_s=20), terminal:
        assert terminal.stdout is not None
        pid = int(terminal.stdout.readline())
        eventually(lambda: mute.apdus > 0)
        assert runs(pid)
        terminal.kill()
        eventually(lambda: not runs(pid), within_s=2)


def test_what_the_process_says_goes_to_the_log_without_card_bytes(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with insert(card(), desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel, pytest.raises(ChannelRefused):
            channel.transmit(bytes.fromhex("0020008008") + b"31415926")
        desk.quiet(0.3)
    assert "refused a command outside the allow-list" in caplog.text
    assert "31415926" not in caplog.text
    assert b"31415926".hex() not in caplog.text


def test_a_conversation_that_is_over_asks_nothing_more(desk: Desk) -> None:
    good = card()
    with insert(good, desk.place):
        desk.until("present")
        with desk.reader.converse(3000) as channel:
            channel.transmit(SELECT)
        with pytest.raises(CardMute):
            channel.transmit(SELECT)
    assert good.apdus == 1


def test_a_conversation_without_a_card_is_torn(desk: Desk) -> None:
    desk.quiet(0.3)
    with pytest.raises(CardTorn), desk.reader.converse(1000):
        pass
