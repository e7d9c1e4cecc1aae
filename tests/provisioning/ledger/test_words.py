"""Nothing the ledger can say is without words."""

from enum import StrEnum

import pytest

from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.verify import Fault
from provisioning.ledger.words import (
    ALARMS,
    FAULTS,
    KINDS,
    REASONS,
    RESULTS,
    Language,
    Words,
    word,
)
from terminal.core.reasons import Note, Reason, Result
from terminal.core.records import RecordKind


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (KINDS, [*RecordKind]),
        (RESULTS, [*Result]),
        (REASONS, [*Reason, *Note]),
        (FAULTS, [*Fault]),
        (ALARMS, [*LedgerAlarm]),
    ],
)
def test_every_code_has_words_in_both_languages(words: Words, codes: list[StrEnum]) -> None:
    assert set(words) == set(codes)
    assert all(japanese and english for japanese, english in words.values())


def test_a_code_that_is_not_known_stands_for_itself() -> None:
    assert word(REASONS, "weather", Language.JA) == "weather"
    assert word(REASONS, None, Language.EN) == ""


def test_a_known_code_is_said_in_the_language_asked_for() -> None:
    assert word(REASONS, "punched_in", Language.JA) == "出勤"
    assert word(REASONS, "punched_in", Language.EN) == "in"
