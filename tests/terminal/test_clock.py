"""Wall time, its floor and its quality."""

from datetime import UTC, datetime, timedelta

from terminal.clock import BUILT, Clock, always_synced, boot_id, kernel_synced
from terminal.core.moment import ClockState

NOW = datetime(2027, 4, 1, tzinfo=UTC)
NS_PER_S = 1_000_000_000


class Hands:
    """Both clocks of a machine, moved by hand."""

    def __init__(self, at: datetime) -> None:
        self.wall = int(at.timestamp()) * NS_PER_S
        self.mono = 50 * NS_PER_S
        self.ntp = True

    def clock(self) -> Clock:
        return Clock(
            lambda: self.ntp, boot="boot-a", wall_ns=lambda: self.wall, mono_ns=lambda: self.mono
        )

    def move_s(self, seconds: int) -> None:
        self.wall += seconds * NS_PER_S
        self.mono += seconds * NS_PER_S


def test_a_synced_clock_stamps_what_the_machine_says() -> None:
    stamp = Hands(NOW).clock().stamp()
    assert stamp.at == NOW
    assert stamp.mono_ms == 50_000
    assert stamp.boot == "boot-a"
    assert stamp.quality.state is ClockState.SYNCED


def test_a_card_seen_two_seconds_ago_is_stamped_two_seconds_ago() -> None:
    hands = Hands(NOW)
    clock = hands.clock()
    seen_at_mono = hands.mono
    hands.move_s(2)
    assert clock.stamp_at(seen_at_mono).at == NOW
    assert clock.stamp_at(seen_at_mono).mono_ms == 50_000


def test_without_ntp_since_the_start_the_clock_is_unknown() -> None:
    hands = Hands(NOW)
    hands.ntp = False
    assert hands.clock().stamp().quality.state is ClockState.UNKNOWN


def test_after_ntp_is_lost_the_error_grows_by_fifty_ppm() -> None:
    hands = Hands(NOW)
    clock = hands.clock()
    clock.stamp()
    hands.ntp = False
    hands.move_s(86_400)
    quality = clock.stamp().quality
    assert quality.state is ClockState.HOLDOVER
    assert quality.age_s == 86_400
    assert quality.error_ms == 4321


def test_a_clock_below_its_floor_is_unknown_and_stamps_the_floor() -> None:
    hands = Hands(datetime(1970, 1, 1, tzinfo=UTC))
    stamp = hands.clock().stamp()
    assert stamp.quality.state is ClockState.UNKNOWN
    assert stamp.at == BUILT


def test_the_floor_only_rises() -> None:
    hands = Hands(NOW)
    clock = hands.clock()
    clock.raise_floor(NOW + timedelta(days=30))
    clock.raise_floor(NOW - timedelta(days=30))
    stamp = clock.stamp()
    assert stamp.at == NOW + timedelta(days=30)
    assert not stamp.quality.known


def test_records_and_receipts_lift_the_floor_by_at_most_31_days_past_the_publication() -> None:
    clock = Hands(NOW).clock()
    clock.raise_floor(NOW)
    clock.nudge_floor(NOW + timedelta(days=7))
    assert clock.floor == NOW + timedelta(days=7)
    clock.nudge_floor(NOW + timedelta(days=4000))
    assert clock.floor == NOW + timedelta(days=31)
    assert clock.stamp().floor == clock.floor


def test_the_boot_id_stays_within_one_boot() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 16


def test_the_kernel_can_be_asked_and_a_trusted_clock_is_always_right() -> None:
    assert kernel_synced() in {True, False}
    assert always_synced()
