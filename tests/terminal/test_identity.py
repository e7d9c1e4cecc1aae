"""The identity files, as the town's authority makes them, and mixed up."""

import shutil
from pathlib import Path

import pytest

from provisioning.authority import ensure_terminal, ensure_town
from terminal.identity import IdentityError, load


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two terminals' identity folders."""
    town = ensure_town(tmp_path_factory.mktemp("town"), "tonosho")
    return {name: ensure_terminal(town, name) for name in ("t-archive", "t-hall")}


@pytest.fixture
def mine(identities: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of t-archive's identity that a test may spoil."""
    return Path(shutil.copytree(identities["t-archive"], tmp_path / "identity"))


def test_what_the_authority_makes_is_taken(mine: Path) -> None:
    identity = load(mine, "t-archive")
    assert identity.terminal == "t-archive"
    assert identity.certificate_path == mine / "device.crt"


def test_another_terminal_s_card_is_found_at_the_desk(mine: Path) -> None:
    with pytest.raises(IdentityError, match=r"is for \['t-archive'\], not for t-hall"):
        load(mine, "t-hall")


def test_a_key_that_does_not_fit_its_certificate_is_found(
    mine: Path, identities: dict[str, Path]
) -> None:
    shutil.copy(identities["t-hall"] / "device.key", mine / "device.key")
    with pytest.raises(IdentityError, match="do not match"):
        load(mine, "t-archive")


@pytest.mark.parametrize(
    "name", ["device.key", "device.crt", "seal.key", "town-ca.crt", "root.sha256"]
)
def test_a_missing_file_is_named_with_the_remedy(mine: Path, name: str) -> None:
    (mine / name).unlink()
    with pytest.raises(IdentityError, match=f"{name} cannot be read") as refusal:
        load(mine, "t-archive")
    assert "copy the files of terminal t-archive there again" in str(refusal.value)


@pytest.mark.parametrize("name", ["device.key", "seal.key"])
def test_a_file_that_is_no_key_is_named(mine: Path, name: str) -> None:
    (mine / name).write_text("not a key", encoding="ascii")
    with pytest.raises(IdentityError, match=f"{name} is not an unencrypted PEM key"):
        load(mine, "t-archive")


@pytest.mark.parametrize(("name", "kind"), [("device.key", "P-256"), ("seal.key", "X25519")])
def test_a_key_of_another_kind_is_named(mine: Path, name: str, kind: str) -> None:
    other = "seal.key" if name == "device.key" else "device.key"
    shutil.copy(mine / other, mine / name)
    with pytest.raises(IdentityError, match=f"{name} is not a[n]? {kind} key"):
        load(mine, "t-archive")


def test_a_file_that_is_no_certificate_is_named(mine: Path) -> None:
    (mine / "device.crt").write_text("not a certificate", encoding="ascii")
    with pytest.raises(IdentityError, match=r"device\.crt is not a certificate"):
        load(mine, "t-archive")
