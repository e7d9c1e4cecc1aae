"""A day without network: taps go on, a power cut in between, and everything arrives in order.

The day itself is not waited for: the cable is pulled, people tap
(30 in the everyday run, 300 with ``all``), the terminal loses its power and starts again without
network, and its clock is not asked to pretend. Then the cable is plugged in.
"""

import random

import pytest

from provisioning.demo.shown import Way
from terminal.core.reasons import Note, Reason
from tests.walk.wall import Wall, lost_or_doubled

pytestmark = pytest.mark.real

EVERYDAY, ALL = 30, 300


def a_day_offline(wall: Wall, taps: int) -> None:
    stage = wall.stage
    stage.cable.pull()
    chance = random.Random(taps)
    for number in range(taps):
        tap = wall.tap(chance.choice(("suzuki", "suzuki", "sato")))
        assert tap.tone_hz, f"tap {number + 1} had no answer"
        if number == taps // 2:
            stage.cut_power()
            stage.power_on()
            wall.wait(lambda: wall.tap("suzuki", within_s=3).acknowledged)
    stage.look()
    assert stage.rows(1)[0].way is Way.JOURNALLED
    stage.cable.plug()
    proven = wall.wait_until_proven(180)
    print(f"\n{len(wall.taps)} taps offline, {len(proven.members)} records, all received")
    assert proven.findings == ()
    assert lost_or_doubled(proven, wall.taps) == []
    moments = [int(str(one["seq"])) for one in proven.members]
    assert moments == sorted(moments)
    assert wall.off_list() == []


def test_a_day_offline_loses_nothing(wall: Wall) -> None:
    a_day_offline(wall, EVERYDAY)


@pytest.mark.all
@pytest.mark.timeout(1800)
def test_a_day_offline_with_all_its_people_loses_nothing(wall: Wall) -> None:
    a_day_offline(wall, ALL)


def test_after_a_restart_without_network_the_rules_are_the_last_ones(wall: Wall) -> None:
    stage = wall.stage
    stage.cable.pull()
    stage.cut_power()
    stage.power_on()
    wall.wait(lambda: wall.tap("suzuki", within_s=3).acknowledged)
    assert wall.reason_of(wall.tap("sato")) == Reason.NO_PERMIT


def test_a_broker_that_loses_what_it_acknowledged_loses_us_nothing(wall: Wall) -> None:
    """PUBACKed for a ledger that is away, then the broker dies without having stored it."""
    stage = wall.stage
    stage.broker.persistence = False
    stage.kill_broker()
    stage.start_broker()
    wall.wait(lambda: stage.counts().waiting == 0)
    stage.ledger.stop()
    taps = [wall.tap("suzuki") for _ in range(3)]
    stage.kill_broker()
    stage.start_broker()
    wall.start_ledger()
    proven = wall.wait_until_proven()
    assert all(tap.acknowledged for tap in taps)
    assert lost_or_doubled(proven, taps) == []
    assert proven.findings == ()


def test_the_terminal_notes_no_restart_that_was_none(wall: Wall) -> None:
    wall.stage.cable.pull()
    wall.stage.cable.plug()
    wall.tap("suzuki")
    proven = wall.wait_until_proven()
    started = [one for one in proven.members if one["reason"] == Note.STARTED]
    assert len(started) == 1
