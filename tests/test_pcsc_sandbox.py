"""The real pcscd of the tests, with pyscard as its client."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from smartcard.scard import (
    SCARD_PROTOCOL_T1,
    SCARD_S_SUCCESS,
    SCARD_SCOPE_SYSTEM,
    SCARD_SHARE_SHARED,
    SCARD_UNPOWER_CARD,
    SCardConnect,
    SCardDisconnect,
    SCardEstablishContext,
    SCardListReaders,
    SCardReleaseContext,
    SCardTransmit,
)

from drivers.virtual_cards.vpcd import insert
from tests import namespace
from tests.drivers.virtual_cards.card_office import OK, SELECT, good_card
from tests.pcsc_sandbox import Pcscd

pytestmark = pytest.mark.real


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    with Pcscd(tmp_path) as daemon:
        yield daemon


def eventually(condition: Callable[[], bool], within_s: float = 5) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {within_s} s"
        time.sleep(0.02)


def tap(reader: str) -> bytes | None:
    """SELECT the town's application through pcscd; None while no card is seen."""
    result, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    assert result == SCARD_S_SUCCESS
    try:
        result, card, _ = SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1)
        if result != SCARD_S_SUCCESS:
            return None
        result, answer = SCardTransmit(card, SCARD_PROTOCOL_T1, list(SELECT))
        SCardDisconnect(card, SCARD_UNPOWER_CARD)
        return bytes(answer) if result == SCARD_S_SUCCESS else None
    finally:
        SCardReleaseContext(context)


def readers() -> list[str]:
    result, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    if result != SCARD_S_SUCCESS:
        return []
    try:
        return list(SCardListReaders(context, [])[1])
    finally:
        SCardReleaseContext(context)


def test_pcscd_lists_both_readers(pcscd: Pcscd) -> None:
    assert readers() == pcscd.readers


@pytest.mark.parametrize("number", [0, 1])
def test_a_card_laid_on_a_slot_is_reached_through_its_reader(pcscd: Pcscd, number: int) -> None:
    card = good_card()
    with insert(card, pcscd.slots[number]):
        eventually(lambda: tap(pcscd.readers[number]) is not None)
        answer = tap(pcscd.readers[number])
        assert tap(pcscd.readers[1 - number]) is None
    assert answer is not None
    assert answer[-2:] == OK
    eventually(lambda: tap(pcscd.readers[number]) is None)
    assert card.taps == 1


def test_a_card_laid_on_right_after_another_is_seen_as_itself(pcscd: Pcscd) -> None:
    cards = [good_card() for _ in range(3)]
    for card in cards:
        with insert(card, pcscd.slots[0]):
            eventually(lambda: tap(pcscd.readers[0]) is not None)
    assert [card.taps for card in cards] == [1, 1, 1]
    assert all(SELECT in card.trace for card in cards)


def test_a_card_lying_there_is_found_again_after_pcscd_was_killed(pcscd: Pcscd) -> None:
    card = good_card()
    with insert(card, pcscd.slots[0]):
        eventually(lambda: tap(pcscd.readers[0]) is not None)
        before = pcscd.pid
        pcscd.restart()
        assert pcscd.pid != before
        eventually(lambda: tap(pcscd.readers[0]) is not None)
    assert card.taps == 1


def test_a_killed_pcscd_is_gone_until_started(pcscd: Pcscd) -> None:
    gone = pcscd.pid
    pcscd.kill()
    with pytest.raises(ProcessLookupError):
        os.kill(gone, 0)
    assert readers() == []
    pcscd.start()
    assert readers() == pcscd.readers


def test_an_unplugged_reader_is_gone_and_comes_back_with_the_card_on_it(pcscd: Pcscd) -> None:
    with insert(good_card(), pcscd.slots[0]):
        eventually(lambda: tap(pcscd.readers[0]) is not None)
        pcscd.unplug()
        assert readers() == []
        pcscd.restart()
        assert readers() == pcscd.readers
        eventually(lambda: tap(pcscd.readers[0]) is not None)


def test_outside_a_private_network_no_pcscd_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(namespace.MARK, raising=False)
    with pytest.raises(RuntimeError, match=r"python -m tests\.namespace"):
        Pcscd(tmp_path)
