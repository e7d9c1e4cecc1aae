"""A town hall in memory: a real town directory, and a broker that only keeps retained messages.

Everything is made by the product's own authority and publication; what is simulated is the broker
between publisher and terminal, so that a test can spoil, withhold or bring back any message.
"""

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from paho.mqtt.client import topic_matches_sub
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

from provisioning import authority, documents, publication, publish, signing_roles
from provisioning.authority import StaffCard
from provisioning.town import Town, open_town
from terminal.updater_active import UpdaterSettings, read_pin
from terminal.wire.index import chunks_of, index_bytes, index_of
from terminal.wire.topics import Name, topic

SITE = "minami"
TERMINAL = "ent-1"
OTHER = "ent-2"

PEOPLE = {"sato": "佐藤 一", "suzuki": "鈴木 花", "tanaka": "田中 実"}

PROFILES = b"""\
[piv-town]
kind = "piv-cak"
aid = "A000000308000010000100"
algorithms = ["p256", "rsa2048"]
assurance = "authenticated"
budget_ms = 3000
order = 1
"""


class Taken:
    """A delivery that the broker has taken at once."""

    def wait(self, patience_s: float = 10) -> None:
        pass


class RetainedMessages:
    """A broker that keeps the last message of each topic and gives it to whoever subscribes."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.sent: list[str] = []
        self.asked: list[str] = []
        self._subscribers: list[tuple[str, Callable[[str, bytes], None]]] = []

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> Taken:
        assert retained
        self.sent.append(topic)
        if payload:
            self.kept[topic] = payload
        else:
            self.kept.pop(topic, None)
        for topic_filter, on_message in tuple(self._subscribers):
            if topic_matches_sub(topic_filter, topic):
                on_message(topic, payload)
        return Taken()

    def subscribe(
        self, topic_filter: str, on_message: Callable[[str, bytes], None]
    ) -> Callable[[], None]:
        self.asked.append(topic_filter)
        entry = (topic_filter, on_message)
        self._subscribers.append(entry)
        for where, payload in tuple(self.kept.items()):
            if topic_matches_sub(topic_filter, where):
                on_message(where, payload)

        def end() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)

        return end


class TownHall:
    """A town with one door, two terminals and three people; documents are edited as values.

    All of them share their keys, which take long to make, but a ``foreign`` one.
    """

    def __init__(self, folder: Path, *, foreign: bool = False) -> None:
        if foreign:
            self.town = _make(folder)
        else:
            shutil.copytree(_made_once(), folder)
            self.town = open_town(folder)
        self.broker = RetainedMessages()
        self.cards: dict[str, StaffCard] = {
            name: authority.load_card(self.town, name) for name in PEOPLE
        }
        self.town.documents.mkdir(exist_ok=True)
        (self.town.documents / "profiles.toml").write_bytes(PROFILES)
        self.write("roster", {"holders": [self._holder(name) for name in self.cards]})
        self.write("access", _access())
        self.write("terminals", {"terminals": {name: _wall() for name in (TERMINAL, OTHER)}})
        self.write("texts", {"ja": {"ready": ["カードを", "かざしてください"]}, "en": {}})

    def read(self, name: str) -> dict[str, Any]:
        return documents.read_edited(self.town, name)

    def write(self, name: str, content: Mapping[str, object]) -> None:
        documents.write_edited(self.town, name, content)

    def permit(self, *holders: str) -> None:
        """Give exactly these people the front door at every hour."""
        access = self.read("access")
        access["permits"] = [
            {"portal": "front", "schedule": "always", "holder": holder} for holder in holders
        ]
        self.write("access", access)

    def say_ready(self, *lines: str) -> None:
        """Change the idle screen's text."""
        self.write("texts", {"ja": {"ready": list(lines)}, "en": {}})

    def speak(self, language: str) -> None:
        """Change the language of every terminal."""
        terminals = self.read("terminals")
        for settings in terminals["terminals"].values():
            settings["language"] = language
        self.write("terminals", terminals)

    def sign(self, now: datetime | None = None, *, confirmed: bool = False) -> int:
        """Sign the next publication into the repository; the broker does not have it yet."""
        made, seen = publication.prepare(self.town, now or datetime.now(UTC))
        return publication.sign(self.town, made, seen, confirmed=confirmed).number

    def send(self) -> int:
        """Put the repository's publication on the broker."""
        return publish.publish(self.town, self.broker)

    def publish(self, now: datetime | None = None, *, confirmed: bool = False) -> int:
        """Sign the next publication and put it on the broker."""
        self.sign(now, confirmed=confirmed)
        return self.send()

    def settings(self, folder: Path, terminal: str = TERMINAL, least: int = 0) -> UpdaterSettings:
        """What the updater of ``terminal`` is given, with its sets in ``folder``."""
        identity = self.town.identity(terminal)
        seal_key = load_pem_private_key((identity / "seal.key").read_bytes(), None)
        assert isinstance(seal_key, X25519PrivateKey)
        pin = read_pin(identity / "root.sha256")
        return UpdaterSettings(self.town.site, terminal, folder, pin, seal_key, least)

    def served(self, path: str) -> bytes:
        """The bytes of a plain published file as the broker has it."""
        first = topic(Name.FILE, self.town.site, path=path).removesuffix("0")
        chunks: list[bytes] = []
        while (payload := self.broker.kept.get(f"{first}{len(chunks)}")) is not None:
            chunks.append(payload)
        return b"".join(chunks)

    def paths(self) -> list[str]:
        """Every path that the broker's index lists."""
        return list(index_of(self.broker.kept[self._index_topic]))

    def serve(self, files: Mapping[str, bytes | None]) -> None:
        """Replace files on the broker (None removes one) and set the index to fit, unsigned."""
        listed = {
            path: one.length for path, one in index_of(self.broker.kept[self._index_topic]).items()
        }
        for path, data in files.items():
            listed.pop(path, None)
            if data is not None:
                listed[path] = len(data)
                self._put(path, data)
        self.broker.publish(self._index_topic, index_bytes(listed), retained=True)

    def send_index(self) -> None:
        """Let the index that is on the broker come to the terminals once more."""
        index = self.broker.kept[self._index_topic]
        self.broker.publish(self._index_topic, index, retained=True)

    def spoil(self, path: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a metadata file's JSON without signing it again."""
        content = json.loads(self.served(path))
        change(content)
        self.serve({path: json.dumps(content).encode()})

    def forge(
        self, path: str, change: Callable[[Any], None], signers: list[CryptoSigner] | None = None
    ) -> bytes:
        """A metadata file of the repository, changed and signed by these keys (else its role's)."""
        metadata: Metadata[Any] = Metadata.from_bytes((self.town.repository / path).read_bytes())
        change(metadata.signed)
        metadata.signatures.clear()
        for signer in self.signers(metadata.signed.type) if signers is None else signers:
            metadata.sign(signer, append=True)
        return metadata.to_bytes()

    def signers(self, role: str) -> list[CryptoSigner]:
        """The town's keys of ``role``."""
        return signing_roles.signers(self.town, role)

    def rotate_root(
        self,
        change: Callable[[Root], None] = lambda root: None,
        signers: list[CryptoSigner] | None = None,
    ) -> str:
        """Put a following root into the repository; returns its path."""
        version = publication.newest(self.town, Root.type)

        def follow(root: Root) -> None:
            root.version = version + 1
            change(root)

        data = self.forge(f"metadata/{version}.root.json", follow, signers)
        path = f"metadata/{version + 1}.root.json"
        (self.town.repository / path).write_bytes(data)
        return path

    def sign_changed(self, change: Callable[[dict[str, bytes]], None]) -> int:
        """Sign and send documents that no check has seen, changed by ``change``."""
        made, seen = publication.prepare(self.town)
        changed = dict(made.documents)
        change(changed)
        publication.sign(self.town, replace(made, documents=changed), seen)
        return self.send()

    @property
    def _index_topic(self) -> str:
        return topic(Name.INDEX, self.town.site)

    def _put(self, path: str, data: bytes) -> None:
        for chunk, piece in enumerate(chunks_of(data)):
            if path.startswith("sealed/"):
                _, terminal, inner = path.split("/", 2)
                where = topic(Name.SEALED, self.town.site, terminal, inner, chunk)
            else:
                where = topic(Name.FILE, self.town.site, path=path, chunk=chunk)
            self.broker.publish(where, piece, retained=True)

    def _holder(self, name: str) -> dict[str, object]:
        card = {"profile": "piv-town", "id": self.cards[name].id, "state": "active"}
        return {"id": f"h-{name}", "name": PEOPLE[name], "groups": [], "cards": [card]}


@cache
def _made_once() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="kazasu-town-"))
    atexit.register(shutil.rmtree, folder)
    return _make(folder / "town").folder


def _make(folder: Path) -> Town:
    town = authority.ensure_town(folder, SITE)
    for terminal in (TERMINAL, OTHER):
        authority.ensure_terminal(town, terminal)
    for name in PEOPLE:
        authority.ensure_card(town, name)
    return town


def _access() -> dict[str, object]:
    return {
        "portals": [
            {
                "id": "front",
                "name": "front door",
                "strike_ms": 3000,
                "least": "authenticated",
                "purpose": "access",
            }
        ],
        "schedules": [],
        "permits": [{"portal": "front", "schedule": "always", "holder": "h-sato"}],
    }


def _wall() -> dict[str, object]:
    return {
        "default_use": "access",
        "portal": "front",
        "language": "ja",
        "name_shown": "surname",
        "buttons": ["in", "out"],
        "attendance_purpose": "attendance",
        "attendance_least": "authenticated",
        "duplicate_guard_s": 300,
        "day_start": "04:00",
        "contacts": {"help": "203"},
    }
