"""What the screens say: the default wording in both languages, and how the blanks are filled.

A text is a tuple of lines; a key in ``BIG`` has its headline first (32 px, 8 columns) and then up
to two lines, every other key has up to four lines (16 px, 16 columns). A full-width character
takes two columns, a half-width one takes one.

Two forms, because there are two ways to stand before a wall. Whoever may walk on, or hears in one
word and one line why not, gets the big form: it is read in half a second. Whoever must stop and
do something new gets four small lines. A card's own state (stopped, expired, another's) is always
small, so that the queue behind does not read it.

Rules of the wording: first the state, then what to do, then whom to ask; ○ where it went well,
× where it did not, ！ where it is to be done again; polite, and without words that blame.

Blanks are written ``{name}``, ``{time}``, ``{punch}``, ``{now}``, ``{use}``, ``{link}``,
``{hours}``, ``{help}``, ``{repair}``, ``{night}``. A town's own wording (``Rules.texts``, by the
same keys) takes the default's place if it can be filled and fits; otherwise the default stays,
because a slip in a text must never leave a wall blank.
"""

from collections.abc import Mapping, Sequence

from terminal.core.records import Punch
from terminal.core.rules import Language, Rules
from terminal.core.signals import Line, Screen

COLUMNS = 16
HEADLINE_COLUMNS = 8

Values = Mapping[str, tuple[str, ...]]
"""What may stand in a blank, by its name: the preferred wording first, shorter ones after it."""

BIG = frozenset(
    {
        "again",
        "already_punched",
        "already_punched_untimed",
        "clock_unknown",
        "exit",
        "no_permit",
        "no_rules",
        "outside_schedule",
        "outside_schedule_hours",
        "permitted",
        "punched_away",
        "punched_back",
        "punched_clock_unknown",
        "punched_in",
        "punched_offline",
        "punched_out",
    }
)

_JA: Mapping[str, tuple[str, ...]] = {
    # at rest
    "idle": ("{now}", "カードを", "かざしてください", "{use} {link}"),
    "idle_chosen": ("{now}", "【{punch}】カードを", "かざしてください", "選択中 {link}"),
    "idle_no_rules": ("{now}", "準備中です", "設定待ち {link}", "{repair}"),
    "starting": ("起動中です", "そのまま", "お待ちください"),
    # during a tap
    "reading": ("読み取り中", "カードを離さず", "お待ちください"),
    "card_left": ("！カードを", "お取りください"),
    "reader_blocked": ("！カードを", "お取りください", "読み取れません", "{repair}"),
    # it went well
    "punched_in": ("○出勤", "{time} {name}", "記録しました"),
    "punched_out": ("○退勤", "{time} {name}", "お疲れさまでした"),
    "punched_away": ("○外出", "{time} {name}", "お気をつけて"),
    "punched_back": ("○戻り", "{time} {name}", "お帰りなさい"),
    "punched_offline": ("○{punch}", "{time} {name}", "送信は後で自動"),
    "punched_clock_unknown": ("○{punch}", "時計を調整中です", "時刻は後で確定"),
    "already_punched": ("○記録済", "{punch}は{time}です", "再操作は不要です"),
    "already_punched_untimed": ("○記録済", "{punch}は記録ずみ", "再操作は不要です"),
    "permitted": ("○入室", "{name}", "お入りください"),
    "exit": ("○退室", "お通りください"),
    # once more
    "again": ("！再度", "カードを1秒", "あててください"),
    "again_ask": ("！もう一度1秒", "あててください", "続くときは", "{help}"),
    "two_cards": ("！カードは1枚で", "重なったカードを", "離してもう一度", "かざしてください"),
    # not now, not here
    "no_permit": ("×不可", "この部屋は未登録", "{help}"),
    "outside_schedule": ("×時間外", "入室できません", "急用は{night}へ"),
    "outside_schedule_hours": ("×時間外", "{hours}", "急用は{night}へ"),
    "clock_unknown": ("×不可", "時計を調整中です", "急用は{night}へ"),
    "no_rules": ("×準備中", "まだ使えません", "{repair}"),
    # not with this card
    "unknown_card": ("×未登録カード", "別のカードでは", "ありませんか", "{help}"),
    "other_card": ("×使えないカード", "職員用のカードを", "かざしてください", "{help}"),
    "foreign_card": ("×使えないカード", "当役場のカードを", "かざしてください", "{help}"),
    "card_stopped": ("×停止中のカード", "使用できません", "{help}", "夜間は{night}"),
    "card_expired": ("×カード期限切れ", "仮カードを", "お渡しします", "{help}へどうぞ"),
    "outside_validity": ("×利用期間外です", "利用できる期間を", "ご確認ください", "{help}"),
    "card_unfit": ("×使えないカード", "カードの点検が", "必要です", "{help}"),
    "card_unconfirmed": ("×確認できません", "このカードは", "使用できません", "{help}"),
    # the terminal itself
    "cannot_record": ("×記録できません", "紙の出勤簿に", "ご記入ください", "{help}"),
    "cannot_record_access": ("×記録できません", "扉は開きません", "急用は{night}へ", "{repair}"),
    "out_of_order": ("！この端末は停止", "隣の端末を", "お使いください", "{repair}"),
    "updating": ("○使えます", "設定を更新中", "そのまま", "お使いください"),
}

