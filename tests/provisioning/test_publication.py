"""What is published is what terminals can read, numbered upward, and looked at before."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from provisioning import documents, publication, signing_roles
from provisioning.publication import GuardRefused
from provisioning.town import TownError
from terminal.wire.documents import ACCESS, DOCUMENTS, ROSTER, TERMINALS, publication_of
from tests.town_hall import TERMINAL, TownHall

ROSTER_TOML = """\
[[holders]]
id = "k7p2"
name = "佐藤 花子"
groups = []
not_before = 2027-04-01T08:30:00
not_after = 2027-03-31
cards = []
"""


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    return TownHall(tmp_path / "town")


def test_all_documents_of_a_publication_carry_its_number(hall: TownHall) -> None:
    hall.sign()
    found = publication.current_documents(hall.town)
    assert found is not None
    assert set(found) == set(DOCUMENTS)
    assert publication_of(found)[0] == 1


def test_the_number_only_rises_also_over_a_signing_that_was_cut(hall: TownHall) -> None:
    assert [hall.sign(), hall.sign()] == [1, 2]
    made, _ = publication.prepare(hall.town)
    (hall.town.repository / "metadata/timestamp.json").rename(hall.town.folder / "kept")
    (hall.town.repository / "metadata/2.snapshot.json").unlink()
    assert made.number == publication.next_number(hall.town) == 3


def test_a_number_that_was_taken_meanwhile_is_not_used_twice(hall: TownHall) -> None:
    made, seen = publication.prepare(hall.town)
    hall.sign()
    with pytest.raises(TownError, match="taken meanwhile"):
        publication.sign(hall.town, made, seen)


def test_two_drafts_of_the_same_files_differ_by_their_salt(hall: TownHall) -> None:
    now = datetime.now(UTC)
    first, second = (documents.draft(hall.town, 1, now).documents[ROSTER] for _ in range(2))
    assert first != second


def test_one_targets_key_alone_cannot_sign(hall: TownHall) -> None:
    for number in (2, 3):
        (hall.town.roles / f"targets-{number}.key").unlink()
    with pytest.raises(TownError, match="needs 2 keys to sign, 1 found"):
        hall.sign()


def test_two_of_three_targets_keys_are_enough(hall: TownHall) -> None:
    (hall.town.roles / "targets-1.key").unlink()
    assert hall.sign() == 1


def test_keys_that_the_root_does_not_name_are_told_before_publishing(hall: TownHall) -> None:
    for path in hall.town.roles.glob("targets-*.key"):
        path.write_bytes((hall.town.roles / "snapshot-1.key").read_bytes())
    with pytest.raises(TownError, match="the ones of the root"):
        hall.sign()


def test_a_renewed_timestamp_lasts_seven_days_and_names_the_same(hall: TownHall) -> None:
    hall.sign(datetime.now(UTC) - timedelta(days=6))
    before = publication.current(hall.town)
    publication.renew_timestamp(hall.town)
    after = publication.current(hall.town)
    changed = [path for path in after.files if after.files[path] != before.files.get(path)]
    assert changed == ["metadata/timestamp.json"]


def test_nothing_can_be_renewed_before_something_is_published(hall: TownHall) -> None:
    with pytest.raises(TownError, match="nothing has been published"):
        publication.renew_timestamp(hall.town)


def test_a_document_that_was_edited_after_signing_is_not_sent(hall: TownHall) -> None:
    hall.sign()
    path = next((hall.town.repository / "targets").glob("*access.json"))
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(TownError, match="not what was signed"):
        publication.current(hall.town)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("access", {"portals": [], "schedules": [], "permits": []}, "portal"),
        ("texts", {"ja": {}, "en": {}, "fr": {}}, r"texts\.json"),
        ("terminals", {"terminals": {}}, "names no terminal"),
        ("roster", {"holders": [], "number": 9}, "remove 'number'"),
    ],
)
def test_what_a_terminal_would_refuse_is_never_signed(
    hall: TownHall, name: str, content: dict[str, object], told: str
) -> None:
    (hall.town.documents / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(TownError, match=told):
        publication.prepare(hall.town)


def test_broken_card_profiles_are_never_signed(hall: TownHall) -> None:
    (hall.town.documents / "profiles.toml").write_text('[piv-town]\nkind = "magic"\n')
    with pytest.raises(TownError, match="kind"):
        publication.prepare(hall.town)


def test_a_terminal_without_identity_is_told_with_the_command(hall: TownHall) -> None:
    terminals = hall.read("terminals")
    terminals["terminals"]["ent-9"] = terminals["terminals"][TERMINAL]
    hall.write("terminals", terminals)
    with pytest.raises(TownError, match=r"\./kazasu town terminal .* ent-9"):
        publication.prepare(hall.town)


def test_dates_in_toml_count_in_the_towns_time_and_to_the_days_end(hall: TownHall) -> None:
    (hall.town.documents / "roster.json").unlink()
    (hall.town.documents / "roster.toml").write_text(ROSTER_TOML, encoding="utf-8")
    holder = hall.read("roster")["holders"][0]
    begin = datetime(2027, 3, 31, 23, 30, tzinfo=UTC)
    end = datetime(2027, 3, 31, 15, 0, tzinfo=UTC)
    assert holder["not_before_ms"] == begin.timestamp() * 1000
    assert holder["not_after_ms"] == end.timestamp() * 1000
    assert date(2027, 3, 31) not in holder.values()


def test_a_document_must_be_there_once(hall: TownHall) -> None:
    (hall.town.documents / "texts.toml").write_text("[ja]\n[en]\n")
    with pytest.raises(TownError, match="keep one"):
        publication.prepare(hall.town)
    (hall.town.documents / "texts.toml").unlink()
    (hall.town.documents / "texts.json").unlink()
    with pytest.raises(TownError, match="is missing"):
        publication.prepare(hall.town)


def test_the_preview_says_who_gains_and_who_loses(hall: TownHall) -> None:
    hall.sign()
    hall.permit("h-suzuki")
    hall.say_ready("どうぞ")
    _, seen = publication.prepare(hall.town)
    assert {change.holder: (change.gains, change.loses) for change in seen.changes} == {
        "h-sato": ((), (("front", "always"),)),
        "h-suzuki": ((("front", "always"),), ()),
    }
    assert seen.texts == ("ja.ready",)
    assert "  佐藤 一 (h-sato) loses front (always)" in seen.lines()
    assert json.loads(json.dumps(seen.as_json()))["number"] == 2


def test_a_stopped_card_loses_what_its_holder_could_open(hall: TownHall) -> None:
    hall.sign()
    roster = hall.read("roster")
    roster["holders"][0]["cards"][0]["state"] = "stopped"
    hall.write("roster", roster)
    _, seen = publication.prepare(hall.town)
    assert [(change.holder, change.loses) for change in seen.changes] == [
        ("h-sato", (("front", "always"),))
    ]


def test_a_permit_that_moves_to_a_group_changes_nothing(hall: TownHall) -> None:
    hall.sign()
    roster = hall.read("roster")
    roster["holders"][0]["groups"] = ["soumu"]
    hall.write("roster", roster)
    access = hall.read("access")
    access["permits"] = [{"portal": "front", "schedule": "always", "group": "soumu"}]
    hall.write("access", access)
    _, seen = publication.prepare(hall.town)
    assert seen.changes == ()
    assert seen.lines() == ["publication 2", "  nothing changes but its number and date"]


def nobody(hall: TownHall) -> None:
    hall.write("roster", {"holders": []})


def no_permit(hall: TownHall) -> None:
    hall.permit()


def everybody_everywhere(hall: TownHall) -> None:
    hall.permit("h-sato", "h-suzuki", "h-tanaka")


@pytest.mark.parametrize("disaster", [nobody, no_permit, everybody_everywhere])
def test_a_likely_mistake_needs_a_second_yes(hall: TownHall, disaster: object) -> None:
    assert callable(disaster)
    disaster(hall)
    with pytest.raises(GuardRefused):
        hall.sign()
    assert hall.sign(confirmed=True) == 1


def test_most_people_leaving_at_once_needs_a_second_yes_and_a_few_do_not(hall: TownHall) -> None:
    roster = hall.read("roster")
    one = roster["holders"][0]
    crowd = [
        {**one, "id": f"h-{number}", "cards": [{**one["cards"][0], "id": f"{number:032x}"}]}
        for number in range(10)
    ]
    hall.write("roster", {"holders": [*crowd, *roster["holders"]]})
    hall.sign()
    hall.write("roster", {"holders": [*crowd[4:], *roster["holders"]]})
    hall.sign()
    hall.write("roster", {"holders": roster["holders"]})
    with pytest.raises(GuardRefused, match="6 of 9 people"):
        hall.sign()


def test_revoked_serials_come_from_the_trust_file(hall: TownHall) -> None:
    serial = f"{hall.cards['sato'].certificate.serial_number:x}"
    hall.write("trust", {"revoked": [{"profile": "piv-town", "serial": serial}]})
    made, _ = publication.prepare(hall.town)
    revocation = json.loads(made.documents["trust.json"])["revocation"]
    assert revocation["number"] == 1
    assert revocation["serials"] == [{"profile": "piv-town", "serial": serial}]
    hall.write("trust", {"card_cas": []})
    with pytest.raises(TownError, match="unknown key 'card_cas'"):
        publication.prepare(hall.town)


def test_only_the_documents_with_persons_name_them(hall: TownHall) -> None:
    made, _ = publication.prepare(hall.town)
    named = [name for name, data in made.documents.items() if "佐藤".encode() in data]
    assert named == [ROSTER]
    assert {ACCESS, TERMINALS} <= set(made.documents)


def test_the_roster_in_the_repository_is_its_owners_alone(hall: TownHall) -> None:
    hall.sign()
    path = next((hall.town.repository / "targets").glob("*roster.json"))
    assert path.stat().st_mode & 0o077 == 0


def test_the_roots_end_is_told_ninety_days_ahead(hall: TownHall) -> None:
    now = datetime.now(UTC)
    assert signing_roles.root_warning(hall.town, now + timedelta(days=730 - 91)) == ""
    assert "89 days" in signing_roles.root_warning(hall.town, now + timedelta(days=730 - 90))
    assert "0 days" in signing_roles.root_warning(hall.town, now + timedelta(days=800))
