"""Reason → signal and screen: what people hear, see and read, in one table.

``FEEDBACK`` answers for every reason, ``SIGNALS`` for every signal. The convention is that of the
ticket gate, which everybody knows: one short beep is "go", two are "go, but look", a low buzz is
"stop". Nothing is told by sound alone: every tone has its lamps (two lamps side by side, told
apart by place and rhythm, not by colour) and its words. There is no signal for "card seen",
because people leave at the first beep.

Tones stay at or below 2.5 kHz, where older ears still hear well (JIS S 0013).

A screen shows the time a card was first seen, which is the time that counts. Wording is
``screens``'; how long a screen stays is the controller's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time
from zoneinfo import ZoneInfo

from terminal.core.reasons import Reason
from terminal.core.records import Entry, Punch
from terminal.core.roster import Holder
from terminal.core.rules import TOWN_TIME, Language, NameShown, Rules, Use
from terminal.core.schedule import Interval
from terminal.core.screens import COLUMNS, PUNCH_WORDS, columns, compose, printable
from terminal.core.signals import DARK, Beep, Blink, Pattern, Screen, Signal

_STEADY = Blink(on_ms=1500, total_ms=1500)
_ON = Blink(on_ms=1000)
_SLOW = Blink(on_ms=250, off_ms=250, total_ms=2000)
_FAST = Blink(on_ms=100, off_ms=100, total_ms=2000)
_REMIND = Blink(on_ms=500, off_ms=500, total_ms=9000)
_TWICE_SHORT = (Beep(2000, 90), Beep(0, 90), Beep(2000, 90))
_BUZZ = Beep(440, 500)

SIGNALS: Mapping[Signal, Pattern] = {
    Signal.DONE: Pattern((Beep(2000, 120),), ring=_STEADY, cross=DARK),
    Signal.DONE_NOTICE: Pattern(_TWICE_SHORT, ring=_STEADY, cross=DARK),
    Signal.AGAIN: Pattern(
        (Beep(1000, 150), Beep(0, 150), Beep(1000, 150)), ring=_SLOW, cross=_SLOW
    ),
    Signal.REFUSED: Pattern((_BUZZ,), ring=DARK, cross=_FAST),
    Signal.CARD_LEFT: Pattern(
        # Every 3 s from one beginning to the next, three times.
        (*_TWICE_SHORT, Beep(0, 2730)) * 2 + _TWICE_SHORT,
        ring=_REMIND,
        cross=DARK,
    ),
    Signal.CANNOT_RECORD: Pattern((_BUZZ, Beep(0, 250), _BUZZ), ring=DARK, cross=_ON),
    Signal.QUIET: Pattern((), ring=DARK, cross=DARK),
}


@dataclass(frozen=True, slots=True)
class Feedback:
    """One reason's three channels: tone and lamps (``signal``), words (``screen``, a text key)."""

    signal: Signal
    screen: str


