"""``terminals.json``: the published settings of each terminal."""

from terminal.core.records import Punch
from terminal.core.rules import Language, NameShown, TerminalSettings, Use
from terminal.wire.fields import Fields, checked_identifier, checked_text
from terminal.wire.strict_json import Malformed

_LONGEST_GUARD_S = 86_400
_LONGEST_CONTACT = 40


def settings_of(one: Fields, terminal: str) -> TerminalSettings:
    """The settings that the object ``one`` holds for ``terminal``."""
    plain = TerminalSettings(terminal)
    contacts = Fields(one.raw("contacts") or {}, one.at("contacts"))
    settings = TerminalSettings(
        terminal,
        default_use=one.word("default_use", Use),
        portal=one.optional_identifier("portal"),
        language=one.word("language", Language, default=plain.language),
        name_shown=one.word("name_shown", NameShown, default=plain.name_shown),
        buttons=plain.buttons if one.raw("buttons") is None else one.items("buttons", _punch),
        attendance_purpose=one.text(
            "attendance_purpose", longest=60, default=plain.attendance_purpose
        ),
        attendance_least=one.assurance("attendance_least"),
        duplicate_guard_s=one.number(
            "duplicate_guard_s", most=_LONGEST_GUARD_S, default=plain.duplicate_guard_s
        ),
        day_start=one.clock("day_start", default=plain.day_start),
        contacts={
            checked_identifier(name, contacts.place): checked_text(
                text, contacts.at(name), _LONGEST_CONTACT
            )
            for name, text in contacts.members()
        },
    )
    one.finish()
    if settings.default_use is Use.ACCESS and settings.portal is None:
        raise Malformed(one.at("portal"), "is missing, and default_use is access")
    return settings


def _punch(value: object, place: str) -> Punch:
    if value not in set(Punch):
        raise Malformed(place, f"must be one of {', '.join(Punch)}")
    return Punch(str(value))
