"""Another publication for a running wall: its documents changed, signed, sent, and taken up."""

from collections.abc import Callable
from typing import Any

from provisioning import documents, publication
from provisioning.town import Town
from terminal.core.reasons import Note
from tests.walk.wall import Wall

Document = dict[str, Any]


def edit(town: Town, name: str, change: Callable[[Document], None]) -> None:
    """Change one of the documents that people edit; it is published with the next ``publish``."""
    content = documents.read_edited(town, name)
    change(content)
    documents.write_edited(town, name, content)


def revoke(town: Town, profile: str, serials: list[int]) -> None:
    """Write the trust file as a town hall does that has taken cards back."""
    rows = [f'[[revoked]]\nprofile = "{profile}"\nserial = "{serial:x}"\n' for serial in serials]
    (town.documents / "trust.toml").write_text("\n".join(rows), encoding="utf-8")


def publish(wall: Wall) -> int:
    """Sign what the documents say now, send it, and wait until the terminal goes by it."""
    town = wall.stage.town.town
    made, seen = publication.prepare(town)
    number = publication.sign(town, made, seen, confirmed=True).number
    wall.stage.town.send()

    def active() -> bool:
        rows = wall.stage.rows(50)
        return any(
            (row.reason, row.detail) == (Note.PUBLICATION_ACTIVE, str(number)) for row in rows
        )

    wall.wait(active)
    return number
