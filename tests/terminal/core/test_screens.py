"""The wording: complete in both languages, polite, fitting; and a town's own texts over it."""

from collections.abc import Mapping

import pytest

from terminal.core import screens
from terminal.core.rules import Language, Rules, TerminalSettings
from terminal.core.screens import BIG, COLUMNS, HEADLINE_COLUMNS, WORDING, columns, compose
from terminal.core.signals import Screen

EVERY_TEXT = [(language, key) for language in Language for key in WORDING[language]]
LONGEST = {
    "now": ("12/31水 23:59:59",),
    "time": ("23:59",),
    "name": ("勅使河原さん", "勅使河原"),
    "use": ("自動判定",),
    "link": ("通信○",),
    "hours": ("平日10:30-19:00",),
}
PUNCHES = {Language.JA: "出勤", Language.EN: "AWAY"}
CONTACTS = {"help": "総務課 内線203", "repair": "管財係 内線210", "night": "宿直室 内線100"}
BLAMING = (
    "不正",
    "エラー",
    "拒否",
    "違反",
    "紛失",
    "error",
    "denied",
    "refused",
    "invalid",
    "illegal",
)


def rules_with(
    texts: Mapping[str, tuple[str, ...]] | None = None,
    language: Language = Language.JA,
    contacts: Mapping[str, str] = CONTACTS,
) -> Rules:
    settings = TerminalSettings("hall-1", language=language, contacts=contacts)
    return Rules(7, None, settings, texts=texts or {})


def shown(
    key: str,
    language: Language = Language.JA,
    texts: Mapping[str, tuple[str, ...]] | None = None,
    **values: str,
) -> Screen:
    filled: dict[str, tuple[str, ...]] = {**LONGEST, "punch": (PUNCHES[language],)}
    filled |= {name: (value,) for name, value in values.items()}
    return compose(key, rules_with(texts, language), filled)


def texts_of(screen: Screen) -> list[str]:
    head = (screen.headline,) if screen.headline else ()
    return [line.text for line in (*head, *screen.lines)]


def test_both_languages_have_the_same_texts() -> None:
    assert WORDING[Language.JA].keys() == WORDING[Language.EN].keys()
    assert WORDING[Language.JA].keys() >= BIG


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_every_text_fits_its_form_with_long_values(language: Language, key: str) -> None:
    screen = shown(key, language)
    assert (screen.headline is not None) == (key in BIG)
    if screen.headline is not None:
        assert columns(screen.headline.text) <= HEADLINE_COLUMNS
    assert 1 <= len(screen.lines) <= (2 if key in BIG else 4)
    assert all(columns(line.text) <= COLUMNS for line in screen.lines)
    assert not any("{" in text or "}" in text for text in texts_of(screen))


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_no_default_line_is_cut(language: Language, key: str) -> None:
    cut_to_room = texts_of(shown(key, language))
    filled = {**LONGEST, **screens._contacts(rules_with()), "punch": (PUNCHES[language],)}
    for line, room in zip(WORDING[language][key], screens._rooms(key), strict=False):
        assert screens._fill(line, filled, room) in cut_to_room


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_no_text_blames(language: Language, key: str) -> None:
    text = " ".join(WORDING[language][key]).lower()
    assert not [word for word in BLAMING if word in text]


@pytest.mark.parametrize("language", list(Language))
def test_what_refuses_ends_with_whom_to_ask(language: Language) -> None:
    for key, text in WORDING[language].items():
        if text[0].startswith("×"):
            assert any(f"{{{role}}}" in text[-1] for role in ("help", "repair", "night")), key


def test_what_is_to_be_done_again_says_how() -> None:
    for key, text in WORDING[Language.JA].items():
        if text[0].startswith("！"):
            assert any(line.endswith("ください") for line in text), key


def test_full_width_counts_two_and_half_width_one() -> None:
    assert columns("総務課 203") == 10
    assert columns("ｽｽﾞｷ") == 4
    assert columns("葛\U000e0100城") == 4


def test_the_contacts_are_the_towns() -> None:
    assert texts_of(shown("no_permit"))[-1] == "総務課 内線203"


def test_a_contact_too_long_for_its_sentence_loses_its_extension() -> None:
    assert texts_of(shown("outside_schedule"))[-1] == "急用は宿直室へ"


@pytest.mark.parametrize("contacts", [{}, {"help": " "}, {"help": "総務課\n203"}])
def test_without_a_usable_contact_the_usual_section_is_named(contacts: Mapping[str, str]) -> None:
    screen = compose("no_permit", rules_with(contacts=contacts), {})
    assert texts_of(screen)[-1] == "総務課"


def test_a_contact_wider_than_the_wall_is_cut() -> None:
    screen = compose("no_permit", rules_with(contacts={"help": "総務部人事給与第一係"}), {})
    assert texts_of(screen)[-1] == "総務部人事給与第"


def test_a_name_without_room_for_the_honorific_stands_alone() -> None:
    assert texts_of(shown("punched_in"))[1] == "23:59 勅使河原さん"[:-2]


def test_a_line_whose_blanks_stay_empty_is_left_out() -> None:
    assert texts_of(shown("permitted", name="")) == ["○入室", "お入りください"]
    assert texts_of(shown("punched_in", name=""))[1] == "23:59"


def test_the_kana_stands_ready_for_what_the_font_lacks() -> None:
    screen = compose(
        "permitted", rules_with(), {"name": ("𠮷田さん",)}, otherwise={"name": ("ヨシダさん",)}
    )
    assert screen.lines[0].text == "𠮷田さん"
    assert screen.lines[0].otherwise == "ヨシダさん"
    assert screen.lines[1].otherwise == ""


def test_a_towns_own_wording_takes_the_defaults_place() -> None:
    screen = shown(
        "permitted", texts={"permitted": ("○どうぞ", "{name}", "{time} {help}")}, time="8:24"
    )
    assert texts_of(screen) == ["○どうぞ", "勅使河原さん", "8:24 総務課"]


def test_a_towns_indent_stays() -> None:
    screen = shown("card_left", texts={"card_left": ("  お取りください",)})
    assert texts_of(screen) == ["  お取りください"]


@pytest.mark.parametrize(
    "broken",
    [
        ("○入室", "{colour}"),
        ("○入室", "{name.__class__}"),
        ("○入室", "{name"),
        ("○入室", "name}"),
        ("○入室", "}{name}{"),
        ("○入室", "{{name}}"),
        ("○入室", "とても長いので入りきりません"),
        ("○入室できます", "{name}"),
        ("○入室", "一", "二", "三"),
        ("○入室", "改\n行"),
        ("○入室", "\u202e逆"),
        ("",),
        ("", "見出しなし"),
        (),
    ],
)
def test_a_towns_wording_that_cannot_be_shown_leaves_the_default(broken: tuple[str, ...]) -> None:
    assert texts_of(shown("permitted", texts={"permitted": broken})) == texts_of(shown("permitted"))


def test_a_blank_that_nobody_fills_is_named() -> None:
    with pytest.raises(KeyError, match="no value for name, time"):
        compose("punched_in", rules_with(), {})
    with pytest.raises(KeyError, match="no_such_text"):
        compose("no_such_text", rules_with(), {})
