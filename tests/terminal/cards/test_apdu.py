"""Short APDUs, long answers and data objects, against cards that do not keep to the rules."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.cards.apdu import (
    LONGEST_ANSWER,
    Answer,
    Chained,
    Command,
    Continued,
    Garbled,
    ShortForm,
    StatusWord,
    data_object,
    data_objects,
    over,
    select,
    tlv,
)
from tests.terminal.cards.card_table import Scripted

OK = b"\x90\x00"


def test_the_four_cases_of_a_short_apdu() -> None:
    card = Scripted([OK])
    short = ShortForm(card)
    short.send(Command(0x00, 0xA4, 0x04, 0x00))
    short.send(Command(0x00, 0xC0, 0x00, 0x00, le=16))
    short.send(Command(0x10, 0x87, 0x07, 0x9E, b"\x01\x02"))
    short.send(Command(0x00, 0xCB, 0x3F, 0xFF, b"\x5c", le=256))
    assert [each.hex().upper() for each in card.sent] == [
        "00A40400",
        "00C0000010",
        "1087079E020102",
        "00CB3FFF015C00",
    ]


def test_data_that_does_not_fit_a_short_apdu_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="chain"):
        ShortForm(Scripted([OK])).send(Command(0, 0, 0, 0, bytes(256)))


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_an_answer_without_status_word_is_garbled(answer: bytes) -> None:
    with pytest.raises(Garbled):
        ShortForm(Scripted([answer])).send(Command(0, 0, 0, 0))


def test_an_answer_beyond_8_kib_is_garbled() -> None:
    with pytest.raises(Garbled):
        ShortForm(Scripted([bytes(65533) + OK])).send(Command(0, 0, 0, 0, le=256))


def continued(answers: list[bytes], le: int | None = 256) -> tuple[Answer, list[str]]:
    card = Scripted(answers)
    answer = Continued(ShortForm(card)).send(Command(0, 0xCB, 0x3F, 0xFF, b"\x5c", le))
    return answer, [each.hex().upper() for each in card.sent]


def test_a_long_answer_is_fetched_piece_by_piece() -> None:
    answer, sent = continued([b"ab\x61\x00", b"cd\x61\x02", b"ef\x90\x00"])
    assert answer == Answer(b"abcdef", StatusWord.SUCCESS)
    assert sent[1:] == ["00C0000000", "00C0000002"]


def test_a_card_that_wants_another_length_gets_the_command_again() -> None:
    answer, sent = continued([b"\x6c\x04", b"abcd\x90\x00"])
    assert answer == Answer(b"abcd", StatusWord.SUCCESS)
    assert sent == ["00CB3FFF015C00", "00CB3FFF015C04"]


def test_a_wrong_length_while_fetching_is_mended_too() -> None:
    answer, sent = continued([b"a\x61\x05", b"\x6c\x03", b"bcd\x90\x00"])
    assert answer == Answer(b"abcd", StatusWord.SUCCESS)
    assert sent[1:] == ["00C0000005", "00C0000003"]


@pytest.mark.parametrize("endless", [b"x\x61\x00", b"\x61\x05", b"\x6c\x10", b"\x6c\x00"])
def test_a_card_that_never_ends_is_left_after_eight_follow_ups(endless: bytes) -> None:
    card = Scripted([endless])
    with pytest.raises(Garbled):
        Continued(ShortForm(card)).send(Command(0, 0xCB, 0x3F, 0xFF, b"\x5c", 256))
    assert len(card.sent) == 1 + 8


def test_eight_follow_ups_are_enough_for_the_longest_certificate() -> None:
    pieces = [bytes(256) + b"\x61\x00"] * 8 + [bytes(112) + OK]
    answer, _ = continued(pieces)
    assert len(answer.data) == 2160


def test_pieces_that_add_up_to_more_than_8_kib_are_garbled() -> None:
    with pytest.raises(Garbled):
        continued([bytes(LONGEST_ANSWER) + b"\x61\x01", b"x" + OK])


@pytest.mark.parametrize("word", [b"\x61\x05", b"\x6c\x05"])
def test_a_command_without_answer_data_is_never_followed_up(word: bytes) -> None:
    answer, sent = continued([word, OK], le=None)
    assert answer.status == int.from_bytes(word, "big")
    assert len(sent) == 1


def test_long_data_goes_in_chained_pieces_of_255_bytes() -> None:
    card = Scripted([OK])
    Chained(ShortForm(card)).send(Command(0x00, 0x87, 0x07, 0x9E, bytes(range(256)) * 2, 256))
    heads = [each[:5].hex().upper() for each in card.sent]
    assert heads == ["1087079EFF", "1087079EFF", "0087079E02"]
    assert b"".join(each[5 : 5 + each[4]] for each in card.sent) == bytes(range(256)) * 2
    assert [len(each) for each in card.sent] == [260, 260, 8]


def test_a_chain_ends_where_the_card_refuses_a_piece() -> None:
    card = Scripted([OK, b"\x68\x84", OK])
    answer = over(card).send(Command(0x00, 0x87, 0x07, 0x9E, bytes(600), 256))
    assert answer.status == 0x6884
    assert len(card.sent) == 2


def test_select_names_the_application() -> None:
    card = Scripted([OK])
    assert select(over(card), bytes.fromhex("A000000308")).successful
    assert card.sent == [bytes.fromhex("00A4040005A00000030800")]


def test_data_objects_are_read_with_filler_between_them() -> None:
    data = b"\x00\x5c\x02ab\x00\x00\x5f\x50\x01c\x7c\x81\x80" + bytes(128) + b"\x00"
    assert data_objects(data) == {0x5C: b"ab", 0x5F50: b"c", 0x7C: bytes(128)}


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 5000])
def test_what_is_made_can_be_read(size: int) -> None:
    assert data_object(tlv(0x53, bytes(size)), 0x53) == bytes(size)


@pytest.mark.parametrize(
    "data",
    [
        "53",
        "5302AA",
        "5380AA0000",
        "5383000001AA",
        "5381",
        "538201",
        "53020000FF",
        "5F",
        "5FFF0101AA",
        "5F810100",
        "5301AA5301BB",
        "5301AA90",
    ],
)
def test_data_objects_that_break_the_rules_are_garbled(data: str) -> None:
    with pytest.raises(Garbled):
        data_objects(bytes.fromhex(data))


def test_a_missing_object_is_garbled() -> None:
    with pytest.raises(Garbled, match="7C"):
        data_object(bytes.fromhex("5301AA"), 0x7C)


def test_more_objects_than_any_card_has_are_garbled() -> None:
    many = b"".join(bytes([0x5F, tag, 0]) for tag in range(1, 127))
    with pytest.raises(Garbled):
        data_objects(many)


HOSTILE = {
    "nested as deep as it goes": b"\x7c\x80" * 4096,
    "tags without end": b"\x5f\xff" * 4096,
    "only filler": bytes(LONGEST_ANSWER),
    "one tag again and again": b"\x53\x00" * 4096,
    "lengths beyond the end": b"\x53\x82\xff\xff" * 2048,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_data_costs_less_than_10_ms(case: str) -> None:
    begun = time.perf_counter()
    with contextlib.suppress(Garbled):
        data_objects(HOSTILE[case])
    assert time.perf_counter() - begun < 0.01


@given(st.binary(max_size=600))
def test_any_bytes_are_objects_or_garbled(data: bytes) -> None:
    try:
        found = data_objects(data)
    except Garbled:
        return
    assert sum(len(value) for value in found.values()) <= len(data)
