import shutil
from pathlib import Path

import pytest

from provisioning.setup.fault import SetupError
from provisioning.setup.fetch import fetch
from provisioning.setup.progress import Progress
from tests.provisioning.setup.machines import Machine, debian, machine


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = machine(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs))
    return made


def unpack(there: Machine, *names: str, anew: bool = False) -> set[str]:
    """Fetch the packages; which files lie among the parts then."""
    room = there.checkout / ".kazasu"
    room.mkdir(exist_ok=True)
    fetch(names, room, Progress("en", room / "log"), anew=anew)
    return {path.name for path in (room / "parts/usr/share/parts").iterdir()}


def test_a_package_is_unpacked_with_the_libraries_that_the_machine_lacks(there: Machine) -> None:
    debian(there, "mosquitto=2.0", "libcjson1=1:1.7")
    assert unpack(there, "mosquitto") == {"mosquitto", "libcjson1"}


def test_nothing_is_installed(there: Machine) -> None:
    debian(there, "mosquitto=2.0")
    unpack(there, "mosquitto")
    assert all("--simulate" in call for call in there.calls() if " install " in call)
    assert there.calls("sudo") == []


def test_what_only_an_installed_daemon_would_want_is_left_out(there: Machine) -> None:
    debian(there, "pcscd=2.3", "polkitd=126", "dbus=1.16", "libdbus-1-3=1.16", "libc6=2.41")
    assert unpack(there, "pcscd") == {"pcscd", "libdbus-1-3"}


def test_what_is_there_is_not_asked_for_again(there: Machine) -> None:
    debian(there, "mosquitto=2.0")
    unpack(there, "mosquitto")
    before = there.calls()
    unpack(there, "mosquitto")
    assert there.calls() == before


def test_an_interrupted_run_goes_on_where_it_stopped(there: Machine) -> None:
    packages = [f"lib{number:02}=1" for number in range(30)]
    debian(there, *packages)
    lost = there.programs / "store" / "lib29.deb"
    lost.rename(there.programs / "lib29.deb")
    with pytest.raises(SetupError):
        unpack(there, "lib00")
    done = {path.name for path in there.checkout.glob(".kazasu/parts/usr/share/parts/*")}
    assert 0 < len(done) < 30
    (there.programs / "lib29.deb").rename(lost)
    before = len(there.calls())
    assert len(unpack(there, "lib00")) == 30
    asked = " ".join(there.calls()[before:])
    assert "lib29=1" in asked
    assert not any(f"{name}=1" in asked for name in done)


def test_parts_of_another_release_are_thrown_away(
    there: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    debian(there, "mosquitto=2.0")
    monkeypatch.setattr("provisioning.setup.machine.suite", lambda: "bookworm")
    unpack(there, "mosquitto")
    shutil.rmtree(there.programs / "store")
    debian(there, "chromium=156")
    monkeypatch.setattr("provisioning.setup.machine.suite", lambda: "trixie")
    assert unpack(there, "chromium") == {"chromium"}


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Err:1 Temporary failure resolving 'the.mirror'", "network"),
        ("E: Write error - write (28: No space left on device)", "disk"),
        ("E: Unable to locate package mosquitto", "step"),
    ],
)
def test_a_refusal_of_apt_is_told_as_what_it_is(there: Machine, said: str, key: str) -> None:
    there.play("apt-get", f'echo "{said}"; exit 100')
    with pytest.raises(SetupError) as refused:
        unpack(there, "mosquitto")
    assert refused.value.key == key


def test_without_apt_the_error_names_the_packages(there: Machine) -> None:
    with pytest.raises(SetupError) as refused:
        unpack(there, "mosquitto", "pcscd")
    assert (refused.value.key, refused.value.values["names"]) == ("no-apt", "mosquitto pcscd")
