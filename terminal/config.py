"""The local settings file (``kazasu.toml``) as one frozen value, read once at start.

Only what a terminal must know before it can fetch its publication stands here: who it is, where
the broker is, how it is wired. Everything about people, doors and texts is published. An unknown
key, a missing one or a value of the wrong kind or unit is refused with its line and with what is
accepted, because a misspelt safety setting must not silently be the default.

Durations are text with a unit ("500 ms", "5 s", "2 min"), so that nobody has to guess one.
"""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from terminal.config_table import SettingsError, Table
from terminal.wire.topics import TOWN_HALL

__all__ = ["Settings", "SettingsError", "load"]

LONGEST_FILE = 65_536


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is. ``server_name`` is the name its certificate must carry."""

    host: str
    port: int = 8883
    server_name: str = ""
    protocol: str = "5"


@dataclass(frozen=True, slots=True)
class ReaderSettings:
    """``slot`` is "pcsc" or "socket:PATH"; ``recover`` are commands tried one by one."""

    slot: str = "pcsc"
    name: str = ""
    blocked_after_ms: int = 5_000
    recover_after_ms: int = 10_000
    recover: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class DisplaySettings:
    """``driver`` is ssd1306, sh1106, ssd1309 or none; ``rotate`` is 0, or 2 for upside down."""

    driver: str = "ssd1306"
    i2c_bus: int = 1
    i2c_address: int = 0x3C
    rotate: int = 0
    font: str = ""


@dataclass(frozen=True, slots=True)
class PinSettings:
    """BCM numbers. ``strike_active`` is the level that releases the door."""

    strike: int = 17
    strike_active: str = "high"
    ring: int = 23
    cross: int = 24
    buzzer: int = 18
    buttons: tuple[int, ...] = (5, 6, 13, 19)
    exit: int = 26


@dataclass(frozen=True, slots=True)
class PanelSettings:
    """A simulated panel: mock pins whose edges go to ``out_fd``; presses come from ``in_fd``.

    -1 means there is none and real pins are driven.
    """

    out_fd: int = -1
    in_fd: int = -1


@dataclass(frozen=True, slots=True)
class Settings:
    """All local settings. Paths are absolute or relative to the settings file."""

    site: str
    terminal: str
    state: Path
    identity: Path
    broker: BrokerSettings
    clock: str = "kernel"
    reader: ReaderSettings = field(default_factory=ReaderSettings)
    display: DisplaySettings = field(default_factory=DisplaySettings)
    pins: PinSettings = field(default_factory=PinSettings)
    panel: PanelSettings = field(default_factory=PanelSettings)
    journal_capacity: int = 100_000


def load(path: Path) -> Settings:
    """Read and check the settings file at ``path``.

    Raises:
        SettingsError: it cannot be read, is not TOML, or holds something that is not accepted.
    """
    source = _read(path)
    try:
        document = tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    accepted = ("terminal", "broker", "reader", "display", "pins", "panel")
    for name in document:
        if name not in accepted:
            known = ", ".join(f"[{table}]" for table in accepted)
            raise SettingsError(f"{path}: there is no [{name}]; accepted: {known}")
    tables = {name: Table(path, source, name, document.get(name, {})) for name in accepted}
    settings = _settings(path.resolve().parent, tables)
    for table in tables.values():
        table.end()
    if settings.terminal in TOWN_HALL:
        raise tables["terminal"].refuse("id", f"the town hall has {', '.join(TOWN_HALL)} itself")
    return settings


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST_FILE:
            raise SettingsError(f"{path} is over {LONGEST_FILE} bytes; is it the right file?")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not UTF-8; save it as UTF-8") from None


def _settings(folder: Path, tables: dict[str, Table]) -> Settings:
    own, broker, reader = tables["terminal"], tables["broker"], tables["reader"]
    panel = tables["panel"]
    return Settings(
        site=own.identifier("site"),
        terminal=own.identifier("id"),
        state=folder / own.text("state"),
        identity=folder / own.text("identity"),
        clock=own.text("clock", "kernel", among="kernel trusted"),
        journal_capacity=own.number("journal_capacity", 100_000, 100, 10_000_000),
        broker=BrokerSettings(
            host=broker.text("host"),
            port=broker.number("port", 8883, 1, 65535),
            server_name=broker.text("server_name", ""),
            protocol=broker.text("protocol", "5", among="5 3.1.1"),
        ),
        reader=ReaderSettings(
            slot=reader.slot("slot", "pcsc"),
            name=reader.text("name", ""),
            blocked_after_ms=reader.duration_ms("blocked_after", 5_000),
            recover_after_ms=reader.duration_ms("recover_after", 10_000),
            recover=reader.commands("recover"),
        ),
        display=_display(tables["display"]),
        pins=_pins(tables["pins"]),
        panel=PanelSettings(
            out_fd=panel.number("out_fd", -1, -1, 1023),
            in_fd=panel.number("in_fd", -1, -1, 1023),
        ),
    )


def _display(table: Table) -> DisplaySettings:
    return DisplaySettings(
        driver=table.text("driver", "ssd1306", among="ssd1306 sh1106 ssd1309 none"),
        i2c_bus=table.number("i2c_bus", 1, 0, 31),
        i2c_address=table.number("i2c_address", 0x3C, 0x08, 0x77),
        rotate=table.choice("rotate", 0, (0, 2)),
        font=table.text("font", ""),
    )


def _pins(table: Table) -> PinSettings:
    plain = PinSettings()
    return PinSettings(
        strike=table.number("strike", plain.strike, 0, 27),
        strike_active=table.text("strike_active", plain.strike_active, among="high low"),
        ring=table.number("ring", plain.ring, 0, 27),
        cross=table.number("cross", plain.cross, 0, 27),
        buzzer=table.number("buzzer", plain.buzzer, 0, 27),
        buttons=table.pins("buttons", plain.buttons),
        exit=table.number("exit", plain.exit, 0, 27),
    )
