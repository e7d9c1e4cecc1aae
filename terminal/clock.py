"""Wall time, monotonic time, boot id, and how far the wall clock can be trusted.

Wall time never runs back below the floor: the newest moment that has certainly passed. Below it
the clock is ``unknown`` and stamps carry the floor itself, so that nothing that has expired becomes
valid again by pulling a plug. The build and each publication vouch for the floor without limit; our
own records made while synced and the ledger's receipts only up to 31 days past the publication,
or one wrong clock would lock the staff out for good.

The kernel's own word (adjtimex, STA_UNSYNC; chronyd and timesyncd both keep it) says whether NTP
agrees. Having agreed once in this run and no longer is ``holdover``; its error grows by 50 ppm,
more than any crystal on a Pi is off at room temperature. ``trusted`` takes the machine's clock as
it is, for a demonstration on a PC; a terminal on a wall uses ``kernel``. Hardware clocks and the
cross-check of NTP against receipts join here.
"""

import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from terminal.core.moment import ClockQuality, ClockState, Stamp, from_ms

BUILT = datetime(2026, 11, 22, tzinfo=UTC)
"""No terminal of this version can have been running before."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
DRIFT_PPM = 50
BELIEVED = timedelta(days=31)
_STA_UNSYNC = 0x0040
_NS_PER_MS = 1_000_000


class _Timex(ctypes.Structure):
    """struct timex of Linux, adjtimex(2); only the first members matter here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_synced() -> bool:
    """Whether the kernel says that its clock is disciplined by NTP (adjtimex(2), read only)."""
    timex = _Timex()
    failed = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0
    return not failed and not timex.status & _STA_UNSYNC


def always_synced() -> bool:
    """The machine's clock is taken as it is."""
    return True


def boot_id() -> str:
    """16 hex digits that change with every start of the system."""
    return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")[:16]


class Clock:
    """Makes stamps; any thread may ask. ``raise_floor`` is for the loop."""

    def __init__(
        self,
        synced: Callable[[], bool] = kernel_synced,
        *,
        boot: str | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._synced = synced
        self._boot = boot if boot is not None else boot_id()
        self._wall_ns = wall_ns
        self._mono_ns = mono_ns
        self._floor = self._published = BUILT
        self._synced_at_mono_ns: int | None = None

    @property
    def floor(self) -> datetime:
        """A moment that has certainly passed."""
        return self._floor

    def raise_floor(self, moment: datetime) -> None:
        """A publication was issued at ``moment``. Never lowers."""
        self._published = max(self._published, moment)
        self._floor = max(self._floor, moment)

    def nudge_floor(self, moment: datetime) -> None:
        """A record of ours or a receipt says that it was ``moment``; believed up to 31 days."""
        self._floor = max(self._floor, min(moment, self._published + BELIEVED))

    def stamp(self) -> Stamp:
        """Now."""
        return self.stamp_at(self._mono_ns())

    def stamp_at(self, mono_ns: int) -> Stamp:
        """The moment at which the monotonic clock stood at ``mono_ns`` (this boot, not ahead)."""
        ago_ms = max(0, self._mono_ns() - mono_ns) // _NS_PER_MS
        wall = from_ms(self._wall_ns() // _NS_PER_MS) - timedelta(milliseconds=ago_ms)
        quality = self._quality(wall)
        at = max(wall, self._floor)
        return Stamp(at, self._boot, mono_ns // _NS_PER_MS, quality, self._floor)

    def _quality(self, wall: datetime) -> ClockQuality:
        now_ns = self._mono_ns()
        if wall < self._floor:
            return ClockQuality(ClockState.UNKNOWN)
        if self._synced():
            self._synced_at_mono_ns = now_ns
            return ClockQuality(ClockState.SYNCED)
        if self._synced_at_mono_ns is None:
            return ClockQuality(ClockState.UNKNOWN)
        age_ms = (now_ns - self._synced_at_mono_ns) // _NS_PER_MS
        error_ms = 1 + age_ms * DRIFT_PPM // 1_000_000
        return ClockQuality(ClockState.HOLDOVER, age_ms // 1000, error_ms)
