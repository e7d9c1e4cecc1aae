"""The town directory: where what lies, and the few facts every part of the town hall needs.

One directory holds everything the town hall keeps about its terminals: the authority's keys, the
broker's and the ledger's certificates, one folder for each terminal, the cards' certificates, the
documents that people edit and the repository made from them. This module only knows the paths
and reads ``town.toml``; it makes nothing (``authority`` does).

::

    town.toml                        site, names and port of the broker
    authority/                       CAs; authority/roles/ the keys that sign publications
    broker/                          server.key server.crt town-ca.crt
    ledger/ publisher/ operations/   client.key client.crt town-ca.crt; ledger.key ledger.pub
    terminals/<id>/                  device.crt seal.pub, and identity/ for the terminal itself
    cards/                           <name>.key <name>.crt
    documents/                       what people edit
    repository/                      what is published
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

SETTINGS = "town.toml"
CLIENTS = ("ledger", "publisher", "operations")
HIGHEST_PORT = 65535
NAME = re.compile(r"[a-z0-9-]{1,32}")
_ACCEPTED = ("site", "broker_names", "broker_port")


class TownError(Exception):
    """Something in the town directory is missing or wrong; the text names place and remedy."""


@dataclass(frozen=True, slots=True)
class Town:
    """A town directory and its settings: ``site`` is part of every topic.

    ``broker_names`` are the DNS names and addresses that the broker's certificate vouches for
    beside localhost; the first one is how terminals call it.
    """

    folder: Path
    site: str
    broker_names: tuple[str, ...] = ("localhost",)
    broker_port: int = 8883

    @property
    def authority(self) -> Path:
        """Certificate authorities, keys and certificates."""
        return self.folder / "authority"

    @property
    def roles(self) -> Path:
        """The keys that sign publications, one file for each key."""
        return self.authority / "roles"

    @property
    def broker(self) -> Path:
        """The broker's key and certificate, and the CA of its clients."""
        return self.folder / "broker"

    @property
    def cards(self) -> Path:
        """Staff cards' certificates (and keys, as long as the town makes them)."""
        return self.folder / "cards"

    @property
    def documents(self) -> Path:
        """The plain files that people edit."""
        return self.folder / "documents"

    @property
    def repository(self) -> Path:
        """The signed publication as it goes to the broker."""
        return self.folder / "repository"

    def client(self, name: str) -> Path:
        """The folder of one of the town hall's own broker clients."""
        return self.folder / name

    def terminal(self, terminal: str) -> Path:
        """What the town keeps of a terminal."""
        return self.folder / "terminals" / terminal

    def identity(self, terminal: str) -> Path:
        """What goes onto the terminal and nowhere else."""
        return self.terminal(terminal) / "identity"

    def terminal_ids(self) -> list[str]:
        """The ids of all terminals that the town knows, in order."""
        return sorted(path.parent.name for path in self.folder.glob("terminals/*/device.crt"))


def check_name(what: str, name: str) -> str:
    """Return ``name`` if it may stand in topics and certificates.

    Raises:
        TownError: it may not; the text says what is accepted.
    """
    if not NAME.fullmatch(name):
        raise TownError(f"{what} {name!r}: 1 to 32 of a-z, 0-9 and '-' are accepted")
    return name


def open_town(folder: Path) -> Town:
    """Read ``town.toml`` in ``folder``.

    Raises:
        TownError: there is none, or it holds an unknown key or a value that is not accepted.
    """
    path = folder / SETTINGS
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        remedy = f"make one with: kazasu town init {folder} --site NAME"
        raise TownError(
            f"{folder} is no town directory ({SETTINGS} is missing); {remedy}"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TownError(f"{path}: {error}") from error
    unknown = sorted(set(settings) - set(_ACCEPTED))
    if unknown:
        accepted = ", ".join(_ACCEPTED)
        raise TownError(f"{path}: unknown key {unknown[0]!r}; accepted are {accepted}")
    return Town(
        folder=folder,
        site=_site(path, settings.get("site")),
        broker_names=_names(path, settings.get("broker_names", ["localhost"])),
        broker_port=_port(path, settings.get("broker_port", 8883)),
    )


def _site(path: Path, value: object) -> str:
    if not isinstance(value, str):
        raise TownError(f'{path}: site is missing; write for example site = "minami"')
    return check_name(f"{path}: site", value)


def _names(path: Path, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise TownError(f'{path}: broker_names is a list of names, for example ["broker.minami.lan"]')


def _port(path: Path, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= HIGHEST_PORT:
        return value
    raise TownError(f"{path}: broker_port is a number from 1 to {HIGHEST_PORT}")
