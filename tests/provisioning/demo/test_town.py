"""The demo's town is made by the real authority and read as a terminal will read it."""

from pathlib import Path

import pytest

from provisioning import publication
from provisioning.demo.samples import SAMPLES, holder_id, people
from provisioning.demo.town import PORTAL, TERMINAL, DemoTown
from terminal.core.rules import Language, Rules
from terminal.wire import documents as wire


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town")


@pytest.fixture
def town(folder: Path) -> DemoTown:
    return DemoTown(folder, Language.JA, rush=False)


def in_force(town: DemoTown) -> Rules:
    documents = publication.current_documents(town.town)
    assert documents is not None
    return wire.rules_of(documents, TERMINAL)


def who_may_enter(rules: Rules) -> set[str]:
    return {permit.holder for permit in rules.permits if permit.portal == PORTAL and permit.holder}


def test_the_page_shows_beforehand_what_a_signature_would_change(town: DemoTown) -> None:
    town.sign()
    before = town.proposal()
    assert before.loses == (holder_id("suzuki"),)
    assert before.gains == ()
    assert before.others == sum(sample.holder for sample in SAMPLES) - 1
    town.permitted = False
    assert town.sign() == before.number
    assert holder_id("suzuki") not in who_may_enter(in_force(town))
    assert town.proposal().gains == (holder_id("suzuki"),)
    town.permitted = True
    town.sign()
    assert holder_id("suzuki") in who_may_enter(in_force(town))


def test_looking_at_a_change_does_not_make_it(town: DemoTown) -> None:
    town.sign()
    town.proposal()
    town.sign()
    assert holder_id("suzuki") in who_may_enter(in_force(town))


def test_names_are_in_the_roster_only_and_in_the_terminals_language(town: DemoTown) -> None:
    for language, name in ((Language.JA, "鈴木"), (Language.EN, "Suzuki")):
        town.language = language
        town.sign()
        rules = in_force(town)
        holders = {entry.holder.id: entry.holder for entry in rules.roster.entries.values()}
        assert holders[holder_id("suzuki")].name == name
        assert rules.settings.language is language
        documents = publication.current_documents(town.town) or {}
        others = b"".join(data for path, data in documents.items() if path != wire.ROSTER)
        assert name.encode() not in others


def test_every_sample_card_lies_in_the_tray_in_the_order_of_the_keys(town: DemoTown) -> None:
    assert list(town.cards()) == [sample.key for sample in SAMPLES]
    assert all(card.taps == card.apdus == 0 for card in town.cards().values())


def test_a_kept_town_is_opened_again_with_the_same_cards(folder: Path) -> None:
    first = DemoTown(folder, Language.JA, rush=False)
    again = DemoTown(folder, Language.JA, rush=False)
    number = first.sign()
    assert again.sign() == number + 1
    assert in_force(first).roster == in_force(again).roster


def test_the_sixty_of_the_queue_have_cards_of_their_own(tmp_path: Path) -> None:
    town = DemoTown(tmp_path, Language.JA, rush=True)
    town.sign()
    ids = {entry.holder.id for entry in in_force(town).roster.entries.values()}
    assert {holder_id(person.key) for person in people()} < ids
    assert town.staff_card(people()[0]).taps == 0


def test_the_terminals_settings_name_broker_reader_and_panel(town: DemoTown) -> None:
    text = town.write_settings(4711, 7, 8).read_text(encoding="utf-8")
    assert "port = 4711" in text
    assert f'slot = "socket:{town.places.reader}"' in text
    assert "out_fd = 7" in text
    assert "in_fd = 8" in text
    assert 'slot = "pcsc"' in town.write_settings(1, 2, 3, slot="pcsc").read_text(encoding="utf-8")
