"""The ledger's codes in the words of people: Japanese first, English beside it.

One table for each kind of code; a test holds that no code is without words. The wording follows
that of the terminals: it says what is, and blames nobody.
"""

from collections.abc import Mapping
from enum import StrEnum

from provisioning.ledger.alarms import LedgerAlarm
from provisioning.ledger.verify import Fault
from terminal.core.reasons import Note, Reason, Result
from terminal.core.records import RecordKind


class Language(StrEnum):
    """In which language a list is written."""

    JA = "ja"
    EN = "en"


Words = Mapping[str, tuple[str, str]]

KINDS: Words = {
    RecordKind.ACCESS: ("入退室", "access"),
    RecordKind.ATTENDANCE: ("出退勤", "attendance"),
    RecordKind.TAP: ("読取り", "tap"),
    RecordKind.TERMINAL: ("端末", "terminal"),
}
RESULTS: Words = {
    Result.GRANTED: ("○", "granted"),
    Result.DENIED: ("×", "denied"),
    Result.DUPLICATE: ("済", "duplicate"),
    Result.UNREADABLE: ("！", "unreadable"),
    Result.NOTED: ("・", "noted"),
}
REASONS: Words = {
    Reason.PERMITTED: ("解錠", "door released"),
    Reason.PUNCHED_IN: ("出勤", "in"),
    Reason.PUNCHED_OUT: ("退勤", "out"),
    Reason.PUNCHED_AWAY: ("外出", "away"),
    Reason.PUNCHED_BACK: ("戻り", "back"),
    Reason.ALREADY_PUNCHED: ("打刻ずみ", "punched already"),
    Reason.UNKNOWN_CREDENTIAL: ("未登録カード", "card not registered"),
    Reason.CREDENTIAL_STOPPED: ("停止中のカード", "card stopped"),
    Reason.HOLDER_NOT_YET_VALID: ("利用開始前", "holder's time has not begun"),
    Reason.HOLDER_EXPIRED: ("利用期間終了", "holder's time has ended"),
    Reason.ASSURANCE_TOO_LOW: ("この扉には別の確認が必要", "this door needs a stronger proof"),
    Reason.NO_PERMIT: ("この扉は対象外", "no permit for this door"),
    Reason.CLOCK_UNKNOWN: ("時計の調整待ち", "the terminal's time was unknown"),
    Reason.OUTSIDE_SCHEDULE: ("利用時間外", "outside the permitted hours"),
    Reason.NO_RULES: ("設定の受信待ち", "the terminal had no rules yet"),
    Reason.NO_APPLICATION: ("対象外のカード", "a card without our application"),
    Reason.TORN: ("途中で離れた", "taken away too early"),
    Reason.MUTE: ("応答なし", "the card did not answer"),
    Reason.GARBLED: ("読み取れない応答", "answers that cannot be read"),
    Reason.CARD_FAULT: ("カード側の異常", "the card reported a fault"),
    Reason.FOREIGN_ISSUER: ("他の発行者のカード", "a card of another issuer"),
    Reason.CERTIFICATE_UNFIT: ("用途の違う証明書", "a certificate for something else"),
    Reason.CERTIFICATE_EXPIRED: ("カード期限切れ", "card expired"),
    Reason.CERTIFICATE_NOT_YET_VALID: ("カード有効期間前", "card not yet valid"),
    Reason.CERTIFICATE_REVOKED: ("失効したカード", "card revoked"),
    Reason.WRONG_KEY: ("鍵が証明書と一致しない", "the key is not the certificate's"),
    Reason.REPLAYED: ("以前の応答の繰り返し", "an old answer was played again"),
    Reason.CARD_SWAPPED: ("カードが途中で替わった", "the card changed meanwhile"),
    Note.STARTED: ("起動", "started"),
    Note.STOPPED: ("終了", "stopped"),
    Note.READER_LOST: ("読取機なし", "reader lost"),
    Note.READER_BACK: ("読取機が復帰", "reader back"),
    Note.DEVICE_FAILED: ("機器の故障", "a device failed"),
    Note.DEVICE_BACK: ("機器が復帰", "a device is back"),
    Note.PUBLICATION_ACTIVE: ("設定を更新", "publication in force"),
    Note.PUBLICATION_REFUSED: ("設定を受け取らず", "publication refused"),
    Note.EXIT_REQUESTED: ("内側から退出", "exit requested"),
    Note.RECORD_UNREADABLE: ("記録が読めなくなった", "a record can no longer be read"),
    Note.JOURNAL_REPLACED: ("記録簿を交換", "the journal was replaced"),
    Note.NOTES_LOST: ("端末の覚えの一部が失われた", "some of the terminal's notes were lost"),
    Note.STEP_FAILED: ("内部の異常", "a fault in the software"),
}
FAULTS: Words = {
    Fault.DROPPED: ("記録が欠けています", "a record is missing"),
    Fault.EDITED: ("記録が書き換えられています", "a record was edited"),
    Fault.REORDERED: ("記録の順序が変わっています", "a record was moved"),
    Fault.FORGED: ("端末の署名ではありません", "not signed by the terminal"),
    Fault.CHAIN_BROKEN: ("前の記録とつながりません", "does not follow the record before"),
    Fault.CLONED: ("同じ番号の記録が二つあります", "two records with one number"),
    Fault.RECEIPT: ("受領証が記録と合いません", "the receipt does not fit"),
    Fault.WITHHELD: ("正しい記録が隔離されています", "a valid record lies in quarantine"),
    Fault.NO_CERTIFICATE: ("端末の証明書がありません", "the terminal's certificate is missing"),
}
ALARMS: Words = {
    LedgerAlarm.MALFORMED: ("形式の違うメッセージ", "malformed messages"),
    LedgerAlarm.SIGNATURE_INVALID: ("署名が確認できない記録", "records without valid signature"),
    LedgerAlarm.TERMINAL_MISMATCH: ("別の端末あての記録", "records for another terminal"),
    LedgerAlarm.KEY_REVOKED: ("失効した鍵の記録", "records by a revoked key"),
    LedgerAlarm.NUMBERLESS: ("番号のない記録", "records without a number"),
    LedgerAlarm.KEY_OUT_OF_SPAN: ("証明書の期間外", "certificate outside its time"),
    LedgerAlarm.NOT_UNDERSTOOD: ("新しい形式の記録", "records this software does not know"),
    LedgerAlarm.CLONE: ("端末が複製された疑い", "the terminal may have been copied"),
    LedgerAlarm.CHAIN_BROKEN: ("記録のつながりが切れている", "the chain of records is broken"),
    LedgerAlarm.RECORD_UNREADABLE: ("端末で失われた記録", "records lost on the terminal"),
    LedgerAlarm.RECORDS_MISSING: ("届かない記録", "records do not arrive"),
    LedgerAlarm.ROLLED_BACK: ("端末の記録が巻き戻った", "the terminal's journal was set back"),
    LedgerAlarm.ENROLMENT_UNREADABLE: ("証明書が読めない", "certificate cannot be read"),
    LedgerAlarm.QUARANTINE_FULL: ("隔離の上限", "quarantine is full"),
    LedgerAlarm.UNKNOWN_TERMINAL: ("登録のない端末名", "names that no terminal here bears"),
    LedgerAlarm.ALARMS_FULL: ("警報一覧の上限", "the list of alarms is full"),
    LedgerAlarm.LEDGER_FAULT: ("台帳内部の異常", "a fault in the ledger"),
}


def word(words: Words, code: object, language: Language) -> str:
    """``code`` in words; a code that this software does not know stands for itself."""
    known = words.get(str(code))
    if known is None:
        return "" if code is None else str(code)
    return known[0] if language is Language.JA else known[1]
