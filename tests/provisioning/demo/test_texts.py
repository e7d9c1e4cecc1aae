"""The page's words: both languages say the same things, and nothing is left unsaid."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from provisioning.demo.faces import FACES
from provisioning.demo.samples import RUSH_PEOPLE, SAMPLES, holder_id, name_of, people
from provisioning.demo.texts import other, words
from terminal.core.reasons import Note, Reason
from terminal.core.rules import Language


def leaves(tree: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        where = f"{place}.{key}"
        if isinstance(value, Mapping):
            yield from leaves(value, where)
        else:
            yield where, value


def test_both_languages_have_the_same_keys() -> None:
    japanese = dict(leaves(words(Language.JA)))
    english = dict(leaves(words(Language.EN)))
    assert japanese.keys() == english.keys()
    for key, text in japanese.items():
        if isinstance(text, list):
            assert len(text) == len(english[key]), key  # type: ignore[arg-type] # both are lists
        else:
            places = re.compile(r"\{\w+\}")
            assert sorted(places.findall(str(text))) == sorted(places.findall(str(english[key])))


@pytest.mark.parametrize("language", Language)
def test_every_outcome_and_every_note_has_its_words(language: Language) -> None:
    outcomes = words(language)["outcomes"]
    assert outcomes.keys() == {one.value for one in (*Reason, *Note)}


@pytest.mark.parametrize("language", Language)
def test_every_sample_card_has_a_face_and_words(language: Language) -> None:
    keys = [sample.key for sample in SAMPLES]
    assert list(FACES) == keys
    assert set(words(language)["cards"]) == set(keys)


def test_there_are_sixty_different_people_in_the_queue() -> None:
    assert len(people()) == RUSH_PEOPLE
    names = {name for person in people() for name in (person.surname, person.latin)}
    samples = {words(language)["cards"]["suzuki"]["name"] for language in Language}
    assert len(names) == 2 * RUSH_PEOPLE
    assert not names & samples


def test_a_holders_id_says_nothing_and_the_page_knows_the_name_behind_it() -> None:
    japanese, english = words(Language.JA), words(Language.EN)
    suzuki = holder_id("suzuki")
    assert "suzuki" not in suzuki
    assert name_of(suzuki, japanese) == japanese["cards"]["suzuki"]["name"]
    assert name_of(suzuki, english) == "Suzuki"
    assert name_of(holder_id(people()[0].key), english) == people()[0].latin
    assert name_of("stranger", japanese) == ""


def test_the_button_changes_to_the_other_language_and_back() -> None:
    assert other(Language.JA) is Language.EN
    assert other(Language.EN) is Language.JA
