"""Every reason has a tone, lamps and words, and no two meanings can be taken for one another."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from itertools import combinations

import pytest

from terminal.core.feedback import (
    FEEDBACK,
    SIGNALS,
    idle_screen,
    notice_screen,
    outcome_screen,
    signal_of,
)
from terminal.core.moment import ClockQuality, ClockState, Stamp
from terminal.core.reasons import Note, Reason, Result
from terminal.core.records import Entry, Punch, RecordKind
from terminal.core.roster import Holder
from terminal.core.rules import (
    Language,
    NameShown,
    Permit,
    Portal,
    Rules,
    TerminalSettings,
    Use,
    no_rules,
)
from terminal.core.schedule import Interval, Schedule
from terminal.core.screens import WORDING
from terminal.core.signals import DARK, Blink, Screen, Signal

MORNING = datetime(2026, 3, 31, 23, 24, 5, tzinfo=UTC)  # 8:24:05 on Wednesday, 1 April, in town
EVENING = datetime(2026, 4, 1, 8, 32, tzinfo=UTC)
SYNCED = ClockQuality(ClockState.SYNCED)
UNKNOWN = ClockQuality(ClockState.UNKNOWN)
SUZUKI = Holder("h-1", "鈴木 花子", "スズキ ハナコ", "総務課", frozenset({"staff"}))
OFFICE = frozenset({0, 1, 2, 3, 4})
PUNCHED = {
    Reason.PUNCHED_IN: Punch.IN,
    Reason.PUNCHED_OUT: Punch.OUT,
    Reason.PUNCHED_AWAY: Punch.AWAY,
    Reason.PUNCHED_BACK: Punch.BACK,
    Reason.ALREADY_PUNCHED: Punch.IN,
}
SIGN = {
    Signal.DONE: "○",
    Signal.DONE_NOTICE: "○",
    Signal.REFUSED: "×",
    Signal.AGAIN: "！",
}


def rules_at(
    use: Use = Use.ATTENDANCE,
    schedules: Mapping[str, Schedule] | None = None,
    permits: tuple[Permit, ...] = (),
    language: Language = Language.JA,
    name_shown: NameShown = NameShown.SURNAME,
) -> Rules:
    contacts = {"help": "総務課 内線203", "repair": "管財係 内線210", "night": "宿直室 内線100"}
    return Rules(
        7,
        MORNING,
        TerminalSettings("hall-1", use, "a", language, name_shown, contacts=contacts),
        portals={"a": Portal("a", "第1書庫")},
        permits=permits,
        schedules=schedules or {},
    )


def entry_of(
    reason: Reason | Note,
    at: datetime = MORNING,
    quality: ClockQuality = SYNCED,
    portal: str | None = None,
) -> Entry:
    stamp = Stamp(at, "boot", 1, quality)
    return Entry(
        RecordKind.TAP,
        Result.GRANTED,
        reason,
        stamp,
        punch=PUNCHED.get(Reason(reason)) if isinstance(reason, Reason) else None,
        portal=portal,
    )


def told(
    reason: Reason,
    rules: Rules | None = None,
    holder: Holder | None = SUZUKI,
    link_up: bool = True,
    quality: ClockQuality = SYNCED,
    at: datetime = MORNING,
    duplicate_of: datetime | None = None,
) -> list[str]:
    entry = entry_of(reason, at, quality, portal="a")
    rules = rules or rules_at()
    return lines_of(
        outcome_screen(rules, entry, holder, link_up=link_up, duplicate_of=duplicate_of)
    )


def lines_of(screen: Screen) -> list[str]:
    head = [screen.headline.text] if screen.headline else []
    return head + [line.text for line in screen.lines]


def lit(blink: Blink) -> bool:
    return blink.on_ms > 0


def rhythm(signal: Signal) -> tuple[object, ...]:
    pattern = SIGNALS[signal]
    tone = tuple((beep.hertz > 0, beep.ms) for beep in pattern.tone)
    return tone, pattern.ring, pattern.cross


# the tables


def test_every_signal_has_its_pattern() -> None:
    assert set(SIGNALS) == set(Signal)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_told_by_tone_lamps_and_words_in_both_languages(reason: Reason) -> None:
    feedback = FEEDBACK[reason]
    pattern = SIGNALS[signal_of(reason)]
    assert any(beep.hertz > 0 for beep in pattern.tone)
    assert lit(pattern.ring) or lit(pattern.cross)
    for language in Language:
        assert WORDING[language][feedback.screen]
        screen = told(reason, rules_at(language=language), duplicate_of=MORNING)
        assert screen[0]


@pytest.mark.parametrize("reason", list(Reason))
def test_the_sign_on_the_screen_is_that_of_the_lamp(reason: Reason) -> None:
    for language in Language:
        first = WORDING[language][FEEDBACK[reason].screen][0]
        assert first.startswith(SIGN[signal_of(reason)])


def test_no_two_signals_share_rhythm_and_lamps() -> None:
    for one, other in combinations(Signal, 2):
        assert rhythm(one) != rhythm(other)


def test_without_ears_going_and_stopping_differ_by_the_place_of_the_lamp() -> None:
    places = {signal: (lit(SIGNALS[signal].ring), lit(SIGNALS[signal].cross)) for signal in Signal}
    assert places[Signal.DONE] == places[Signal.DONE_NOTICE] == (True, False)
    assert places[Signal.REFUSED] == places[Signal.CANNOT_RECORD] == (False, True)
    assert places[Signal.AGAIN] == (True, True)
    assert places[Signal.QUIET] == (False, False)
    assert SIGNALS[Signal.REFUSED].cross != SIGNALS[Signal.CANNOT_RECORD].cross


def test_no_tone_is_above_what_older_ears_hear() -> None:
    assert all(beep.hertz <= 2500 for pattern in SIGNALS.values() for beep in pattern.tone)


def test_the_tones_are_those_of_the_ticket_gate() -> None:
    def sounds(signal: Signal) -> list[tuple[int, int]]:
        return [(beep.hertz, beep.ms) for beep in SIGNALS[signal].tone if beep.hertz]

    assert sounds(Signal.DONE) == [(2000, 120)]
    assert sounds(Signal.DONE_NOTICE) == [(2000, 90)] * 2
    assert sounds(Signal.AGAIN) == [(1000, 150)] * 2
    assert sounds(Signal.REFUSED) == [(440, 500)]
    assert sounds(Signal.CANNOT_RECORD) == [(440, 500)] * 2
    assert sounds(Signal.CARD_LEFT) == [(2000, 90)] * 6
    assert sounds(Signal.QUIET) == []


def test_a_card_left_is_told_every_three_seconds_three_times() -> None:
    starts, at = [], 0
    for beep in SIGNALS[Signal.CARD_LEFT].tone:
        starts += [at] if beep.hertz else []
        at += beep.ms
    assert starts[::2] == [0, 3000, 6000]


def test_the_lamps_keep_their_times() -> None:
    assert SIGNALS[Signal.DONE].ring == Blink(1500, 0, 1500)
    assert SIGNALS[Signal.REFUSED].cross == Blink(100, 100, 2000)
    assert SIGNALS[Signal.AGAIN].ring == SIGNALS[Signal.AGAIN].cross == Blink(250, 250, 2000)
    stays = SIGNALS[Signal.CANNOT_RECORD].cross
    assert (stays.off_ms, stays.total_ms) == (0, 0)
    assert SIGNALS[Signal.QUIET].ring == DARK


# outcomes


def test_a_punch_shows_when_the_card_was_first_seen_and_whose_it_was() -> None:
    assert told(Reason.PUNCHED_IN) == ["○出勤", "8:24 鈴木さん", "記録しました"]
    assert told(Reason.PUNCHED_OUT, at=EVENING) == ["○退勤", "17:32 鈴木さん", "お疲れさまでした"]
    assert told(Reason.PUNCHED_AWAY)[0] == "○外出"
    assert told(Reason.PUNCHED_BACK)[0] == "○戻り"


def test_a_wall_that_shows_no_names_shows_none() -> None:
    screen = told(Reason.PUNCHED_IN, rules_at(name_shown=NameShown.NONE))
    assert screen == ["○出勤", "8:24", "記録しました"]


@pytest.mark.parametrize("name", ["", " ", "\u202e"])
def test_a_holder_without_a_name_is_let_in_all_the_same(name: str) -> None:
    assert told(Reason.PERMITTED, holder=Holder("h-2", name)) == ["○入室", "お入りください"]


def test_only_the_surname_and_its_kana_are_on_the_wall() -> None:
    screen = outcome_screen(rules_at(), entry_of(Reason.PERMITTED), SUZUKI, link_up=True)
    assert screen.lines[0].text == "鈴木さん"
    assert screen.lines[0].otherwise == "スズキさん"


def test_with_the_line_down_a_punch_is_recorded_and_sent_later() -> None:
    screen = told(Reason.PUNCHED_IN, link_up=False)
    assert screen == ["○出勤", "8:24 鈴木さん", "送信は後で自動"]


def test_a_door_says_nothing_of_the_line() -> None:
    assert told(Reason.PERMITTED, link_up=False) == told(Reason.PERMITTED, link_up=True)


def test_with_the_clock_unknown_a_punch_shows_no_time() -> None:
    screen = told(Reason.PUNCHED_IN, quality=UNKNOWN)
    assert screen == ["○出勤", "時計を調整中です", "時刻は後で確定"]


def test_a_repeated_punch_shows_the_time_that_counts() -> None:
    screen = told(Reason.ALREADY_PUNCHED, at=EVENING, duplicate_of=MORNING)
    assert screen == ["○記録済", "出勤は8:24です", "再操作は不要です"]


@pytest.mark.parametrize(("quality", "of"), [(SYNCED, None), (UNKNOWN, MORNING)])
def test_a_repeated_punch_of_unknown_time_shows_none(
    quality: ClockQuality, of: datetime | None
) -> None:
    screen = told(Reason.ALREADY_PUNCHED, quality=quality, duplicate_of=of)
    assert screen == ["○記録済", "出勤は記録ずみ", "再操作は不要です"]


def test_no_permit_says_whom_to_ask() -> None:
    assert told(Reason.NO_PERMIT) == ["×不可", "この部屋は未登録", "総務課 内線203"]


def test_an_unknown_card_has_no_holder() -> None:
    assert told(Reason.UNKNOWN_CREDENTIAL, holder=None)[0] == "×未登録カード"


def test_a_stopped_and_a_revoked_card_are_told_the_same() -> None:
    assert told(Reason.CREDENTIAL_STOPPED) == told(Reason.CERTIFICATE_REVOKED, holder=None)


def test_a_copied_and_a_replayed_card_are_told_the_same() -> None:
    assert told(Reason.WRONG_KEY, holder=None) == told(Reason.REPLAYED, holder=None)


def test_the_terminals_own_note_is_no_outcome() -> None:
    with pytest.raises(ValueError, match="started"):
        outcome_screen(rules_at(), entry_of(Note.STARTED), None, link_up=True)


# the hours of a permit


def office(
    start: time = time(7, 30), end: time = time(19), days: frozenset[int] = OFFICE
) -> dict[str, Schedule]:
    return {"office": Schedule("office", (Interval(days, start, end),))}


def hours_told(
    schedules: Mapping[str, Schedule],
    permits: tuple[Permit, ...],
    holder: Holder | None = SUZUKI,
    language: Language = Language.JA,
) -> list[str]:
    rules = rules_at(schedules=schedules, permits=permits, language=language)
    return told(Reason.OUTSIDE_SCHEDULE, rules, holder)


OF_GROUP = (Permit("a", "office", group="staff"),)


def test_out_of_hours_the_hours_are_told() -> None:
    expected = ["×時間外", "平日7:30-19:00", "急用は宿直室へ"]
    assert hours_told(office(), OF_GROUP) == expected
    assert hours_told(office(), (Permit("a", "office", holder="h-1"),)) == expected


@pytest.mark.parametrize(
    ("days", "start", "end", "language", "line"),
    [
        (frozenset({5, 6}), time(9), time(0), Language.JA, "土日9:00-24:00"),
        (frozenset(range(7)), time(6), time(22), Language.JA, "毎日6:00-22:00"),
        (frozenset({0, 2, 4}), time(8, 30), time(17, 15), Language.JA, "月水金8:30-17:15"),
        (frozenset({1, 3}), time(8), time(9), Language.EN, "TuTh 8:00-9:00"),
        (OFFICE, time(7, 30), time(19), Language.EN, "Mo-Fr 7:30-19:00"),
    ],
)
def test_hours_are_told_in_words_of_the_town(
    days: frozenset[int], start: time, end: time, language: Language, line: str
) -> None:
    schedules = office(start, end, days)
    assert hours_told(schedules, OF_GROUP, language=language)[1] == line


@pytest.mark.parametrize(
    ("schedules", "permits", "holder"),
    [
        (office(), OF_GROUP, None),
        (office(), (Permit("b", "office", group="staff"),), SUZUKI),
        (office(), (Permit("a", "office", group="guards"),), SUZUKI),
        (office(), (Permit("a", "office", holder="h-9"),), SUZUKI),
        (office(), (Permit("a", "office", group="staff", not_after=MORNING),), SUZUKI),
        (office(), (Permit("a", "office", group="staff", not_before=MORNING),), SUZUKI),
        (office(days=frozenset({0, 1, 3, 5}), start=time(10)), OF_GROUP, SUZUKI),
        ({"office": Schedule("office")}, OF_GROUP, SUZUKI),
    ],
)
def test_hours_that_do_not_make_one_line_are_not_told(
    schedules: Mapping[str, Schedule], permits: tuple[Permit, ...], holder: Holder | None
) -> None:
    assert hours_told(schedules, permits, holder)[1] == "入室できません"


# between taps


def idle(
    rules: Rules | None = None,
    mode: Punch | None = None,
    link_up: bool = True,
    clock_known: bool = True,
    at: datetime = MORNING,
) -> list[str]:
    return lines_of(
        idle_screen(rules or rules_at(), at, mode=mode, link_up=link_up, clock_known=clock_known)
    )


def test_at_rest_the_time_with_seconds_and_the_mode_are_shown() -> None:
    assert idle() == ["4/1(水)  8:24:05", "カードを", "かざしてください", "自動判定 通信○"]


def test_the_time_keeps_its_place_on_every_day() -> None:
    lines = {
        idle(at=datetime(2026, month, day, hour, 59, 59, tzinfo=UTC))[0]
        for month in (4, 12)
        for day in (1, 30)
        for hour in (0, 14)
    }
    assert {"4/1(水) 23:59:59", "4/30(木) 9:59:59", "12/30水 23:59:59"} <= lines
    assert all(line.endswith(":59:59") and len(line[:-8].encode("cp932")) == 8 for line in lines)


def test_a_chosen_punch_stands_on_the_screen() -> None:
    assert idle(mode=Punch.OUT)[1:] == ["【退勤】カードを", "かざしてください", "選択中 通信○"]


def test_a_lost_line_and_an_unknown_clock_are_shown() -> None:
    assert idle(link_up=False)[3] == "自動判定 通信×"
    assert idle(clock_known=False)[0] == "時計を調整中です"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("第1書庫", "第1書庫 通信○"),
        ("議会事務局会議室", "入室 通信○"),
        (" ", "入室 通信○"),
        ("\n", "入室 通信○"),
    ],
)
def test_a_door_shows_its_name_where_there_is_room(name: str, line: str) -> None:
    rules = rules_at(use=Use.ACCESS)
    rules = Rules(7, None, rules.settings, portals={"a": Portal("a", name)})
    assert idle(rules)[3] == line


def test_a_terminal_without_rules_says_that_it_is_not_ready() -> None:
    assert idle(no_rules("hall-1"))[1:] == ["準備中です", "設定待ち 通信○", "管財係"]


def test_english_has_its_own_date() -> None:
    assert idle(rules_at(language=Language.EN))[0] == "1 Apr    8:24:05"


# notices


def test_a_failed_record_points_to_paper_or_says_that_the_door_stays_shut() -> None:
    assert notice_screen("cannot_record", rules_at()).key == "cannot_record"
    at_door = notice_screen("cannot_record", rules_at(use=Use.ACCESS))
    assert at_door.key == "cannot_record_access"


@pytest.mark.parametrize(("given", "drawn"), [(None, None), (3, 3), (99, 8), (-1, 0)])
def test_the_bar_stays_within_its_eight_steps(given: int | None, drawn: int | None) -> None:
    assert notice_screen("reading", rules_at(), bar=given).bar == drawn


@pytest.mark.parametrize(
    "key",
    [
        "starting",
        "reading",
        "card_left",
        "reader_blocked",
        "cannot_record",
        "out_of_order",
        "updating",
        "exit",
    ],
)
def test_notices_need_no_values(key: str) -> None:
    for language in Language:
        assert lines_of(notice_screen(key, rules_at(language=language)))


def test_a_notice_takes_values() -> None:
    assert lines_of(notice_screen("already_punched", rules_at(), punch="出勤", time="8:24"))