_EN: Mapping[str, tuple[str, ...]] = {
    # at rest
    "idle": ("{now}", "Hold your card", "to the reader", "{use} {link}"),
    "idle_chosen": ("{now}", "{punch}: hold your", "card here", "chosen {link}"),
    "idle_no_rules": ("{now}", "Not ready yet", "No setup {link}", "{repair}"),
    "starting": ("Starting up", "Please wait"),
    # during a tap
    "reading": ("Reading", "Keep the card", "where it is"),
    "card_left": ("！Please take", "your card"),
    "reader_blocked": ("！Please take", "the card away", "It does not read", "{repair}"),
    # it went well
    "punched_in": ("○IN", "{time} {name}", "Recorded"),
    "punched_out": ("○OUT", "{time} {name}", "Thank you"),
    "punched_away": ("○AWAY", "{time} {name}", "See you later"),
    "punched_back": ("○BACK", "{time} {name}", "Welcome back"),
    "punched_offline": ("○{punch}", "{time} {name}", "To be sent later"),
    "punched_clock_unknown": ("○{punch}", "Clock being set", "Time comes later"),
    "already_punched": ("○DONE", "{punch} at {time}", "Nothing to do"),
    "already_punched_untimed": ("○DONE", "{punch} on record", "Nothing to do"),
    "permitted": ("○ENTER", "{name}", "Please come in"),
    "exit": ("○EXIT", "Please go ahead"),
    # once more
    "again": ("！AGAIN", "Hold your card", "for one second"),
    "again_ask": ("！Once more", "Hold it 1 second", "If no better:", "{help}"),
    "two_cards": ("！One card only", "Part the cards,", "hold one to the", "reader again"),
    # not now, not here
    "no_permit": ("×NO", "Not this room", "{help}"),
    "outside_schedule": ("×CLOSED", "Outside hours", "{night}"),
    "outside_schedule_hours": ("×CLOSED", "{hours}", "{night}"),
    "clock_unknown": ("×NO", "Clock being set", "{night}"),
    "no_rules": ("×LATER", "Not ready yet", "{repair}"),
    # not with this card
    "unknown_card": ("×Unknown card", "Is it another", "card of yours?", "{help}"),
    "other_card": ("×Not this card", "Please use your", "staff card", "{help}"),
    "foreign_card": ("×Not this card", "Please use the", "card we issued", "{help}"),
    "card_stopped": ("×Card on hold", "It does not work", "{help}", "{night}"),
    "card_expired": ("×Card expired", "We lend you a", "day card. Ask", "{help}"),
    "outside_validity": ("×Not valid now", "Please check the", "dates. Ask", "{help}"),
    "card_unfit": ("×Not this card", "It needs a check", "Please ask", "{help}"),
    "card_unconfirmed": ("×Not confirmed", "It does not work", "Please ask", "{help}"),
    # the terminal itself
    "cannot_record": ("×Cannot record", "Please write on", "the paper sheet", "{help}"),
    "cannot_record_access": ("×Cannot record", "Door stays shut", "{night}", "{repair}"),
    "out_of_order": ("！Out of service", "Please use the", "next terminal", "{repair}"),
    "updating": ("○Ready", "Setup is being", "renewed. Please", "go ahead"),
}

WORDING: Mapping[Language, Mapping[str, tuple[str, ...]]] = {Language.JA: _JA, Language.EN: _EN}

PUNCH_WORDS: Mapping[Language, Mapping[Punch, str]] = {
    Language.JA: {Punch.IN: "出勤", Punch.OUT: "退勤", Punch.AWAY: "外出", Punch.BACK: "戻り"},
    Language.EN: {Punch.IN: "IN", Punch.OUT: "OUT", Punch.AWAY: "AWAY", Punch.BACK: "BACK"},
}

_CONTACTS: Mapping[Language, Mapping[str, str]] = {
    Language.JA: {"help": "総務課", "repair": "管財係", "night": "宿直室"},
    Language.EN: {"help": "General Affairs", "repair": "Facilities", "night": "Night desk"},
}


