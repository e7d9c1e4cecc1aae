"""A slip in the documents is told before it is published, where it is and how it is mended."""

from pathlib import Path

import pytest

from provisioning import documents, publication
from provisioning.town import TownError
from tests.town_hall import TownHall

PERSON = """
[[holders]]
id = "k7p2"
groups = ["soumu"]
{more}
[[holders.cards]]
profile = "{profile}"
id = "{card}"
state = "active"
"""


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    return TownHall(tmp_path / "town")


def write_roster(
    hall: TownHall, card: str = "0" * 32, profile: str = "piv-town", more: str = ""
) -> Path:
    """Have the roster as people write it, with one person."""
    (hall.town.documents / "roster.json").unlink(missing_ok=True)
    path = hall.town.documents / "roster.toml"
    path.write_text(PERSON.format(card=card, profile=profile, more=more), encoding="utf-8")
    return path


def told(hall: TownHall) -> str:
    with pytest.raises(TownError) as refused:
        publication.prepare(hall.town)
    return str(refused.value)


@pytest.mark.parametrize("card", ["0" * 31, "0" * 33, "G" + "0" * 31, "A" * 32, "..."])
def test_a_number_that_no_card_has_is_refused_with_its_holder(hall: TownHall, card: str) -> None:
    path = write_roster(hall, card)
    text = told(hall)
    assert text.startswith(f"{path} holder k7p2: card id {card!r}")
    assert "32 digits out of 0-9 and a-f" in text


def test_a_card_of_a_kind_that_is_not_read_is_refused(hall: TownHall) -> None:
    write_roster(hall, profile="piv-twon")
    assert "'piv-twon' is not in profiles.toml; there is: piv-town" in told(hall)


def test_a_permit_for_nobody_is_an_objection(hall: TownHall) -> None:
    access = hall.read("access")
    access["permits"] += [
        {"portal": "front", "schedule": "always", "holder": "h-nobody"},
        {"portal": "front", "schedule": "always", "group": "somu"},
    ]
    hall.write("access", access)
    _, seen = publication.prepare(hall.town)
    assert seen.objections == (
        "there is a permit for holder h-nobody, but nobody with a card has this id",
        "there is a permit for group somu, but nobody with a card is in it",
    )


def test_a_mistake_is_told_with_the_file_that_is_edited(hall: TownHall) -> None:
    write_roster(hall, more='sectoin = "x"')
    assert "roster.toml holders[0].sectoin" in told(hall)
    assert "roster.json" not in told(hall)


@pytest.mark.parametrize("first", [True, False])
def test_an_empty_list_that_was_left_is_told_with_its_line(hall: TownHall, *, first: bool) -> None:
    path = write_roster(hall)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"# ours\nholders = []\n{text}" if first else f"{text}holders = []\n")
    line = 2 if first else 1 + text.count("\n")
    assert f'remove line {line}, "holders = []"' in told(hall)


def test_a_byte_order_mark_does_no_harm(hall: TownHall) -> None:
    for path in hall.town.documents.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    made, _ = publication.prepare(hall.town)
    assert b"\xef\xbb\xbf" not in b"".join(made.documents.values())


@pytest.mark.parametrize("name", ["roster.toml", "profiles.toml"])
def test_a_file_in_shift_jis_is_told_how_to_save_it(hall: TownHall, name: str) -> None:
    write_roster(hall)
    path = hall.town.documents / name
    path.write_bytes("# 名簿\n".encode("shift_jis") + path.read_bytes())
    assert f"{path}: line 1 is not UTF-8; UTF-8 で保存し直してください" in told(hall)


def test_a_date_in_quotes_is_told_to_lose_them(hall: TownHall) -> None:
    write_roster(hall, more='not_after = "2027-03-31"')
    assert "write the date without quotes" in told(hall)


@pytest.mark.parametrize("name", ["roster", "profiles"])
def test_a_missing_file_is_told_with_the_remedy(hall: TownHall, name: str) -> None:
    for path in hall.town.documents.glob(f"{name}.*"):
        path.unlink()
    assert f"{name}.toml is missing" in told(hall)
    assert f"./kazasu town init {hall.town.folder} --site" in told(hall)
    documents.ensure_first(hall.town)
    publication.prepare(hall.town)


def test_without_a_terminal_the_lines_to_add_are_shown_and_they_do(hall: TownHall) -> None:
    (hall.town.documents / "terminals.json").unlink()
    path = hall.town.documents / "terminals.toml"
    path.write_text("[terminals]\n")
    text = told(hall)
    assert "terminals.toml: names no terminal" in text
    path.write_text(path.read_text() + text.partition("\n\n")[2])
    publication.prepare(hall.town)
