"""The demo's town: its keys, its people and cards, its publications, its terminal's settings.

Everything is made by the same parts that a real town uses, in a directory of the demo's own: the
authority makes keys and certificates, publications are drafted, previewed, signed and sent as in
a town hall. Only the people are made up, and all keys lie in one place.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.virtual_cards.card import VirtualCard
from drivers.virtual_cards.card_key import CardKey
from drivers.virtual_cards.piv import PivCard
from drivers.virtual_cards.tray import Kind, read_tray
from provisioning import authority, documents, mqtt, parts, publication, publish
from provisioning.demo.processes import module
from provisioning.demo.samples import PERMITTED, SAMPLES, Person, Sample, holder_id, people
from provisioning.demo.shown import Proposal
from provisioning.demo.texts import words
from provisioning.preview import Preview
from provisioning.town import Town
from terminal.core.roster import CredentialState
from terminal.core.rules import Language

SITE = "demo"
LOOPBACK = "127.0.0.1"
TERMINAL = "archive-1"
PORTAL = "archive"
PROFILE = "piv-town"
FELICA_NUMBER = "012e44a7a5187a51"
STRIKE_MS = 4_000
MUTE_AT = 3
BUDGET_MS = 3_000
CONTACTS = {
    Language.JA: {"help": "総務課 内線203", "repair": "管財係 内線210", "night": "宿直室"},
    Language.EN: {"help": "General ext. 203", "repair": "Repairs ext. 210", "night": "Night desk"},
}
_PROFILES = f"""\
[{PROFILE}]
kind = "piv-cak"
aid = "A000000308000010000100"
algorithms = ["p256", "rsa2048"]
assurance = "authenticated"
budget_ms = {BUDGET_MS}
order = 1
"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the demo's files lie."""

    folder: Path

    @property
    def town(self) -> Path:
        """The town directory."""
        return self.folder / "town"

    @property
    def logs(self) -> Path:
        """Each process's log."""
        return self.folder / "logs"

    @property
    def ledger(self) -> Path:
        """The ledger's database."""
        return self.folder / "ledger" / "ledger.sqlite"

    @property
    def terminal(self) -> Path:
        """The terminal's settings file; its state lies beside it."""
        return self.folder / "terminal" / "kazasu.toml"

    @property
    def journal(self) -> Path:
        """The terminal's journal."""
        return self.terminal.parent / "state" / "journal.sqlite"

    @property
    def reader(self) -> Path:
        """The socket where cards are held to the reader."""
        return self.folder / "reader"


