"""Screen → picture: 128 x 64 pixels, one bit each, as the OLED shows them.

Every half-width character takes 8 x 16 pixels, every full-width one 16 x 16; a headline is the
same glyphs at twice the size with their slanting strokes smoothed. The signs ○, × and ！ are drawn
here, heavier than any font's: they are what is read from two metres. No anti-aliasing anywhere.

The font is GNU Unifont in its Japanese form (``unifont_jp.otf``), made for exactly 16 pixels; its
kanji have the shapes taught in Japan and include the variants of family names outside
JIS X 0208 (髙 﨑 德 濵). Licence: SIL Open Font License 1.1, or GNU GPL 2 or later with the font
embedding exception; (c) Roman Czyborra, Paul Hardy, Qianqian Fang, Andrew Miller and others.
The font is not part of this source tree; Debian's package is ``fonts-unifont`` (its copyright file
states the GPL only, the font file itself states both).

Where the font lacks a character of a line, the line's other wording is drawn (kana for a name);
where there is none, the geta mark 〓 stands in for it, as in Japanese print.

What is shown when is the core's; bringing the picture to a display is ``oled``'s.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from terminal.core.screens import columns
from terminal.core.signals import Line, Screen
from terminal.ports import DeviceError

WIDTH = 128
HEIGHT = 64
CELL = 16
BAR_STEPS = 8
Picture = Image.Image
"""A picture of mode "1", WIDTH x HEIGHT pixels."""

_GETA = "〓"
_MARKS = "○×！"


class Typeface:
    """The font at 16 px, and which characters it has."""

    def __init__(self, path: Path) -> None:
        """Load the font file at ``path``.

        Raises:
            DeviceError: it cannot be read; the text names file and remedy.
        """
        try:
            self._font = ImageFont.truetype(str(path), CELL, layout_engine=ImageFont.Layout.BASIC)
        except OSError as error:
            raise DeviceError(
                f"cannot read the font {path}: {error}; install Debian's fonts-unifont"
            ) from error
        # A noncharacter has no glyph in any font: what is drawn for it means "missing".
        self._missing = self._drawn("\uffff")
        # Kept, because a small Pi needs milliseconds for each, and names come back every morning.
        self.glyph = lru_cache(maxsize=2048)(self._glyph)
        self.large_glyph = lru_cache(maxsize=256)(self._large_glyph)
        self._has = lru_cache(maxsize=4096)(self._has_character)

    def has(self, text: str) -> bool:
        """Whether every character of ``text`` can be drawn."""
        return all(self._has(character) for character in text if columns(character) > 0)

    def _has_character(self, character: str) -> bool:
        if character in _MARKS or character.isspace():
            return True
        return self._drawn(character) != self._missing

    def _glyph(self, character: str) -> Image.Image:
        """The picture of one character, 8 or 16 px wide and 16 px high."""
        if character in _MARKS:
            return mark(character, CELL)
        width = columns(character) * CELL // 2
        cell = Image.new("1", (width, CELL))
        # What is narrower than its cell (as ° or é) stands in the middle of it.
        left = max(0, (width - round(self._font.getlength(character))) // 2)
        ImageDraw.Draw(cell).text((left, 0), character, font=self._font, fill=1)
        return cell

    def _large_glyph(self, character: str) -> Image.Image:
        """The same at twice the size."""
        if character in _MARKS:
            return mark(character, 2 * CELL)
        return _doubled(self.glyph(character))

    def _drawn(self, character: str) -> tuple[tuple[int, int], bytes]:
        mask = self._font.getmask(character, mode="1")
        return mask.size, bytes(mask)


def picture(screen: Screen, typeface: Typeface) -> Picture:
    """``screen`` as an image of mode "1", 128 x 64; what does not fit is cut off at the edge."""
    image = Image.new("1", (WIDTH, HEIGHT))
    top = 0
    if screen.headline is not None:
        text = _text_of(screen.headline, typeface)
        image.paste(_row(map(typeface.large_glyph, text), 2 * CELL), (0, 0))
        top = 2 * CELL
    for line in screen.lines:
        text = _text_of(line, typeface)
        image.paste(_row(map(typeface.glyph, text), CELL), (0, top))
        top += CELL
    if screen.bar is not None:
        _bar(image, screen.bar)
    return image


def mark(sign: str, size: int) -> Image.Image:
    """One of ○ × ！ in a square of ``size`` pixels, with strokes an eighth as wide."""
    image = Image.new("1", (size, size))
    middle = (size - 1) / 2
    stroke = size / 8
    reach = middle - size / 16
    for y in range(size):
        for x in range(size):
            across, down = abs(x - middle), abs(y - middle)
            radius = (across**2 + down**2) ** 0.5
            if sign == "○":
                lit = reach - stroke < radius <= reach + 0.5
            elif sign == "×":
                lit = abs(across - down) < stroke * 0.8 and max(across, down) <= reach - size / 32
            else:
                dot = reach - stroke * 1.5 < y - middle <= reach
                bar = y > 0 and y - middle <= reach - stroke * 2.5
                lit = across < stroke and (dot or bar)
            image.putpixel((x, y), int(lit))
    return image


def _text_of(line: Line, typeface: Typeface) -> str:
    """The line's text, or its other wording where the font cannot draw the text."""
    text = line.text if typeface.has(line.text) or not line.otherwise else line.otherwise
    return "".join(
        character if typeface.has(character) else _GETA
        for character in text
        if columns(character) > 0
    )


def _row(glyphs: Iterable[Image.Image], height: int) -> Image.Image:
    row = Image.new("1", (WIDTH, height))
    left = 0
    for glyph in glyphs:
        row.paste(glyph, (left, 0))
        left += glyph.width
    return row


def _doubled(glyph: Image.Image) -> Image.Image:
    """Twice the size: each pixel becomes four, and slanting strokes lose their staircase.

    A dark quarter is lit where two lit pixels meet over its corner, unless they are the arms of
    a right angle: the corners of 日 and 口 must stay square, or small boxes turn into eights.
    """
    large = glyph.resize((glyph.width * 2, glyph.height * 2), Image.Resampling.NEAREST)

    def at(x: int, y: int) -> bool:
        inside = 0 <= x < glyph.width and 0 <= y < glyph.height
        return bool(inside and glyph.getpixel((x, y)))

    for y in range(glyph.height):
        for x in range(glyph.width):
            for right, below in ((0, 0), (1, 0), (0, 1), (1, 1)):
                beside, beyond = x + 2 * right - 1, y + 2 * below - 1
                if at(beside, y) and at(x, beyond) and not at(beside, beyond):
                    large.putpixel((2 * x + right, 2 * y + below), 1)
    return large


def _bar(image: Image.Image, steps: int) -> None:
    """Progress in the last line's place: ``steps`` of eight boxes are filled."""
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, HEIGHT - CELL, WIDTH - 1, HEIGHT - 1), fill=0)
    for step in range(BAR_STEPS):
        box = (step * CELL + 1, HEIGHT - CELL + 3, step * CELL + 13, HEIGHT - 3)
        draw.rectangle(box, outline=1, fill=int(step < steps))
