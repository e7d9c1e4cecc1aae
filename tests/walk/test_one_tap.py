"""One tap, end to end: card, reader process, decision, record, strike, tone, ledger, receipt."""

import pytest

from provisioning.demo.samples import SAMPLES
from provisioning.demo.shown import Way
from terminal.core.reasons import Reason
from tests.walk.wall import REFUSED_HZ, Wall

pytestmark = pytest.mark.real


def test_a_permitted_card_opens_the_door_and_the_town_hall_has_it_proven(
    shared_wall: Wall,
) -> None:
    wall = shared_wall
    tap = wall.tap("suzuki")
    assert tap.acknowledged
    rising = [edge.pin for edge in wall.edges if edge.value and edge.mono_ns >= tap.from_ms * 10**6]
    assert rising[:3] == ["strike", "buzzer", "ring"]
    proven = wall.wait_until_proven()
    assert proven.findings == ()
    (row,) = [row for row in wall.stage.rows(10) if row.reason == Reason.PERMITTED]
    assert row.way is Way.RECEIVED
    assert tap.from_ms <= row.mono_ms <= tap.tone_ms
    assert wall.off_list() == []


def test_a_card_without_permit_stays_outside_and_is_recorded_too(shared_wall: Wall) -> None:
    wall = shared_wall
    tap = wall.tap("sato")
    assert tap.tone_hz == REFUSED_HZ
    assert wall.released_since(tap.from_ms) == 0
    assert wall.reason_of(tap) == Reason.NO_PERMIT


def test_every_sample_card_gets_its_own_reason(shared_wall: Wall) -> None:
    wall = shared_wall
    reasons = {one.key: wall.reason_of(wall.tap(one.key)) for one in SAMPLES if one.key != "mute"}
    assert reasons == {one.key: one.outcome for one in SAMPLES if one.key != "mute"}
    assert wall.wait_until_proven().findings == ()
    assert wall.off_list() == []
