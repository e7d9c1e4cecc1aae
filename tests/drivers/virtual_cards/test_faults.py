"""Every fault does what its name says, at the command it is asked for."""

import time
from collections.abc import Callable

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from drivers.virtual_cards import faults
from drivers.virtual_cards.apdu import read_tlv
from drivers.virtual_cards.card import MuteError, TornError, VirtualCard
from drivers.virtual_cards.piv import PivCard
from tests.drivers.virtual_cards.card_office import (
    OK,
    READ_CERTIFICATE,
    SELECT,
    challenge_p256,
    collect,
    good_card,
    p256,
)

DISCOVERY = bytes.fromhex("00CB3FFF035C017E00")
GET_RESPONSE = bytes.fromhex("00C0000000")


def signs_for_its_certificate(card: VirtualCard, shown: PivCard, challenge: bytes) -> bool:
    card.power_on()
    card.exchange(SELECT)
    signature = read_tlv(read_tlv(card.exchange(challenge_p256(challenge))[:-2])[0x7C])[0x82]
    public = shown.keys[0x9E].certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    try:
        public.verify(signature, challenge, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_mute_card_answers_until_its_command_and_again_after_power_on(at: int) -> None:
    card = faults.MuteCard(good_card(), at)
    for _ in range(2):
        card.power_on()
        for _ in range(at - 1):
            assert card.exchange(SELECT)[-2:] == OK
        with pytest.raises(MuteError):
            card.exchange(SELECT)


def test_a_card_mute_from_power_on_still_counts_as_a_tap() -> None:
    card = faults.MuteCard(good_card(), at=0)
    card.enter_field()
    with pytest.raises(MuteError):
        card.power_on()
    assert card.taps == 1


@pytest.mark.parametrize(
    ("moment", "answered", "whole"),
    [
        (faults.Moment.BEFORE, False, True),
        (faults.Moment.WITHIN, True, False),
        (faults.Moment.AFTER, True, True),
    ],
)
def test_a_torn_card_leaves_with_what_its_moment_allows(
    moment: faults.Moment, answered: bool, whole: bool
) -> None:
    card = faults.TornCard(good_card(), 2, moment)
    card.exchange(SELECT)
    with pytest.raises(TornError) as torn:
        card.exchange(DISCOVERY)
    assert ((torn.value.answer is not None), torn.value.whole) == (answered, whole)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (faults.empty_answer, b""),
        (faults.one_byte_answer, b"\x90"),
        (faults.over_long_answer, bytes(65_533) + OK),
        (faults.endless_more, bytes(256) + b"\x61\x00"),
        (faults.endless_wrong_length, b"\x6c\x10"),
        (lambda card, at: faults.status_word(card, at, 0x6F00), b"\x6f\x00"),
    ],
)
def test_a_spoiled_answer_comes_at_its_command_only(
    make: Callable[[VirtualCard, int], VirtualCard], expected: bytes
) -> None:
    card = make(good_card(), 2)
    assert card.exchange(SELECT)[-2:] == OK
    assert card.exchange(DISCOVERY) == expected


@pytest.mark.parametrize(
    "wrap",
    [faults.Replayed, lambda card: faults.MuteCard(card, 9), lambda card: faults.TornCard(card, 9)],
)
def test_the_card_inside_loses_power_together_with_the_fault(
    wrap: Callable[[VirtualCard], VirtualCard],
) -> None:
    card = wrap(good_card())
    card.exchange(SELECT)
    card.power_on()
    assert card.exchange(DISCOVERY).hex() == "6d00"


def test_endless_cards_go_on_for_ever_and_others_spoil_once() -> None:
    endless, once = faults.endless_more(good_card(), 1), faults.status_word(good_card(), 1, 0x6F00)
    assert {endless.exchange(GET_RESPONSE)[-2:] for _ in range(100)} == {b"\x61\x00"}
    assert [once.exchange(SELECT)[-2:].hex() for _ in range(2)] == ["6f00", "9000"]


