import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from provisioning.setup import machine as setup
from provisioning.setup.fault import SetupError
from provisioning.setup.progress import Progress
from tests.provisioning.setup.machines import Machine, machine

NEEDED = ("python3-venv", "gcc", "iproute2")


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = machine(tmp_path)
    monkeypatch.setenv("PATH", str(made.programs))
    monkeypatch.setattr(sys, "stdin", sys.__stdin__)
    made.play("dpkg-query", 'case "$*" in *" gcc") printf installed;; *) exit 1;; esac')
    made.play("apt-get", "exit 0")
    return made


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda user: monkeypatch.setattr("os.geteuid", lambda: user)


def install(there: Machine) -> None:
    setup.install(NEEDED, Progress("en", there.programs / "log"))


def orders(there: Machine) -> list[str]:
    return [call for call in there.calls("apt-get") if " install " in call]


def test_only_what_is_missing_is_installed_and_without_what_it_recommends(
    there: Machine, become: Callable[[int], None]
) -> None:
    become(0)
    install(there)
    (order,) = orders(there)
    assert order.endswith(" install --no-install-recommends python3-venv iproute2")


def test_where_everything_is_there_apt_is_not_called(
    there: Machine, become: Callable[[int], None]
) -> None:
    become(1000)
    there.play("dpkg-query", "printf installed")
    install(there)
    assert there.calls("apt-get") == there.calls("sudo") == []


def test_an_ordinary_user_installs_through_sudo(
    there: Machine, become: Callable[[int], None]
) -> None:
    become(1000)
    there.play("sudo", 'test "$1" = --non-interactive && shift; test "$1" = --validate || "$@"')
    install(there)
    assert len(orders(there)) == 1


@pytest.mark.parametrize("sudo", [None, "exit 1"], ids=["no sudo", "sudo refuses"])
def test_without_rights_the_error_names_what_is_missing(
    there: Machine, become: Callable[[int], None], sudo: str | None
) -> None:
    become(1000)
    if sudo:
        there.play("sudo", sudo)
    with pytest.raises(SetupError) as refused:
        install(there)
    assert (refused.value.key, refused.value.values) == (
        "rights",
        {"names": "python3-venv iproute2"},
    )
    assert orders(there) == []


def test_old_package_lists_are_renewed_once_even_if_one_source_is_gone(
    there: Machine, become: Callable[[int], None]
) -> None:
    become(0)
    there.play(
        "apt-get",
        f"""
        case "$*" in
          *update*) touch {there.programs}/new; exit 100;;
          *) test -e {there.programs}/new;;
        esac""",
    )
    (there.programs / "touch").symlink_to("/usr/bin/touch")
    (there.programs / "test").symlink_to("/usr/bin/test")
    install(there)
    assert len(orders(there)) == 2


def test_no_network_is_told_as_that(there: Machine, become: Callable[[int], None]) -> None:
    become(0)
    there.play("apt-get", "echo \"Err:1 Temporary failure resolving 'a.mirror'\"; exit 100")
    with pytest.raises(SetupError) as refused:
        install(there)
    assert refused.value.key == "network"


def test_nobody_else_reads_what_set_up_wrote(tmp_path: Path) -> None:
    room = tmp_path / ".kazasu"
    room.mkdir(mode=0o755)
    log = room / "setup.log"
    log.touch(mode=0o644)
    setup.suited(room, 0)
    Progress("en", log).attempt(["true"])
    assert (room.stat().st_mode & 0o777, log.stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_password_of_a_proxy_is_neither_logged_nor_told(tmp_path: Path) -> None:
    progress = Progress("en", tmp_path / "log")
    proxy = "http://kim:s3cret@proxy.example:3128/"
    _, said = progress.attempt(
        ["sh", "-c", 'echo "could not reach $1"; echo "$1" >&2', "sh", proxy]
    )
    assert said.count("http://***@proxy.example:3128/") == 3
    progress.attempt(["sh", "-c", f"echo {proxy}; echo the end"])
    log = (tmp_path / "log").read_text()
    assert "s3cret" not in log
    assert log.endswith("the end\n")
    assert log.startswith("$ sh")
