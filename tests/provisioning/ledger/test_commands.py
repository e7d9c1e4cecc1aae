"""The ledger's commands as people and programs use them."""

import csv
import io
import json
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.authority import ensure_town
from provisioning.authority_files import private_pem
from provisioning.ledger.__main__ import main
from provisioning.ledger.alarms import LedgerAlarm, Raised
from terminal.wire.chain import hash_of
from terminal.wire.signed import RECORD, verify
from tests.provisioning.ledger.desk import Desk
from tests.provisioning.ledger.wall import EPOCH, MORNING_MS, Wall


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A ledger that lies in a whole town directory, under the town's own ledger key."""
    ensure_town(tmp_path, "minami")
    desk = Desk(tmp_path)
    (tmp_path / "ledger" / "ledger.pub").write_bytes(desk.public_pem())
    yield desk
    desk.store.close()


@pytest.fixture
def three(desk: Desk, wall: Wall) -> Wall:
    desk.take(wall, wall.tap(), wall.tap(result="denied", reason="no_permit"), wall.tap())
    return wall


def test_verify_says_that_all_is_proven(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(desk.path), "--language", "en"]) == 0
    said = capsys.readouterr().out
    assert "3 records up to number 3, all proven" in said
    assert said.endswith("ledger: 3 records, 0 quarantined, chain ok\n")


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "number 2: a record is missing"), ("ja", "2番 記録が欠けています")],
)
def test_verify_names_the_first_fault_and_fails(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str], language: str, said: str
) -> None:
    with closing(sqlite3.connect(desk.path)) as db, db:
        db.execute("DELETE FROM records WHERE seq = 2")
    assert main(["verify", str(desk.path), "--language", language]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "[dropped]" in out


def test_verify_tells_programs_the_same(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(desk.path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["whole"], report["records"], report["quarantined"]) == (True, 3, 0)
    with closing(sqlite3.connect(desk.path)) as db, db:
        db.execute("DELETE FROM records WHERE seq = 2")
    assert main(["verify", str(desk.path), "--json"]) == 1
    (chain,) = json.loads(capsys.readouterr().out)["chains"]
    assert chain["terminal"] == "gate-1"
    assert (chain["broken"]["seq"], chain["broken"]["fault"]) == (2, "dropped")


@pytest.mark.parametrize(
    ("language", "told", "summed"),
    [
        ("en", "gate-1: nothing is held of it", "nothing is held of 1 enrolled terminal"),
        ("ja", "gate-1: 記録がありません", "登録ずみの端末1台の記録がありません"),
    ],
)
def test_over_an_emptied_database_nothing_is_called_proven(
    desk: Desk,
    three: Wall,
    capsys: pytest.CaptureFixture[str],
    language: str,
    told: str,
    summed: str,
) -> None:
    with closing(sqlite3.connect(desk.path)) as db, db:
        for table in ("records", "receipts", "heads", "alarms"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from this list
    assert main(["verify", str(desk.path), "--language", language]) == 1
    said = capsys.readouterr().out
    assert told in said
    assert said.splitlines()[-1].endswith(summed)
    assert "chain ok" not in said
    assert main(["verify", str(desk.path), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["whole"], report["nothing_held"]) == (False, ["gate-1"])


def test_a_terminal_that_has_delivered_nothing_is_named_beside_those_that_have(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.enrolled_wall("gate-2")
    assert main(["verify", str(desk.path), "--language", "en"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "gate-2: nothing is held of it" in said
    assert said[-1].endswith("chain ok, nothing is held of 1 enrolled terminal")


def test_before_the_first_terminal_there_is_nothing_to_prove(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(desk.path), "--language", "en"]) == 0
    assert capsys.readouterr().out == "ledger: 0 records, 0 quarantined, nothing to prove\n"


def test_open_alarms_are_counted_by_verify_and_listed(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(three, Wall().tap())
    desk.store.raise_alarm(Raised(LedgerAlarm.RECORDS_MISSING, "gate-1", EPOCH), MORNING_MS)
    with desk.store.transaction():
        desk.store.end_alarm(LedgerAlarm.RECORDS_MISSING, "gate-1", EPOCH, MORNING_MS)
    assert main(["verify", str(desk.path), "--language", "en"]) == 0
    alarmed, summed = capsys.readouterr().out.splitlines()[-2:]
    assert alarmed == f"1 alarm is open; see: ./kazasu town ledger alarms {desk.path}"
    assert summed.endswith("chain ok")
    assert main(["alarms", str(desk.path), "--language", "en"]) == 0
    assert capsys.readouterr().out == (
        "2026-11-18 20:06:42  gate-1  records without valid signature [signature_invalid]"
        "  1 time  no enrolled key of this terminal signed it\n"
    )
    assert main(["alarms", str(desk.path), "--language", "ja"]) == 0
    assert "署名が確認できない記録 [signature_invalid]  1回" in capsys.readouterr().out
    assert main(["alarms", str(desk.path), "--json"]) == 0
    (alarm,) = json.loads(capsys.readouterr().out)
    assert (alarm["alarm"], alarm["terminal"], alarm["count"]) == ("signature_invalid", "gate-1", 1)
    assert main(["alarms", str(desk.path), "--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_no_alarm_is_said_in_words(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alarms", str(desk.path), "--language", "en"]) == 0
    assert capsys.readouterr().out == "No alarm is open.\n"


def test_the_help_names_the_command_as_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out.startswith("usage: ./kazasu town ledger ")


@pytest.mark.usefixtures("three")
def test_the_database_is_its_owners_alone(desk: Desk) -> None:
    files = list(desk.path.parent.glob("ledger.db*"))
    assert {path.name for path in files} >= {"ledger.db", "ledger.db-wal", "ledger.db.lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_database_elsewhere_needs_the_town_named(
    desk: Desk, three: Wall, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.store.close()
    elsewhere = tmp_path / "copies" / "deep" / "ledger.db"
    elsewhere.parent.mkdir(parents=True)
    desk.path.rename(elsewhere)
    assert main(["verify", str(elsewhere)]) == 2
    assert "--town" in capsys.readouterr().err
    assert main(["verify", str(elsewhere), "--town", str(tmp_path)]) == 0
    desk.open()


def test_the_town_directory_names_its_ledger(
    desk: Desk, three: Wall, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("verify", "alarms", "show", "export"):
        assert main([command, str(desk.path)]) == 0
        of_the_file = capsys.readouterr().out
        for folder in (tmp_path, desk.path.parent):
            assert main([command, str(folder)]) == 0
            assert capsys.readouterr().out == of_the_file


def test_a_folder_with_neither_town_nor_ledger_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    assert main(["verify", str(folder)]) == 2
    told = capsys.readouterr().err
    assert f"{folder} holds neither a town (town.toml) nor a ledger (ledger.db)" in told
    assert "init" not in told


def test_show_says_when_there_is_no_record(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(desk.path), "--language", "en"]) == 0
    assert capsys.readouterr().out == "There is no record yet.\n"


def test_a_database_that_is_not_there_is_named(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(tmp_path / "ledger" / "other.db")]) == 2
    assert "other.db is not there" in capsys.readouterr().err


def test_show_lists_the_latest_records_in_the_town_s_time(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", str(desk.path), "-n", "2", "--language", "ja"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "2026-11-18 20:06:42  gate-1 #2  ×  この扉は対象外  h-0001",
        "2026-11-18 20:06:43  gate-1 #3  ○  出勤  h-0001",
    ]


def test_show_marks_a_time_that_was_not_sure(
    desk: Desk, wall: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(wall, wall.tap(clock="unknown"))
    assert main(["show", str(desk.path)]) == 0
    assert capsys.readouterr().out.startswith("~2026-11-18")


def test_the_csv_holds_every_proven_record_to_the_millisecond(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(three, Wall().tap())
    assert main(["export", str(desk.path)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["seq"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["at"] == "2026-11-18T11:06:41.000+00:00"
    assert rows[0]["hash"] == hash_of(three.sent[0])
    assert MORNING_MS % 1000 == 0


def test_no_cell_of_the_csv_is_a_formula(
    desk: Desk, wall: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(wall, wall.tap(purpose="=cmd|'/c calc'!A1"))
    assert main(["export", str(desk.path)]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["purpose"].startswith("'=")


def test_the_json_lines_hold_the_very_bytes_so_that_they_can_be_proven(
    desk: Desk, three: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(desk.path), "--format", "jsonl"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    payloads = [line["payload"].encode() for line in lines]
    assert payloads == three.sent
    for payload in payloads:
        verify(RECORD, payload, [three.key.public_key()])


def test_a_ledger_key_on_another_curve_is_refused_before_anything_is_collected(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "ledger" / "ledger.key").write_bytes(private_pem(key))
    assert main(["serve", "--town", str(tmp_path)]) == 2
    assert "a ledger's key is P-256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"), [(b"nothing", "no readable public key"), (None, "holds no ledger.pub")]
)
def test_without_the_ledgers_public_key_verify_says_what_is_missing(
    desk: Desk,
    three: Wall,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    said: str,
) -> None:
    path = tmp_path / "ledger" / "ledger.pub"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert main(["verify", str(desk.path)]) == 2
    assert said in capsys.readouterr().err


def test_times_that_no_calendar_holds_are_shown_as_they_are(
    desk: Desk, wall: Wall, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.take(wall, wall.tap(at_ms=2**62), wall.tap(at_ms=None))
    assert main(["show", str(desk.path)]) == 0
    assert main(["export", str(desk.path)]) == 0
    first, second, _, *rows = capsys.readouterr().out.splitlines()
    assert first.startswith(str(2**62))
    assert second.startswith("?")
    assert [row.split(",")[3] for row in rows] == [str(2**62), ""]
