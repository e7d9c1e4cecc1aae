"""Each tap must have exactly one record, with an outcome that its card may have."""

import pytest

from provisioning.demo.proof import Tap, attribute, counted
from provisioning.demo.report import CardCount, Finding, Kind, Report

FIRST = Tap("suzuki", 1000, 1400, frozenset({"permitted"}))
SECOND = Tap("sato", 2000, 2400, frozenset({"no_permit"}))


def record(mono_ms: int, reason: str, kind: str = "access") -> dict[str, object]:
    result = "noted" if kind == "terminal" else "granted"
    return {"mono_ms": mono_ms, "reason": reason, "kind": kind, "result": result, "seq": 7}


def test_each_tap_finds_its_own_record_by_the_moment_the_card_was_seen() -> None:
    records = [
        record(1001, "permitted"),
        record(1200, "started", "terminal"),
        record(2300, "no_permit"),
    ]
    counts, findings = attribute(records, [FIRST, SECOND])
    assert findings == []
    assert counts["suzuki"].records == counts["sato"].records == 1
    assert counts["sato"].outcomes == {"no_permit": 1}


@pytest.mark.parametrize(
    ("records", "kind", "said"),
    [
        ([], Kind.LOST_TAP, "has no record"),
        ([record(1001, "permitted"), record(1002, "permitted")], Kind.DOUBLED_TAP, "2 records"),
        ([record(1001, "no_permit")], Kind.WRONG_OUTCOME, "gave no_permit, expected permitted"),
        ([record(1001, "started", "terminal")], Kind.LOST_TAP, "has no record"),
    ],
)
def test_what_is_wrong_with_a_tap_is_named(
    records: list[dict[str, object]], kind: Kind, said: str
) -> None:
    _, (finding,) = attribute(records, [FIRST])
    assert finding.kind is kind
    assert said in finding.text
    assert "suzuki" in finding.text


@pytest.mark.parametrize("mono_ms", [999, 1401, 1700, 2401])
def test_a_record_outside_every_tap_is_a_stray(mono_ms: int) -> None:
    records = [record(1001, "permitted"), record(mono_ms, "permitted"), record(2300, "no_permit")]
    _, (finding,) = attribute(records, [FIRST, SECOND])
    assert finding.kind is Kind.STRAY_RECORD
    assert "record 7" in finding.text


def test_a_grant_in_the_guise_of_a_note_is_a_stray() -> None:
    guise = record(1700, "permitted", "terminal") | {"result": "granted"}
    _, (finding,) = attribute([record(1001, "permitted"), guise], [FIRST])
    assert finding.kind is Kind.STRAY_RECORD


def test_a_card_must_have_counted_the_taps_that_were_made() -> None:
    assert counted([FIRST, SECOND], {"suzuki": 1, "sato": 1}) == []
    (finding,) = counted([FIRST, FIRST, SECOND], {"suzuki": 1, "sato": 1})
    assert finding.kind is Kind.TAP_COUNT
    assert "suzuki was tapped 2 times and counted 1" in finding.text


def test_the_last_line_says_ok_only_without_findings() -> None:
    cards = {"suzuki": CardCount(taps=2, records=2), "sato": CardCount(taps=1, records=1)}
    fine = Report(records=5, received=5, cards=cards, findings=(), seconds=1.0)
    assert fine.last_line == "demo: 3 taps, 5 records, 5 received, chain ok"
    found = (Finding(Kind.EDIT, "record 2 edited"), Finding(Kind.LOST_TAP, "tap 1"))
    spoilt = Report(records=5, received=5, cards=cards, findings=found, seconds=1.0)
    assert spoilt.last_line.endswith("NOT proven: edit, lost-tap")
    assert "chain ok" not in spoilt.last_line


def test_the_json_has_taps_and_records_of_each_card() -> None:
    cards = {"suzuki": CardCount(taps=2, records=2, outcomes={"permitted": 2})}
    told = Report(records=4, received=4, cards=cards, findings=(), seconds=1.04).as_json()
    assert (told["taps"], told["records"], told["received"]) == (2, 4, 4)
    assert told["cards"] == {"suzuki": {"taps": 2, "records": 2, "outcomes": {"permitted": 2}}}
    assert told["chain"] == "ok"
