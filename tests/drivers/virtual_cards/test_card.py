"""What all virtual cards share: answers to reset, presences, counters."""

import pytest

from drivers.virtual_cards import others
from drivers.virtual_cards.card import is_forbidden
from drivers.virtual_cards.piv import ATR
from tests.drivers.virtual_cards.card_office import SELECT, good_card


@pytest.mark.parametrize(
    ("made", "listed"),
    [
        (ATR, "3B 88 80 01 00 00 41 E0 B3 81 A1 00 3B"),
        (others.INDIVIDUAL_NUMBER_ATR, "3B 88 80 01 00 00 05 E0 B3 81 A1 00 7F"),
        (others.TYPE_B_ATR, "3B 88 80 01 00 00 00 00 91 81 C1 00 D8"),
        (others.FELICA_ATR, "3B 8F 80 01 80 4F 0C A0 00 00 03 06 11 00 3B 00 00 00 00 42"),
        (others.TYPE_A_ATR, "3B 8F 80 01 80 4F 0C A0 00 00 03 06 03 00 01 00 00 00 00 6A"),
    ],
)
def test_answers_to_reset_are_those_that_readers_really_show(made: bytes, listed: str) -> None:
    assert made == bytes.fromhex(listed)


def test_a_presence_counts_as_a_tap_with_its_first_power_on_only() -> None:
    card = good_card()
    for _ in range(2):
        card.enter_field()
        card.power_on()
        card.power_off()
        card.power_on()
        card.leave_field()
    card.enter_field()
    card.leave_field()
    assert card.taps == 2


def test_leaving_the_field_takes_the_power() -> None:
    card = good_card()
    card.enter_field()
    card.power_on()
    card.exchange(SELECT)
    card.leave_field()
    assert card.exchange(bytes.fromhex("00200080")).hex() == "6d00"


@pytest.mark.parametrize(
    ("name", "forbidden"),
    [
        ("D3921000310001010402", True),
        ("D392F000260100000001", True),
        ("D392", True),
        ("A00000030800001000", False),
        ("D3930000", False),
        ("", False),
    ],
)
def test_national_applications_are_known_by_their_provider(name: str, forbidden: bool) -> None:
    assert is_forbidden(bytes.fromhex(name)) is forbidden


@pytest.mark.parametrize("cut", ["00A404", "00A40400", "00A40400050102"])
def test_a_cut_off_selection_is_counted_as_a_command_and_harms_nothing(cut: str) -> None:
    card = good_card()
    card.exchange(bytes.fromhex(cut))
    assert (card.apdus, card.forbidden_selects) == (1, 0)
