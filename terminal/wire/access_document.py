"""``access.json``: portals, schedules, and who may pass which in which.

Permits are refused when they name a portal or schedule that does not exist: a misspelt one would
otherwise lock somebody out, and be found at the door.
"""

from datetime import time

from terminal.core.rules import LONGEST_STRIKE_MS, Permit, Portal
from terminal.core.schedule import ALWAYS, Interval, Schedule
from terminal.wire.fields import Fields, unique
from terminal.wire.strict_json import Malformed

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def access_of(
    fields: Fields,
) -> tuple[dict[str, Portal], dict[str, Schedule], tuple[Permit, ...]]:
    """Portals and schedules by id, and the permits, each of which names two that exist."""
    portals = [_portal(one) for one in fields.objects("portals")]
    schedules = [_schedule(one) for one in fields.objects("schedules")]
    unique((portal.id for portal in portals), "portals")
    unique((ALWAYS.id, *(schedule.id for schedule in schedules)), "schedules")
    by_portal = {portal.id: portal for portal in portals}
    by_schedule = {schedule.id: schedule for schedule in (ALWAYS, *schedules)}
    permits = []
    for one in fields.objects("permits"):
        permit = _permit(one)
        if permit.portal not in by_portal:
            raise Malformed(one.at("portal"), f"{permit.portal} is none of the portals")
        if permit.schedule not in by_schedule:
            raise Malformed(one.at("schedule"), f"{permit.schedule} is none of the schedules")
        permits.append(permit)
    return by_portal, by_schedule, tuple(permits)


def _portal(fields: Fields) -> Portal:
    portal = Portal(
        id=fields.identifier("id"),
        name=fields.text("name", longest=60, default=""),
        strike_ms=fields.number("strike_ms", least=500, most=LONGEST_STRIKE_MS, default=5000),
        least=fields.assurance("least"),
        purpose=fields.text("purpose", longest=60, default="access"),
    )
    fields.finish()
    return portal


def _schedule(fields: Fields) -> Schedule:
    intervals = tuple(_interval(one) for one in fields.objects("intervals"))
    schedule = Schedule(fields.identifier("id"), intervals)
    if not intervals:
        # An empty list would mean "at every hour"; nobody gets in by a forgotten line.
        raise Malformed(fields.at("intervals"), f"is empty; for every hour permit {ALWAYS.id}")
    fields.finish()
    return schedule


def _interval(fields: Fields) -> Interval:
    days = fields.items("days", _day)
    start = fields.clock("from")
    end = time(0) if fields.need("to") == "24:00" else fields.clock("to")
    if end != time(0) and end <= start:
        raise Malformed(fields.at("to"), "must be later than from; give the next day its own line")
    if not days:
        raise Malformed(fields.at("days"), "is empty")
    fields.finish()
    return Interval(frozenset(days), start, end)


def _permit(fields: Fields) -> Permit:
    permit = Permit(
        portal=fields.identifier("portal"),
        schedule=fields.identifier("schedule"),
        holder=fields.optional_identifier("holder"),
        group=fields.optional_identifier("group"),
        not_before=fields.optional_moment("not_before_ms"),
        not_after=fields.optional_moment("not_after_ms"),
    )
    if (permit.holder is None) == (permit.group is None):
        raise Malformed(fields.place, "must name a holder or a group, one of them")
    fields.finish()
    return permit


def _day(value: object, place: str) -> int:
    if value not in DAYS:
        raise Malformed(place, f"must be one of {', '.join(DAYS)}")
    return DAYS.index(str(value))