FEEDBACK: Mapping[Reason, Feedback] = {
    # granted
    Reason.PERMITTED: Feedback(Signal.DONE, "permitted"),
    Reason.PUNCHED_IN: Feedback(Signal.DONE, "punched_in"),
    Reason.PUNCHED_OUT: Feedback(Signal.DONE, "punched_out"),
    Reason.PUNCHED_AWAY: Feedback(Signal.DONE, "punched_away"),
    Reason.PUNCHED_BACK: Feedback(Signal.DONE, "punched_back"),
    # duplicate
    Reason.ALREADY_PUNCHED: Feedback(Signal.DONE_NOTICE, "already_punched"),
    # denied
    Reason.UNKNOWN_CREDENTIAL: Feedback(Signal.REFUSED, "unknown_card"),
    Reason.CREDENTIAL_STOPPED: Feedback(Signal.REFUSED, "card_stopped"),
    Reason.HOLDER_NOT_YET_VALID: Feedback(Signal.REFUSED, "outside_validity"),
    Reason.HOLDER_EXPIRED: Feedback(Signal.REFUSED, "outside_validity"),
    Reason.ASSURANCE_TOO_LOW: Feedback(Signal.REFUSED, "other_card"),
    Reason.NO_PERMIT: Feedback(Signal.REFUSED, "no_permit"),
    Reason.CLOCK_UNKNOWN: Feedback(Signal.REFUSED, "clock_unknown"),
    Reason.OUTSIDE_SCHEDULE: Feedback(Signal.REFUSED, "outside_schedule"),
    Reason.NO_RULES: Feedback(Signal.REFUSED, "no_rules"),
    # unreadable, and worth another try
    Reason.TORN: Feedback(Signal.AGAIN, "again"),
    Reason.MUTE: Feedback(Signal.AGAIN, "again_ask"),
    Reason.GARBLED: Feedback(Signal.AGAIN, "again_ask"),
    Reason.CARD_FAULT: Feedback(Signal.AGAIN, "again_ask"),
    Reason.CARD_SWAPPED: Feedback(Signal.AGAIN, "two_cards"),
    # unreadable, and the same the next time
    Reason.NO_APPLICATION: Feedback(Signal.REFUSED, "unknown_card"),
    Reason.FOREIGN_ISSUER: Feedback(Signal.REFUSED, "foreign_card"),
    Reason.CERTIFICATE_UNFIT: Feedback(Signal.REFUSED, "card_unfit"),
    Reason.CERTIFICATE_EXPIRED: Feedback(Signal.REFUSED, "card_expired"),
    Reason.CERTIFICATE_NOT_YET_VALID: Feedback(Signal.REFUSED, "outside_validity"),
    Reason.CERTIFICATE_REVOKED: Feedback(Signal.REFUSED, "card_stopped"),
    Reason.WRONG_KEY: Feedback(Signal.REFUSED, "card_unconfirmed"),
    Reason.REPLAYED: Feedback(Signal.REFUSED, "card_unconfirmed"),
}

