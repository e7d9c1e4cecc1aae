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
    terminals/<id>/                  device.crt seal.pub; identity/ kazasu.toml go to the terminal
    cards/                           <name>.key <name>.crt
    documents/                       what people edit
    repository/                      what is published
"""

import ipaddress
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

SETTINGS = "town.toml"
CLIENTS = ("ledger", "publisher", "operations")
BROKER_NAMES, BROKER_PORT = ("localhost",), 8883
HIGHEST_PORT = 65535
LONGEST_BROKER_NAME = 64
"""Of a certificate's common name (RFC 5280, appendix A.1, ub-common-name)."""
NAME = re.compile(r"[a-z0-9-]{1,32}")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
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
    broker_names: tuple[str, ...] = BROKER_NAMES
    broker_port: int = BROKER_PORT

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


def check_broker_names(what: str, value: object) -> tuple[str, ...]:
    """Return ``value`` if it is a list of names that certificates can carry.

    Raises:
        TownError: it is not; the text begins with ``what`` and says what is accepted.
    """
    if not isinstance(value, list | tuple) or not value:
        raise TownError(f'{what} is a list of names, for example ["broker.minami.lan"]')
    for name in value:
        if not isinstance(name, str) or not _is_host(name):
            raise TownError(
                f"{what}: {name!r} is no DNS name or address; accepted are 1 to "
                f"{LONGEST_BROKER_NAME} of a-z, 0-9, '-' and '.', for example broker.minami.lan"
            )
    return tuple(value)


def check_port(what: str, value: object) -> int:
    """Return ``value`` if it is a TCP port.

    Raises:
        TownError: it is not; the text begins with ``what``.
    """
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= HIGHEST_PORT:
        return value
    raise TownError(f"{what} is a number from 1 to {HIGHEST_PORT}")


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) <= LONGEST_BROKER_NAME and _HOST.fullmatch(name) is not None
    return "%" not in name


def open_town(folder: Path) -> Town:
    """Read ``town.toml`` in ``folder``.

    Raises:
        TownError: there is none, or it holds an unknown key or a value that is not accepted.
    """
    path = folder / SETTINGS
    try:
        settings = tomllib.loads(decoded(path, path.read_bytes()))
    except FileNotFoundError:
        remedy = f"make one with: ./kazasu town init {folder} --site NAME"
        raise TownError(
            f"{folder} is no town directory ({SETTINGS} is missing); {remedy}"
        ) from None
    except NotADirectoryError:
        raise TownError(f"{folder} is a file; name a town directory") from None
    except OSError as error:
        raise TownError(f"{path}: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise TownError(f"{path}: {error}") from error
    unknown = sorted(set(settings) - set(_ACCEPTED))
    if unknown:
        accepted = ", ".join(_ACCEPTED)
        raise TownError(f"{path}: unknown key {unknown[0]!r}; accepted are {accepted}")
    return Town(
        folder=folder,
        site=_site(path, settings.get("site")),
        broker_names=check_broker_names(
            f"{path}: broker_names", settings.get("broker_names", BROKER_NAMES)
        ),
        broker_port=check_port(f"{path}: broker_port", settings.get("broker_port", BROKER_PORT)),
    )


def decoded(path: Path, data: bytes) -> str:
    """The text of a file that people edit; editors that put a byte order mark first are many.

    Raises:
        TownError: it is not UTF-8, but for example Shift_JIS.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TownError(
            f"{path}: line {line} is not UTF-8; UTF-8 で保存し直してください / save it as UTF-8"
        ) from None


def _site(path: Path, value: object) -> str:
    if not isinstance(value, str):
        raise TownError(f'{path}: site is missing; write for example site = "minami"')
    return check_name(f"{path}: site", value)
