import subprocess
from pathlib import Path

import pytest

from provisioning import parts


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Parts of our own, on a machine that has none."""
    monkeypatch.setenv("KAZASU_PARTS", str(tmp_path / "parts"))
    monkeypatch.setattr(parts, "_MACHINE", tmp_path / "machine")
    return tmp_path


def put(place: Path, text: str = "#!/bin/sh\n") -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(0o755)
    return place


def test_an_unpacked_part_is_found(folder: Path) -> None:
    broker = put(folder / "parts/usr/sbin/mosquitto")
    assert parts.mosquitto() == broker


def test_the_machines_own_copy_is_used_as_it_is(folder: Path) -> None:
    put(folder / "parts/usr/sbin/mosquitto")
    own = put(folder / "machine/usr/sbin/mosquitto")
    assert parts.mosquitto() == own


def test_an_unpacked_browser_is_started_past_its_wrapper(folder: Path) -> None:
    put(folder / "parts/usr/bin/chromium")
    browser = put(folder / "parts/usr/lib/chromium/chromium")
    assert parts.chromium() == browser


@pytest.mark.usefixtures("folder")
def test_a_part_that_is_missing_is_told_with_the_remedy() -> None:
    with pytest.raises(parts.MissingPartError, match=r"Mosquitto.*Run `./kazasu setup demo`"):
        parts.mosquitto()
    with pytest.raises(parts.MissingPartError, match=r"vpcd.*Run `./kazasu setup test`"):
        parts.vpcd_driver()


def test_a_child_finds_the_unpacked_libraries_before_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/own")
    monkeypatch.setenv("TOWN", "Azuma")
    assert parts.environment()["LD_LIBRARY_PATH"] == "/own"
    library = put(folder / "parts/usr/lib/x86_64-linux-gnu/libcacard.so.0")
    old = put(folder / "parts/lib/x86_64-linux-gnu/libdbus-1.so.3").parent
    env = parts.environment()
    assert set(env["LD_LIBRARY_PATH"].split(":")) == {str(library.parent), str(old), "/own"}
    assert env["LD_LIBRARY_PATH"].endswith(":/own")
    assert env["TOWN"] == "Azuma"
    assert parts.library("libcacard.so.0") == library


@pytest.mark.parametrize(
    ("help_text", "flags"),
    [("-f, --foreground", ("--foreground",)),
     ("--disable-polkit", ("--foreground", "--disable-polkit"))],
)  # fmt: skip
def test_pcscd_asks_no_polkit_where_it_would_ask_one(
    folder: Path, help_text: str, flags: tuple[str, ...]
) -> None:
    daemon = put(folder / "parts/usr/sbin/pcscd", f"#!/bin/sh\necho '{help_text}'\n")
    assert parts.pcscd_command() == (str(daemon), *flags)


@pytest.mark.real
def test_the_parts_that_were_fetched_can_be_started() -> None:
    commands: tuple[list[Path | str], ...] = (
        [parts.mosquitto(), "-h"],
        [parts.pcscd(), "--version"],
        [parts.tool("opensc-tool"), "--info"],
        [parts.tool("yubico-piv-tool"), "--version"],
        [parts.chromium(), "--version"],
    )
    for command in commands:
        done = subprocess.run(command, env=parts.environment(), capture_output=True, check=False)
        assert b"error while loading shared libraries" not in done.stderr
        assert done.stdout
    assert parts.font().suffix == ".otf"
    assert parts.vpcd_driver().exists()