def test_garbage_is_the_same_for_a_seed_and_differs_between_seeds() -> None:
    first, again, other = (
        faults.garbage(good_card(), 1, seed).exchange(SELECT) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_a_good_card_signs_for_its_certificate_and_a_copied_one_does_not() -> None:
    original = good_card()
    copy = faults.copied(original, p256())
    assert signs_for_its_certificate(original, original, bytes(32))
    assert not signs_for_its_certificate(copy, original, bytes(32))
    assert copy.keys[0x9E].certificate == original.keys[0x9E].certificate


def test_a_replayed_signature_fits_the_first_challenge_only() -> None:
    original = good_card()
    card = faults.Replayed(original)
    assert signs_for_its_certificate(card, original, bytes(32))
    assert not signs_for_its_certificate(card, original, bytes(range(32)))


def test_a_swapped_card_shows_one_certificate_and_signs_with_another_key() -> None:
    first, second = good_card(), good_card()
    card = faults.SwappedCard(first, second, at=4)
    card.power_on()
    assert card.exchange(SELECT)[-2:] == OK
    shown = card.exchange(READ_CERTIFICATE)[:-2] + card.exchange(GET_RESPONSE)[:-2]
    first.exchange(SELECT)
    assert shown == collect(first, READ_CERTIFICATE)
    swapped = faults.SwappedCard(first, second, at=2)
    assert not signs_for_its_certificate(swapped, first, bytes(32))
    assert signs_for_its_certificate(swapped, second, bytes(32))


def test_a_wrapper_counts_for_itself_what_reaches_the_reader() -> None:
    inner = good_card()
    card = faults.MuteCard(inner, at=3)
    card.enter_field()
    card.power_on()
    card.exchange(SELECT)
    card.exchange(bytes.fromhex("0020008008313233343536FFFF"))
    assert (card.taps, card.apdus, card.verifies, inner.apdus) == (1, 2, 1, 0)


def test_a_real_cards_time_for_the_four_commands_of_a_tap_is_near_the_measured_model() -> None:
    timing = faults.Timing(bitrate=106, crypto_ms=60)
    card = good_card()
    total = 0.0
    bytes_moved = 0
    for command in (SELECT, READ_CERTIFICATE, GET_RESPONSE, challenge_p256(bytes(32))):
        answer = card.exchange(command)
        bytes_moved += len(command) + len(answer)
        total += timing.command_ms(command, answer)
    # 602 bytes of a tap take 83 ms without the signature; ours moves a few more or fewer.
    assert total - 60 == pytest.approx(83 * bytes_moved / 602, rel=0.1)


@pytest.mark.parametrize(
    ("command", "answer", "blocks"), [(5, 2, 2), (5, 253, 2), (5, 254, 4), (253, 507, 6)]
)
def test_the_time_is_that_of_bits_blocks_pauses_and_host(
    command: int, answer: int, blocks: int
) -> None:
    timing = faults.Timing(bitrate=100, turn_around_ms=0.5, host_ms=2)
    bits = 11 * (command + answer) + blocks * (3 * 11 + 24)
    expected = bits / 100 + blocks * 0.5 + 2
    assert timing.command_ms(bytes(command), bytes(answer)) == pytest.approx(expected)


def test_faster_bits_make_a_faster_card() -> None:
    times = [faults.Timing(bitrate=rate).command_ms(SELECT, bytes(258)) for rate in (106, 212, 848)]
    assert times == sorted(times, reverse=True)


def test_only_the_last_piece_of_a_chain_costs_the_signatures_time() -> None:
    timing = faults.Timing(crypto_ms=60)
    first, last = bytes.fromhex("1087079E01AA"), bytes.fromhex("0087079E01AA")
    assert timing.command_ms(last, OK) - timing.command_ms(first, OK) == pytest.approx(60)


def test_a_slow_card_takes_at_least_its_time() -> None:
    card = faults.Slow(good_card(), faults.Timing(crypto_ms=30))
    card.exchange(SELECT)
    begun = time.monotonic()
    card.exchange(challenge_p256(bytes(32)))
    assert time.monotonic() - begun >= 0.03
