"""Pictures: every text in the real font, equal to its reference picture, readable at a glance."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from drivers.screens import CELL, HEIGHT, WIDTH, Picture, Typeface, mark, picture
from provisioning import parts
from terminal.core.feedback import idle_screen, notice_screen
from terminal.core.records import Punch
from terminal.core.rules import Language, Rules, TerminalSettings, Use
from terminal.core.screens import WORDING, columns, compose
from terminal.core.signals import Line, Screen
from terminal.ports import DeviceError

PICTURES = Path(__file__).parent / "pictures"
RENEW = "KAZASU_RENEW_PICTURES"
MORNING = datetime(2026, 3, 31, 23, 24, 5, tzinfo=UTC)  # 8:24:05 in town
EVERY_TEXT = [(language, key) for language in Language for key in WORDING[language]]
CONTACTS: Mapping[Language, Mapping[str, str]] = {
    Language.JA: {
        "help": "総務課 内線203",
        "repair": "管財係 内線210",
        "night": "宿直室 内線100",
    },
    Language.EN: {"help": "GA ext 203", "repair": "Facilities 210", "night": "Night desk 100"},
}
VALUES: Mapping[Language, Mapping[str, tuple[str, ...]]] = {
    Language.JA: {"name": ("鈴木さん",), "punch": ("出勤",), "hours": ("平日7:30-19:00",)},
    Language.EN: {"name": ("Suzuki",), "punch": ("IN",), "hours": ("Mo-Fr 7:30-19:00",)},
}


@pytest.fixture(scope="module")
def typeface() -> Typeface:
    return Typeface(parts.font())


def sample(language: Language, key: str) -> Screen:
    """The screen of a text as a person would meet it one morning."""
    settings = TerminalSettings(
        "hall-1", Use.ATTENDANCE, language=language, contacts=CONTACTS[language]
    )
    rules = Rules(0 if key == "idle_no_rules" else 7, None, settings)
    if key.startswith("idle"):
        mode = Punch.OUT if key == "idle_chosen" else None
        return idle_screen(rules, MORNING, mode=mode, link_up=True, clock_known=True)
    if key == "reading":
        return notice_screen(key, rules, bar=3)
    return compose(key, rules, {"time": ("8:24",), **VALUES[language]})


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_every_text_looks_as_its_reference_picture(
    typeface: Typeface, tmp_path: Path, language: Language, key: str
) -> None:
    drawn = picture(sample(language, key), typeface)
    reference = PICTURES / f"{language}-{key}.png"
    if os.environ.get(RENEW):
        drawn.save(reference, optimize=True)
    saved = Image.open(reference) if reference.exists() else Image.new("1", drawn.size)
    if saved.tobytes() != drawn.tobytes():
        differing = tmp_path / reference.name
        large = (WIDTH * 4, HEIGHT * 4)
        three = (saved, drawn, ImageChops.logical_xor(saved.convert("1"), drawn))
        sheet = Image.new("1", (large[0], large[1] * 3 + 8), 1)
        for index, one in enumerate(three):
            sheet.paste(one.resize(large, Image.Resampling.NEAREST), (0, index * (large[1] + 4)))
        sheet.save(differing)
        pytest.fail(
            f"{reference.name} is not what is drawn now. Reference, drawn and difference: "
            f"{differing}. If the new picture is meant, run the tests once with {RENEW}=1 and "
            "look at what changed.",
        )


def test_no_reference_picture_is_left_over() -> None:
    expected = {f"{language}-{key}.png" for language, key in EVERY_TEXT}
    assert {path.name for path in PICTURES.iterdir()} == expected


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_the_font_has_every_character_of_every_text(
    typeface: Typeface, language: Language, key: str
) -> None:
    screen = sample(language, key)
    assert all(typeface.has(line.text) for line in screen.lines)
    assert screen.headline is None or typeface.has(screen.headline.text)


@pytest.mark.parametrize(("language", "key"), EVERY_TEXT)
def test_every_text_fits_the_glass(typeface: Typeface, language: Language, key: str) -> None:
    screen = sample(language, key)
    scale = 1 if screen.headline is None else 2
    lines = [*([screen.headline] if screen.headline else []), *screen.lines]
    widths = [
        sum(typeface.glyph(character).width for character in line.text)
        * (scale if line is screen.headline else 1)
        for line in lines
    ]
    assert max(widths) <= WIDTH
    assert CELL * (len(screen.lines) + (2 if screen.headline else 0)) <= HEIGHT


def test_no_two_texts_look_the_same(typeface: Typeface) -> None:
    for language in Language:
        pictures = {picture(sample(language, key), typeface).tobytes() for key in WORDING[language]}
        assert len(pictures) == len(WORDING[language])


def test_a_picture_is_1024_bytes_of_black_and_white(typeface: Typeface) -> None:
    drawn = picture(sample(Language.JA, "permitted"), typeface)
    assert (drawn.mode, drawn.size, len(drawn.tobytes())) == ("1", (128, 64), 1024)


def test_glyphs_are_as_wide_as_the_core_counts(typeface: Typeface) -> None:
    for character in "A1.山かカｶ○×！°é…【■":
        assert typeface.glyph(character).width == columns(character) * CELL // 2


def test_a_narrow_character_stands_in_the_middle_of_its_cell(typeface: Typeface) -> None:
    box = typeface.glyph("°").getbbox()
    assert box is not None
    assert box[0] >= CELL // 4
    assert box[2] <= CELL - CELL // 4


def shown(text: str, otherwise: str, typeface: Typeface) -> Picture:
    return picture(Screen("permitted", (Line(text, otherwise),)), typeface)


@pytest.mark.parametrize("name", ["髙橋", "山﨑", "德田", "濵口", "瀨戸", "栁", "葛\U000e0100城"])
def test_names_with_variant_characters_are_drawn_as_written(typeface: Typeface, name: str) -> None:
    assert typeface.has(name)
    written = shown(name, "", typeface)
    assert written.getbbox()
    assert shown(name, "カナ", typeface).tobytes() == written.tobytes()


def test_a_name_the_font_lacks_is_shown_in_kana(typeface: Typeface) -> None:
    assert not typeface.has("𠮷田")
    kana = shown("ヨシダさん", "", typeface)
    assert shown("𠮷田さん", "ヨシダさん", typeface).tobytes() == kana.tobytes()


def test_without_kana_the_geta_mark_stands_in(typeface: Typeface) -> None:
    assert shown("𠮷田さん", "", typeface).tobytes() == shown("〓田さん", "", typeface).tobytes()


def test_a_headline_is_twice_as_large_and_has_no_staircase(typeface: Typeface) -> None:
    small = picture(Screen("a", (Line("／"),)), typeface).getbbox()
    drawn = picture(Screen("a", headline=Line("／")), typeface)
    large = drawn.getbbox()
    assert small is not None
    assert large is not None
    assert large[2] - large[0] == pytest.approx(2 * (small[2] - small[0]), abs=1)
    doubled = typeface.glyph("／").resize((32, 32), Image.Resampling.NEAREST)
    assert drawn.crop((0, 0, 32, 32)).tobytes() != doubled.tobytes()


@pytest.mark.parametrize("size", [16, 32])
def test_the_three_marks_are_alike_on_both_sides_and_never_alike_each_other(size: int) -> None:
    marks = [mark(sign, size) for sign in "○×！"]
    for one in marks:
        mirrored = one.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        assert one.tobytes() == mirrored.tobytes()
    assert len({one.tobytes() for one in marks}) == 3
    middle = size // 2
    ring, cross, _ = marks
    assert not ring.getpixel((middle, middle))
    assert cross.getpixel((middle, middle))


@pytest.mark.parametrize("steps", [0, 3, 8])
def test_the_bar_fills_from_the_left(typeface: Typeface, steps: int) -> None:
    drawn = picture(Screen("reading", bar=steps), typeface)
    centres = [drawn.getpixel((step * CELL + 7, HEIGHT - CELL // 2)) for step in range(8)]
    assert [bool(lit) for lit in centres] == [True] * steps + [False] * (8 - steps)


def test_what_is_too_long_ends_at_the_edge(typeface: Typeface) -> None:
    drawn = picture(Screen("a", (Line("長" * 50),) * 9, headline=Line("長" * 50)), typeface)
    assert drawn.size == (WIDTH, HEIGHT)


def test_a_font_that_is_not_there_is_told_with_its_place_and_remedy(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"none\.otf.*fonts-unifont"):
        Typeface(tmp_path / "none.otf")
    (tmp_path / "bad.otf").write_bytes(b"no font")
    with pytest.raises(DeviceError, match=r"bad\.otf"):
        Typeface(tmp_path / "bad.otf")
