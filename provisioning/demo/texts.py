"""The words of the demo page in Japanese and English, from the two TOML files beside this one.

Both files have the same keys; a test holds them together.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from terminal.core.rules import Language

Words = Mapping[str, Any]
"""One section of a file: text, list of texts, or sections, by key."""


@cache
def words(language: Language) -> Mapping[str, Words]:
    """All words of one language, by section."""
    path = Path(__file__).with_name(f"texts_{language.value}.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def other(language: Language) -> Language:
    """The language that the page's button changes to."""
    return Language.EN if language is Language.JA else Language.JA
