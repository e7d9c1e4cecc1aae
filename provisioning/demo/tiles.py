"""The five switches of the page: what each says in its present state, and its drawn sign."""

from collections.abc import Mapping

from provisioning.demo.samples import RUSH_PEOPLE
from provisioning.demo.shown import Shown, Switch
from provisioning.demo.texts import Words

_ICONS = {
    Switch.RUSH: "M6 28v-4q0-4 4-4t4 4v4M10 16a3 3 0 1 1 .1 0"
    "M18 28v-5q0-5 5-5t5 5v5M23 13a4 4 0 1 1 .1 0",
    Switch.LAN: "M16 28v-7M11 21h10v-5h-10zM13 16v-4h6v4M14.5 12V8M17.5 12V8",
    Switch.BROKER: "M6 6h20v8h-20zM6 18h20v8h-20zM10 10h.1M10 22h.1M15 10h7M15 22h7",
    Switch.POWER: "M16 5v11M10 8.6a10 10 0 1 0 12 0",
    Switch.PERMIT: "M8 4h12l5 5v19h-17zM20 4v5h5M12 20l3 3 6-7",
}


def tiles(now: Shown, said: Mapping[str, Words], *, rush: bool) -> list[Mapping[str, object]]:
    """The switches in their order, as properties of the page; ``rush`` with the 8:25 queue."""
    part = round(100 * (RUSH_PEOPLE - now.rush_left) / RUSH_PEOPLE)
    permit = said["permit"]
    queue = [
        _tile(Switch.RUSH, said, on=now.rush_left > 0, left=now.rush_left)
        | {"held": False, "part": part if now.rush_left else None}
    ]
    return [
        *(queue if rush else []),
        _tile(Switch.LAN, said, on=not now.lan)
        | ({"state": said["lan"]["mending"]} if now.mending else {}),
        _tile(Switch.BROKER, said, on=not now.broker),
        _tile(Switch.POWER, said, on=not now.panel.power),
        _tile(Switch.PERMIT, said, on=not now.permitted)
        | {"held": False, "busy": now.publishing}
        | ({"state": permit["busy"]} if now.publishing else {}),
    ]


def _tile(
    switch: Switch, said: Mapping[str, Words], *, on: bool, left: int = 0
) -> dict[str, object]:
    text = said[switch]
    return {
        "key": str(switch),
        "icon": _ICONS[switch],
        "title": text["title"],
        "tip": text["tip"],
        "state": text["on" if on else "off"].format(left=left),
        "on": on,
        "held": True,
        "busy": False,
        "part": None,
    }
