"""The local settings file: what is taken, and how a mistake is told."""

from pathlib import Path

import pytest

from terminal.config import Settings, SettingsError, load

GOOD = """
[terminal]
site = "tonosho"
id = "t-archive"
state = "state"
identity = "identity"

[broker]
host = "127.0.0.1"

[reader]
blocked_after = "4 s"
recover = [["systemctl", "restart", "pcscd"]]
"""


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "kazasu.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_a_short_file_is_enough(tmp_path: Path) -> None:
    settings = read(tmp_path, GOOD)
    assert settings.terminal == "t-archive"
    assert settings.state == tmp_path / "state"
    assert settings.broker.port == 8883
    assert settings.clock == "kernel"
    assert settings.reader.blocked_after_ms == 4000
    assert settings.reader.recover == (("systemctl", "restart", "pcscd"),)
    assert settings.pins.buttons == (5, 6, 13, 19)


def test_an_unknown_key_is_refused_with_its_line_and_the_known_ones(tmp_path: Path) -> None:
    text = GOOD + 'bloked_after = "3 s"\n'
    with pytest.raises(SettingsError) as refusal:
        read(tmp_path, text)
    told = str(refusal.value)
    assert "line 14" in told
    assert "'bloked_after'" in told
    assert "blocked_after" in told


def test_an_unknown_table_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no \[door\]; accepted: \[terminal\]"):
        read(tmp_path, GOOD + "[door]\n")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('recover_after = "10"', 'such as "5 ms", "5 s", "5 min"'),
        ('recover_after = "10 Hz"', 'such as "5 ms"'),
        ("recover_after = 10", 'such as "5 ms"'),
        ('slot = "usb"', '"pcsc" or "socket:PATH"'),
        ("name = 3", "a text"),
    ],
)
def test_a_wrong_unit_or_kind_is_refused_with_line_and_accepted_values(
    tmp_path: Path, line: str, told: str
) -> None:
    with pytest.raises(SettingsError, match="line 14") as refusal:
        read(tmp_path, GOOD + line + "\n")
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("pins", "strike = 40"),
        ("pins", "strike = true"),
        ("pins", 'buttons = "5"'),
        ("pins", "buttons = [5, 99]"),
        ("pins", 'strike_active = "up"'),
        ("display", 'driver = "lcd"'),
        ("display", "rotate = 4"),
    ],
)
def test_a_value_out_of_bounds_is_refused(tmp_path: Path, table: str, line: str) -> None:
    with pytest.raises(SettingsError, match="accepted:"):
        read(tmp_path, f"{GOOD}[{table}]\n{line}\n")


@pytest.mark.parametrize("command", ["3", "[3]", "[[]]", "[[3]]"])
def test_a_command_that_is_not_a_list_of_words_is_refused(tmp_path: Path, command: str) -> None:
    with pytest.raises(SettingsError, match="lists of words"):
        read(tmp_path, GOOD.replace('[["systemctl", "restart", "pcscd"]]', command))


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\[broker\] host is missing"):
        read(tmp_path, GOOD.replace('host = "127.0.0.1"', ""))


def test_an_id_that_no_topic_can_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a-z, 0-9 and -"):
        read(tmp_path, GOOD.replace("t-archive", "第1書庫"))


def test_a_name_of_the_town_hall_s_own_is_no_terminal_s(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 4.*the town hall has ledger"):
        read(tmp_path, GOOD.replace("t-archive", "ledger"))


def test_a_table_that_is_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"write \[pins\]"):
        read(tmp_path, "pins = 3\n" + GOOD)


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"[terminal", "not valid TOML"), (b"\xff", "not UTF-8"), (b"#" * 65_537, "over 65536")],
)
def test_a_file_that_is_no_settings_file_is_refused(
    tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "kazasu.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=told):
        load(path)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"kazasu\.toml cannot be read"):
        load(tmp_path / "kazasu.toml")