def columns(text: str) -> int:
    """How many columns ``text`` takes: two for a full-width character, one for a half-width one.

    Half-width are ASCII and the half-width katakana block; variation selectors take no room.
    """
    return sum(_columns_of(character) for character in text)


def printable(text: str) -> bool:
    """Whether ``text`` is free of control characters, line ends and direction marks."""
    return not any(
        character < " "
        or "\x7f" <= character <= "\x9f"
        or "\u200b" <= character <= "\u200f"
        or "\u2028" <= character <= "\u202e"
        or "\u2060" <= character <= "\u206f"
        for character in text
    )


def compose(key: str, rules: Rules, values: Values, otherwise: Values | None = None) -> Screen:
    """The screen of text ``key``, its blanks filled with ``values`` and the town's contacts.

    ``otherwise`` replaces single values in the lines that are shown where the font lacks a
    character (kana for a name). Neither a town's wording nor a long value raises.

    Raises:
        KeyError: ``key`` is not a text, or a blank of the default text has no value.
    """
    known = {**_contacts(rules), **values}
    text = WORDING[rules.settings.language][key]
    missing = {name for line in text for name in (_pieces(line) or [])[1::2]} - known.keys()
    if missing:
        raise KeyError(f"text {key} has no value for {', '.join(sorted(missing))}")
    own = rules.texts.get(key, ())
    if _showable(own, key, known):
        text = own
    lines = []
    for line, room in zip(text, _rooms(key), strict=False):
        shown = _line(line, known, room)
        if line and not shown:
            continue  # all its blanks stayed empty
        spare = _line(line, {**known, **(otherwise or {})}, room)
        lines.append(Line(shown, spare if spare != shown else ""))
    if key in BIG:
        return Screen(key, tuple(lines[1:]), headline=lines[0])
    return Screen(key, tuple(lines))


def _contacts(rules: Rules) -> dict[str, tuple[str, ...]]:
    """Whom to ask: as the town wrote it, and only its first word where there is less room."""
    own = {
        role: text
        for role, text in rules.settings.contacts.items()
        if text.strip() and printable(text)
    }
    named = {**_CONTACTS[rules.settings.language], **own}
    return {role: (text, text.split()[0]) for role, text in named.items()}


def _showable(text: Sequence[str], key: str, values: Values) -> bool:
    """Whether a town's text can be shown as it is meant: known blanks, enough room, not empty."""
    rooms = _rooms(key)
    if len(text) > len(rooms):
        return False
    lines = [_fill(line, values, room) for line, room in zip(text, rooms, strict=False)]
    return None not in lines and any(lines) and not (key in BIG and not lines[0])


def _line(line: str, values: Values, room: int) -> str:
    """``line`` filled; where even the shortest wordings are too long, cut to ``room`` columns."""
    text = _fill(line, values, room)
    if text is None:
        text = _fill(line, values, None) or ""
        while columns(text) > room:
            text = text[:-1]
    return text


def _fill(line: str, values: Values, room: int | None) -> str | None:
    """``line`` with its blanks filled by the longest wordings that fit into ``room`` columns.

    None if a blank is unknown, a brace stands alone, a control character is in it, or nothing
    fits. With ``room`` None the shortest wordings are taken, and nothing is too long.
    """
    pieces = _pieces(line)
    if pieces is None or any(name not in values for name in pieces[1::2]):
        return None
    choices = max((len(values[name]) for name in pieces[1::2]), default=1)
    for choice in range(choices) if room is not None else [choices - 1]:
        words = [
            values[piece][min(choice, len(values[piece]) - 1)] if index % 2 else piece
            for index, piece in enumerate(pieces)
        ]
        text = "".join(words)
        # Only blanks that stayed empty leave spaces behind; a town's own indent stays.
        text = text.strip() if len(pieces) > 1 else text
        if printable(text) and (room is None or columns(text) <= room):
            return text
    return None


def _pieces(line: str) -> list[str] | None:
    """Text, blank's name, text, blank's name, ..., text; None if the braces do not pair.

    Written out instead of ``str.format``, whose blanks reach into a value's attributes.
    """
    pieces = []
    rest = line
    while "{" in rest:
        before, _, rest = rest.partition("{")
        name, closed, rest = rest.partition("}")
        if not closed or "}" in before or "{" in name:
            return None
        pieces += [before, name]
    return None if "}" in rest else [*pieces, rest]


def _rooms(key: str) -> tuple[int, ...]:
    """The columns of each line that a text of this form may have."""
    return (HEADLINE_COLUMNS, COLUMNS, COLUMNS) if key in BIG else (COLUMNS,) * 4


def _columns_of(character: str) -> int:
    if "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef":
        return 0
    return 1 if character <= "~" or "｡" <= character <= "ﾟ" else 2