_IDLE_WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.JA: {
        "up": "通信○",
        "down": "通信×",
        "attendance": "自動判定",
        "access": "入室",
        "no clock": "時計を調整中です",
        "honorific": "さん",
    },
    Language.EN: {
        "up": "net ○",
        "down": "net ×",
        "attendance": "Automatic",
        "access": "Entry",
        "no clock": "Clock being set",
        "honorific": "",
    },
}
_WEEKDAYS: Mapping[Language, tuple[str, ...]] = {
    Language.JA: ("月", "火", "水", "木", "金", "土", "日"),
    Language.EN: ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def signal_of(reason: Reason) -> Signal:
    """What buzzer and lamps say for ``reason``."""
    return FEEDBACK[reason].signal


def outcome_screen(
    rules: Rules,
    entry: Entry,
    holder: Holder | None,
    *,
    link_up: bool,
    duplicate_of: datetime | None = None,
    zone: ZoneInfo = TOWN_TIME,
) -> Screen:
    """The screen for a decided tap; ``entry.reason`` is a ``Reason``.

    ``holder`` is who it was, None where the roster does not say; ``duplicate_of`` the aware time
    of the punch that this one repeats, None where it is not known. With the link down a punch is
    said to be recorded and sent later, so that nobody queues at another terminal.

    Raises:
        ValueError: the entry is the terminal's own note, not a tap.
    """
    reason = Reason(entry.reason)
    key = FEEDBACK[reason].screen
    clock_known = entry.stamp.quality.known
    if entry.punch is not None and reason is Reason.ALREADY_PUNCHED:
        key = key if duplicate_of is not None and clock_known else "already_punched_untimed"
    elif entry.punch is not None and not clock_known:
        key = "punched_clock_unknown"
    elif entry.punch is not None and not link_up:
        key = "punched_offline"
    hours = _hours(rules, entry.portal, holder) if reason is Reason.OUTSIDE_SCHEDULE else ""
    if hours:
        key = "outside_schedule_hours"
    language = rules.settings.language
    told = duplicate_of if duplicate_of is not None else entry.stamp.at
    values = {
        "time": (_clock_time(told.astimezone(zone)) if clock_known else "",),
        "punch": (PUNCH_WORDS[language][entry.punch] if entry.punch is not None else "",),
        "name": _names(rules, holder.name if holder is not None else ""),
        "hours": (hours,),
    }
    kana = _names(rules, holder.kana if holder is not None else "")
    return compose(key, rules, values, {"name": kana} if any(kana) else None)


def idle_screen(
    rules: Rules, at: datetime, *, mode: Punch | None, link_up: bool, clock_known: bool
) -> Screen:
    """The screen between taps: local time with seconds, what to do, the present mode, the link.

    ``at`` is aware; ``mode`` is the punch chosen by a button, None for the terminal's own use.
    """
    settings = rules.settings
    words = _IDLE_WORDS[settings.language]
    now = _date_and_time(at.astimezone(TOWN_TIME), settings.language)
    use = words["attendance" if settings.default_use is Use.ATTENDANCE else "access"]
    portal = (
        rules.portals.get(settings.portal or "") if settings.default_use is Use.ACCESS else None
    )
    named = portal.name.strip() if portal is not None and printable(portal.name) else ""
    values = {
        "now": (now if clock_known else words["no clock"],),
        "use": (named, use) if named else (use,),
        "link": (words["up" if link_up else "down"],),
        "punch": (PUNCH_WORDS[settings.language][mode] if mode is not None else "",),
    }
    if rules.publication == 0:
        return compose("idle_no_rules", rules, values)
    return compose("idle" if mode is None else "idle_chosen", rules, values)


def notice_screen(key: str, rules: Rules, *, bar: int | None = None, **values: str) -> Screen:
    """The screen of any text that needs no tap's values, as ``card_left`` or ``out_of_order``.

    ``bar`` (0 to 8) is the progress while reading. A terminal at a door says of a failed record
    that the door stays shut, one for attendance points to the paper sheet.

    Raises:
        KeyError: there is no such text, or a blank of it has no value.
    """
    if key == "cannot_record" and rules.settings.default_use is Use.ACCESS:
        key = "cannot_record_access"
    screen = compose(key, rules, {name: (value,) for name, value in values.items()})
    return screen if bar is None else replace(screen, bar=max(0, min(8, bar)))


def _names(rules: Rules, name: str) -> tuple[str, ...]:
    """The part of a name that this wall may show, with the honorific where there is room."""
    parts = name.split()
    if rules.settings.name_shown is NameShown.NONE or not parts or not printable(parts[0]):
        return ("",)
    surname = parts[0]
    return (surname + _IDLE_WORDS[rules.settings.language]["honorific"], surname)


def _clock_time(local: datetime | time) -> str:
    return f"{local.hour}:{local.minute:02}"


def _date_and_time(local: datetime, language: Language) -> str:
    """Date and time in 16 columns; the time keeps its place through the day."""
    if language is Language.EN:
        date = f"{local.day} {_MONTHS[local.month - 1]}"
    else:
        weekday = _WEEKDAYS[language][local.weekday()]
        date = f"{local.month}/{local.day}"
        date += f"({weekday})" if len(date) < len("12/31") else weekday
    room = COLUMNS - len("23:59:59")
    return f"{date}{' ' * (room - columns(date))}{local.hour:2}:{local.minute:02}:{local.second:02}"


def _hours(rules: Rules, portal: str | None, holder: Holder | None) -> str:
    """When the holder may enter, if that can be said in one line; else empty."""
    if holder is None:
        return ""
    permits = [
        permit
        for permit in rules.permits
        if permit.portal == portal
        and (
            permit.holder == holder.id
            or (permit.group is not None and permit.group in holder.groups)
        )
    ]
    if any(permit.not_before is not None or permit.not_after is not None for permit in permits):
        return ""
    schedules = {permit.schedule for permit in permits}
    intervals = [one for name in schedules for one in rules.schedules[name].intervals]
    if len(intervals) != 1:
        return ""
    hours = _interval(intervals[0], rules.settings.language)
    return hours if columns(hours) <= COLUMNS else ""


def _interval(interval: Interval, language: Language) -> str:
    """As 平日7:30-19:00."""
    days = sorted(interval.weekdays)
    named = {
        (0, 1, 2, 3, 4): ("平日", "Mo-Fr "),
        (5, 6): ("土日", "Sa+Su "),
        (0, 1, 2, 3, 4, 5, 6): ("毎日", "Daily "),
    }
    japanese = language is Language.JA
    words = named.get(tuple(days))
    if words is not None:
        told = words[0] if japanese else words[1]
    else:
        told = "".join(_WEEKDAYS[language][day] for day in days) + ("" if japanese else " ")
    end = "24:00" if interval.end == time(0) else _clock_time(interval.end)
    return f"{told}{_clock_time(interval.start)}-{end}"
