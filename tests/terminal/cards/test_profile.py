"""Card profiles as a town writes them, and the commands that follow from them."""

from collections.abc import Callable

import pytest

from drivers.virtual_cards.card import VirtualCard
from terminal.cards.profile import Kind, ProfileRefused, allow_list, parse_profiles
from terminal.core.credential import Assurance
from terminal.wire.x509 import KeyAlgorithm
from tests.terminal.cards import card_table
from tests.terminal.cards.card_table import PROFILE_TEXT, fits, profiles

SECOND = PROFILE_TEXT.replace("piv-town", "piv-pilot").replace("order = 1", "order = 0")


def test_a_profile_says_how_a_card_is_read() -> None:
    (profile,) = profiles()
    assert profile.name == "piv-town"
    assert profile.kind is Kind.PIV_CAK
    assert profile.aid == bytes.fromhex("A000000308000010000100")
    assert profile.algorithms == {KeyAlgorithm.P256, KeyAlgorithm.RSA2048}
    assert profile.assurance is Assurance.AUTHENTICATED
    assert (profile.budget_ms, profile.order) == (3000, 1)


def test_profiles_come_in_the_order_in_which_they_are_tried() -> None:
    assert [each.name for each in profiles(PROFILE_TEXT + SECOND)] == ["piv-pilot", "piv-town"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "piv-cak"', 'kind = "magic"', r'line 3, \[piv-town\] kind.*"piv-cak"'),
        ('kind = "piv-cak"', "kind = 1", "kind"),
        ("budget_ms = 3000", "budget_ms = 3", r"line 7, .*budget_ms.*100 to 10000"),
        ("budget_ms = 3000", "budget_ms = 3000.5", "budget_ms.*whole number"),
        ("budget_ms = 3000", "budget_ms = true", "budget_ms.*whole number"),
        ("budget_ms = 3000", 'budget_ms = "3s"', "budget_ms.*whole number"),
        ("budget_ms = 3000", "timeout = 3", r"line 7, .*timeout.*budget_ms"),
        ("budget_ms = 3000", "", "lacks the key budget_ms"),
        ("order = 1", "order = true", "order.*whole number"),
        ("order = 1", "order = -1", "order.*0 to 999"),
        ("A000000308000010000100", "A000", "aid.*5 to 16"),
        ("A000000308000010000100", "A00000030800001000010", "aid.*hex"),
        ("A000000308000010000100", "D3921000310001010402", "aid.*national"),
        ("A000000308000010000100", "D392F000260100000001", "aid.*national"),
        ("A000000308000010000100", "D392100031", "aid.*national"),
        ('"p256", "rsa2048"', '"p256", "rsa1024"', "algorithms.*p256, p384, rsa2048"),
        ('"p256", "rsa2048"', "", "algorithms"),
        ('["p256", "rsa2048"]', '"p256"', "algorithms"),
        ('"p256", "rsa2048"', "[1]", "algorithms"),
        ('"authenticated"', '"two-factor"', 'assurance.*"identified" or "authenticated"'),
        ("[piv-town]", "[Town]", r"\[Town\].*a-z"),
        ("[piv-town]", "[piv-town", "no valid TOML.*line 2"),
    ],
)
def test_a_profile_with_a_mistake_is_refused_with_place_and_remedy(
    old: str, new: str, said: str
) -> None:
    with pytest.raises(ProfileRefused, match=said):
        profiles(PROFILE_TEXT.replace(old, new))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "piv-town = 1",
        PROFILE_TEXT + SECOND.replace("order = 0", "order = 1"),
        "".join(
            PROFILE_TEXT.replace("piv-town", f"p{n}").replace("order = 1", f"order = {n}")
            for n in range(9)
        ),
        "#" * 70_000,
        "x = " + "[" * 20_000,
    ],
)
def test_what_is_no_set_of_profiles_is_refused(text: str) -> None:
    with pytest.raises(ProfileRefused):
        profiles(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ProfileRefused):
        parse_profiles(b"\xff\xfe")


@pytest.mark.parametrize("make", [card_table.card, card_table.rsa_card])
def test_the_allow_list_holds_every_command_of_a_conversation(
    make: Callable[[], VirtualCard],
) -> None:
    card = make()
    card_table.read(card)
    patterns = allow_list(profiles())
    assert card.apdus >= 4
    assert all(fits(patterns, apdu) for apdu in card.trace)


RSA_HEAD = "1087079EFF7C82010682008182010000"

NOT_ALLOWED = {
    "a PIN": "0020008008313233343536FFFF",
    "the retry counter": "00200080",
    "another application": "00A404000AD392F00026010000000100",
    "another object": "00CB3FFF055C035FC10200",
    "the key for signing documents": "0087119C267C2482008120" + "00" * 33,
    "an RSA block without padding": RSA_HEAD + "42" * 245,
    "a longer command": "00CB3FFF055C035FC1010000",
    "a shorter command": "00CB3FFF055C035FC101",
    "a reader's own command": "FFCA000000",
}


@pytest.mark.parametrize("case", NOT_ALLOWED)
def test_the_allow_list_holds_nothing_else(case: str) -> None:
    assert not fits(allow_list(profiles()), bytes.fromhex(NOT_ALLOWED[case]))


def test_two_profiles_of_one_application_share_their_patterns() -> None:
    assert len(allow_list(profiles(PROFILE_TEXT + SECOND))) == len(allow_list(profiles()))


def test_only_the_algorithms_of_a_profile_are_on_its_list() -> None:
    only = profiles(PROFILE_TEXT.replace('["p256", "rsa2048"]', '["p384"]'))
    heads = [each.head[:8] for each in allow_list(only)]
    assert heads == ["00A40400", "00CB3FFF", "00C00000", "0087149E"]
