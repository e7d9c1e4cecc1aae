"""Cards that are not the town's."""

from collections.abc import Callable

import pytest

from drivers.virtual_cards import others
from drivers.virtual_cards.card import VirtualCard
from tests.drivers.virtual_cards.card_office import SELECT

NUMBER = bytes.fromhex("FFCA000000")


def test_a_felica_card_has_its_number_and_nothing_else() -> None:
    card = others.felica(bytes.fromhex("0123456789ABCDEF"))
    assert card.exchange(NUMBER).hex() == "0123456789abcdef9000"
    assert card.exchange(NUMBER) == card.exchange(NUMBER)
    assert card.exchange(bytes.fromhex("FFCA010000")).hex() == "6a81"
    assert card.exchange(SELECT).hex() == "6d00"


@pytest.mark.parametrize("size", [4, 7, 10])
def test_a_type_a_tag_has_a_number_of_its_own_length(size: int) -> None:
    assert others.type_a_tag(bytes(size)).exchange(NUMBER) == bytes(size) + b"\x90\x00"


@pytest.mark.parametrize("make", [others.felica, others.type_a_tag])
def test_a_number_of_another_length_is_refused(make: Callable[[bytes], VirtualCard]) -> None:
    with pytest.raises(ValueError, match="not 5"):
        make(bytes(5))


@pytest.mark.parametrize("make", [others.TypeBCard, others.individual_number_card])
def test_a_foreign_type_b_card_finds_no_application_and_changes_its_number(
    make: Callable[[], VirtualCard],
) -> None:
    card = make()
    card.power_on()
    before = card.exchange(NUMBER)
    assert card.exchange(SELECT).hex() == "6a82"
    assert card.exchange(bytes.fromhex("00B0000000")).hex() == "6d00"
    assert card.exchange(b"\x00").hex() == "6700"
    card.power_on()
    assert (len(before), card.exchange(NUMBER) != before) == (6, True)


def test_an_individual_number_card_counts_who_asks_for_the_national_applications() -> None:
    card = others.individual_number_card()
    card.exchange(SELECT)
    assert card.forbidden_selects == 0
    for name in ("D3921000310001010402", "D392F000260100000001"):
        command = bytes.fromhex(f"00A4040C0A{name}")
        assert card.exchange(command).hex() == "6a82"
    assert card.forbidden_selects == 2
