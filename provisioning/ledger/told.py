"""What ``verify`` and ``alarms`` print for people, one line each, in Japanese or English."""

from pathlib import Path
from typing import NamedTuple

from provisioning.ledger.tables import StoredAlarm
from provisioning.ledger.totals import town_time
from provisioning.ledger.verify import ChainVerdict
from provisioning.ledger.words import ALARMS, FAULTS, Language, word


class Sums(NamedTuple):
    """Of a whole ledger: proven records, quarantined messages, broken chains, silent terminals."""

    records: int
    aside: int
    broken: int
    silent: int


def chain(one: ChainVerdict, language: Language) -> str:
    """One terminal's epoch: all proven, or its first fault."""
    about = f"{one.terminal} {one.epoch}: "
    if one.broken is None:
        if language is Language.JA:
            return f"{about}{one.upto}番まで {one.records}件 すべて確認できました"
        return f"{about}{one.records} records up to number {one.upto}, all proven"
    what = word(FAULTS, one.broken.fault, language)
    number = f"{one.broken.seq}番" if language is Language.JA else f"number {one.broken.seq}:"
    return f"{about}{number} {what} [{one.broken.fault}] {one.broken.detail}".rstrip()


def nothing_held(terminal: str, language: Language) -> str:
    """An enrolled terminal of which there is no record."""
    if language is Language.JA:
        return f"{terminal}: 記録がありません"
    return f"{terminal}: nothing is held of it"


def open_alarms(number: int, database: Path, language: Language) -> str:
    """How many alarms are open, and how to see them."""
    command = f"./kazasu town ledger alarms {database}"
    if language is Language.JA:
        return f"警報 {number}件 (一覧: {command})"
    return f"{number} {'alarm is' if number == 1 else 'alarms are'} open; see: {command}"


def ledger(sums: Sums, language: Language) -> str:
    """The last line: the ledger as a whole. Of nothing it does not say that it holds."""
    if language is Language.JA:
        words = [f"異常 {sums.broken}か所"] if sums.broken else []
        words = words or (["chain ok"] if sums.records else [])
        words += [f"登録ずみの端末{sums.silent}台の記録がありません"] if sums.silent else []
        found = "、".join(words or ["確認する記録がまだありません"])
        return f"台帳: 記録 {sums.records}件、隔離 {sums.aside}件、{found}"
    words = [f"{sums.broken} broken"] if sums.broken else []
    words = words or (["chain ok"] if sums.records else [])
    if sums.silent:
        plural = "" if sums.silent == 1 else "s"
        words.append(f"nothing is held of {sums.silent} enrolled terminal{plural}")
    found = ", ".join(words or ["nothing to prove"])
    return f"ledger: {sums.records} records, {sums.aside} quarantined, {found}"


def alarm(one: StoredAlarm, language: Language) -> str:
    """One alarm: when last, where, what, how often, and since when it is over if it is."""
    japanese = language is Language.JA
    where = one.terminal or ("台帳" if japanese else "ledger")
    if one.seq:
        where += f" #{one.seq}"
    times = f"{one.count}回" if japanese else f"{one.count} time{'' if one.count == 1 else 's'}"
    parts = [
        *(town_time(one.last_ms), where, f"{word(ALARMS, one.alarm, language)} [{one.alarm}]"),
        *(times, one.detail),
    ]
    if one.ended_ms is not None:
        parts.append(f"{'終了' if japanese else 'ended'} {town_time(one.ended_ms)}")
    return "  ".join(part for part in parts if part)


def no_record(language: Language) -> str:
    """There is nothing to show yet."""
    return "記録はまだありません。" if language is Language.JA else "There is no record yet."


def no_alarm(language: Language) -> str:
    """There is none."""
    return "警報はありません。" if language is Language.JA else "No alarm is open."
