"""How the sample cards look: drawn faces of nobody, and emblems for cards without one.

Only shapes and colours; paths are SVG in a box of 40 by 44.
"""

from collections.abc import Mapping

_SHORT = "M10 19q-1-12 10-12t10 12q-1-6-6-8-7 2-11 1-3 2-3 7z"
_BOB = "M9 29q-4-22 11-22t11 22q-3 1-4-1 2-8 0-12-7 0-10-4-2 4-5 5-1 6 1 11-1 2-4 1z"
_TIED = "M10 20q-2-13 10-13t10 13q-2-5-5-8-8 1-11 0-3 3-4 8zM16 7q4-5 8 0-4 2-8 0z"
_SIDE = "M10 20q-2-13 10-13 11 0 10 14-1-7-4-10-5 3-12 2-3 2-4 7z"
_GREY = "M10 20q-1-9 2-11 8-5 16 0 3 3 2 11-1-5-3-7-7-2-14 0-2 2-3 7z"

_CHIP = "M9 14h22v17h-22zM9 20h7v5h-7M31 20h-7v5h7M16 14v17M24 14v17"
_TRANSIT = "M11 9h18v22h-18zM11 22h18M15 31l-3 5M25 31l3 5M15 27h1M24 27h1"

FACES: Mapping[str, Mapping[str, str]] = {
    "suzuki": {"look": "staff", "hair": _BOB, "shade": "#4a3328", "coat": "#4f7f93"},
    "sato": {"look": "staff", "hair": _SHORT, "shade": "#2c2624", "coat": "#3d4f6b"},
    "expired": {"look": "staff expired", "hair": _GREY, "shade": "#9aa0a0", "coat": "#6b6458"},
    "stopped": {"look": "staff stopped", "hair": _TIED, "shade": "#33251f", "coat": "#8f5a5a"},
    "copied": {"look": "staff copied", "hair": _BOB, "shade": "#4a3328", "coat": "#4f7f93"},
    "unknown": {"look": "national", "emblem": _CHIP},
    "felica": {"look": "transit", "emblem": _TRANSIT},
    "foreign": {"look": "staff foreign", "hair": _SIDE, "shade": "#3b2d25", "coat": "#6a5d8a"},
    "mute": {"look": "staff broken", "hair": _SHORT, "shade": "#5a4a3d", "coat": "#527055"},
}
"""By the sample's key: CSS classes, and hair with its colours, or an emblem."""