class DemoTown:
    """A town of sample people. ``folder`` may hold one that was kept."""

    def __init__(self, folder: Path, language: Language, *, rush: bool) -> None:
        self.places = Places(folder)
        self.language = language
        self.permitted = True
        self.people = people() if rush else ()
        for place in (self.places.logs, self.places.ledger.parent, self.places.journal.parent):
            place.mkdir(parents=True, exist_ok=True)
        self.town: Town = authority.ensure_town(self.places.town, SITE)
        self._port = 0
        self.identity = authority.ensure_terminal(self.town, TERMINAL)
        self._ids = {sample.key: self._make(sample) for sample in SAMPLES if sample.algorithm}
        self._ids |= {
            person.key: authority.ensure_card(self.town, person.key).id for person in self.people
        }
        self._write_tray()

    def cards(self) -> Mapping[str, VirtualCard]:
        """The sample cards by key, each new as on the day it was handed out."""
        return {sample.name: sample.card for sample in read_tray(self.town.cards)}

    def staff_card(self, person: Person) -> VirtualCard:
        """The card of one of the queue."""
        card = authority.load_card(self.town, person.key)
        return PivCard(CardKey(card.certificate, card.key))

    def draft(self, *, permitted: bool) -> tuple[documents.Draft, Preview]:
        """Write the documents as they are wanted, and draft the next publication of them."""
        documents.write_edited(self.town, "roster", self._roster())
        documents.write_edited(self.town, "access", self._access(permitted=permitted))
        documents.write_edited(self.town, "terminals", self._terminals())
        documents.write_edited(self.town, "texts", {"ja": {}, "en": {}})
        (self.town.documents / "profiles.toml").write_text(_PROFILES, encoding="utf-8")
        return publication.prepare(self.town)

    def sign(self) -> int:
        """Sign a publication of what is wanted now; returns its number."""
        made, seen = self.draft(permitted=self.permitted)
        return publication.sign(self.town, made, seen).number

    def reach_at(self, port: int) -> None:
        """The broker listens at ``port`` on loopback."""
        self._port = port

    def ledger_command(self) -> list[str]:
        """The command that runs the ledger."""
        return module(
            "provisioning.ledger",
            "serve",
            *("--town", str(self.town.folder)),
            *("--host", LOOPBACK, "--port", str(self._port)),
            *("--database", str(self.places.ledger)),
        )

    def proposal(self) -> Proposal:
        """What would change for whom if the sample permit were turned over and signed."""
        _, seen = self.draft(permitted=not self.permitted)
        everybody = sum(sample.holder for sample in SAMPLES) + len(self.people)
        return Proposal(
            number=seen.number,
            permitted=not self.permitted,
            gains=tuple(change.holder for change in seen.changes if change.gains),
            loses=tuple(change.holder for change in seen.changes if change.loses),
            others=everybody - len(seen.changes),
        )

    def send(self) -> None:
        """Put the newest publication on the broker; also onto one that has lost it."""
        sender = mqtt.connect_client(self.town, "publisher", LOOPBACK, self._port)
        try:
            publish.publish(self.town, sender)
        finally:
            sender.close()

    def write_settings(self, port: int, out: int, presses: int, *, slot: str = "") -> Path:
        """Write the terminal's settings: broker at ``port``, panel at those descriptors."""
        settings: dict[str, dict[str, str | int]] = {
            "terminal": {
                "site": SITE,
                "id": TERMINAL,
                "state": "state",
                "identity": str(self.identity),
                "clock": "trusted",
            },
            "broker": {"host": LOOPBACK, "port": port, "server_name": "localhost"},
            "reader": {"slot": slot or f"socket:{self.places.reader}"},
            "display": {"font": str(parts.font())},
            "panel": {"out_fd": out, "in_fd": presses},
        }
        lines = []
        for table, members in settings.items():
            lines.append(f"[{table}]")
            # JSON's strings and numbers are TOML's as well.
            lines += [f"{key} = {json.dumps(value)}" for key, value in members.items()]
        self.places.terminal.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.places.terminal

    def _make(self, sample: Sample) -> str:
        """Have the authority make a sample's card; returns its id."""
        key, algorithm = sample.key, sample.algorithm
        match sample.kind:
            case Kind.EXPIRED:
                return authority.ensure_expired_card(self.town, key, algorithm).id
            case Kind.COPIED:
                return authority.ensure_copied_card(self.town, key, PERMITTED).id
            case Kind.UNKNOWN:
                return authority.ensure_foreign_card(self.town, key, algorithm).id
            case _:
                return authority.ensure_card(self.town, key, algorithm).id

    def _write_tray(self) -> None:
        for order, sample in enumerate(SAMPLES, 1):
            told: dict[str, object] = {"kind": sample.kind.value, "order": order, "persona": ""}
            if sample.holder:
                told["persona"] = holder_id(sample.key)
            if sample.algorithm:
                told |= {"certificate": f"{sample.key}.crt", "key": f"{sample.key}.key"}
            if sample.kind is Kind.FELICA:
                told["number"] = FELICA_NUMBER
            if sample.kind is Kind.MUTE:
                told["mute_at"] = MUTE_AT
            for language in Language:
                told[f"label.{language}"] = words(language)["cards"][sample.key]["name"]
            lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
            path = self.town.cards / f"{sample.key}.toml"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _roster(self) -> dict[str, object]:
        said, japanese = words(self.language)["cards"], words(Language.JA)["cards"]
        holders = [
            self._holder(
                sample.key,
                str(said[sample.key]["name"]),
                str(said[sample.key]["section"]),
                CredentialState.STOPPED if sample.kind is Kind.STOPPED else CredentialState.ACTIVE,
            )
            for sample in SAMPLES
            if sample.holder and sample.key in japanese
        ]
        for person in self.people:
            name = person.surname if self.language is Language.JA else person.latin
            holders.append(self._holder(person.key, name, "", CredentialState.ACTIVE))
        return {"holders": holders}

    def _holder(
        self, key: str, name: str, section: str, state: CredentialState
    ) -> dict[str, object]:
        card = {"profile": PROFILE, "id": self._ids[key], "state": state.value}
        return {
            "id": holder_id(key),
            "name": name,
            "kana": name,
            "section": section,
            "groups": ["staff"],
            "cards": [card],
        }

    def _access(self, *, permitted: bool) -> dict[str, object]:
        allowed = [PERMITTED] if permitted else []
        # Somebody always may, or the guard would call it a mistake.
        allowed += ["expired", "stopped", "mute"]
        permits = [
            {"portal": PORTAL, "schedule": "always", "holder": holder_id(key)} for key in allowed
        ]
        portal = {
            "id": PORTAL,
            "name": str(words(self.language)["panel"]["door"]),
            "strike_ms": STRIKE_MS,
            "least": "authenticated",
            "purpose": "access",
        }
        return {"portals": [portal], "schedules": [], "permits": permits}

    def _terminals(self) -> dict[str, object]:
        settings = {
            "default_use": "access",
            "portal": PORTAL,
            "language": self.language.value,
            "name_shown": "surname",
            "buttons": ["in", "out", "away", "back"],
            "attendance_purpose": "attendance",
            "attendance_least": "authenticated",
            "duplicate_guard_s": 300,
            "day_start": "04:00",
            "contacts": CONTACTS[self.language],
        }
        return {"terminals": {TERMINAL: settings}}


def new_folder() -> Path:
    """A directory for one run of the demo."""
    return Path(tempfile.mkdtemp(prefix="kazasu-demo-"))
