import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.wire import topics
from terminal.wire.topics import (
    LEDGER,
    OPERATIONS,
    PUBLISHER,
    TABLE,
    TERMINAL,
    Name,
    acl,
    place_of,
    row,
    site_id,
    terminal_id,
    topic,
    topic_filter,
)

NAMES = st.from_regex(r"[a-z0-9-]{1,32}", fullmatch=True)
FILES = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", fullmatch=True)


def test_every_name_has_one_row() -> None:
    assert sorted(one.name for one in TABLE) == sorted(Name)


def test_what_may_open_a_door_or_count_as_a_record_is_signed() -> None:
    for name in (Name.REC, Name.HEAD, Name.RECEIPT, Name.FILE, Name.SEALED):
        assert row(name).signed


def test_records_are_neither_retained_nor_for_everybody() -> None:
    assert not row(Name.REC).retained
    assert row(Name.REC).readers == (LEDGER,)


@given(NAMES.filter(lambda name: name not in topics.TOWN_HALL), NAMES, FILES, FILES)
def test_every_topic_is_found_again(terminal: str, site: str, folder: str, file: str) -> None:
    for one in TABLE:
        for path in (file, f"{folder}/{file}"):
            place = place_of(topic(one.name, site, terminal, path, 12))
            assert place is not None
            assert place.row == one
            assert place.site == site
            assert place.terminal == (terminal if "{terminal}" in one.pattern else "")
            if "{path}" in one.pattern:
                assert (place.path, place.chunk) == (path, 12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "kazasu/v1/minami/ent-1",
        "kazasu/v1/minami/ent-1/rec/",
        "/kazasu/v1/minami/ent-1/rec",
        "kazasu/v2/minami/ent-1/rec",
        "kazasu/v1/minami/ent-1/rec\n",
        "kazasu/v1/minami/+/rec",
        "kazasu/v1/Minami/ent-1/rec",
        "kazasu/v1/minami/ent_1/rec",
        "kazasu/v1/minami/" + "x" * 33 + "/rec",
        "kazasu/v1/minami/_publication/file/../0",
        "kazasu/v1/minami/_publication/file/..~..~etc~passwd/0",
        "kazasu/v1/minami/_publication/file/a~b~c/0",
        "kazasu/v1/minami/_publication/file/~a/0",
        "kazasu/v1/minami/_publication/file/a/-1",
        "kazasu/v1/minami/_publication/file/a/00",
        "kazasu/v1/minami/_publication/file/a/9999999",
        "kazasu/v1/minami/_publication/file/a/٣",
        "$SYS/broker/uptime",
    ],
)
def test_nothing_else_is_a_topic_of_ours(text: str) -> None:
    assert place_of(text) is None


@pytest.mark.parametrize("bad", ["", "A", "a b", "a/b", "+", "#", "町", "x" * 33, "a\n", "_a"])
def test_names_that_a_topic_cannot_carry_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="1 to 32 of a-z 0-9 -"):
        site_id(bad)
    with pytest.raises(ValueError, match="1 to 32 of a-z 0-9 -"):
        terminal_id(bad)
    with pytest.raises(ValueError, match="1 to 32 of a-z 0-9 -"):
        topic(Name.REC, bad, "ent-1")


@pytest.mark.parametrize("name", ["ledger", "publisher", "operations"])
def test_no_terminal_has_a_user_name_of_the_town_hall(name: str) -> None:
    with pytest.raises(ValueError, match="user of the town hall"):
        terminal_id(name)


@pytest.mark.parametrize(
    "path", ["", "..", "../a", "a/../b", "/a", "a/", "a/b/c", "a~b", ".a", "町"]
)
def test_paths_that_lead_elsewhere_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="one or two names"):
        topic(Name.FILE, "minami", path=path)


def test_a_subscription_covers_all_terminals_or_one() -> None:
    assert topic_filter(Name.REC, "minami") == "kazasu/v1/minami/+/rec"
    assert topic_filter(Name.REC, "minami", "ent-1") == "kazasu/v1/minami/ent-1/rec"
    assert topic_filter(Name.FILE, "minami") == "kazasu/v1/minami/_publication/file/+/+"


def lines_of(user: str) -> list[str]:
    text = acl("minami")
    if user == TERMINAL:
        return [line for line in text.splitlines() if line.startswith("pattern ")]
    part = text.split(f"user {user}\n", 1)[1].split("\n\n", 1)[0]
    return part.splitlines()


def test_the_access_list_lets_everybody_do_what_the_table_says_and_no_more() -> None:
    for user, keyword, own in (
        (LEDGER, "topic", "+"),
        (PUBLISHER, "topic", "+"),
        (OPERATIONS, "topic", "+"),
        (TERMINAL, "pattern", "%u"),
    ):
        wanted = set()
        for one in TABLE:
            place = one.pattern.format(site="minami", terminal=own, path="+", chunk="+")
            wanted |= {f"{keyword} write {place}"} if one.writer == user else set()
            wanted |= {f"{keyword} read {place}"} if user in one.readers else set()
        assert set(lines_of(user)) == wanted


def test_only_the_ledger_gives_receipts_and_only_the_publisher_publishes() -> None:
    writers = {
        line.split()[-1]: user
        for user in (*topics.TOWN_HALL, TERMINAL)
        for line in lines_of(user)
        if " write " in line
    }
    assert writers["kazasu/v1/minami/+/receipt"] == LEDGER
    assert {user for place, user in writers.items() if "_publication" in place} == {PUBLISHER}


def test_no_line_of_the_access_list_stands_before_the_first_user() -> None:
    """Such a line would hold for clients without a name."""
    before = acl("minami").split("user ", 1)[0]
    assert all(line.startswith("#") or not line for line in before.splitlines())
