"""Configuration over the air at a running terminal: taken between taps, or refused by its name."""

import json
import shutil
from base64 import b64encode
from pathlib import Path

import pytest

from drivers.screens import Typeface, picture
from provisioning import authority, mqtt, parts, publication, publish
from provisioning.town import Town, open_town
from terminal.core.reasons import Note, Reason
from terminal.core.signals import Line, Screen
from tests.walk import published
from tests.walk.wall import Wall

pytestmark = pytest.mark.real


def test_a_changed_permit_and_a_changed_text_take_effect_between_taps(wall: Wall) -> None:
    first = wall.tap("suzuki")
    assert first.acknowledged
    wall.stage.look()
    suzuki = next(row.holder for row in wall.stage.rows(10) if row.holder)
    town = wall.stage.town.town

    def forbid(access: published.Document) -> None:
        access["permits"] = [one for one in access["permits"] if one.get("holder") != suzuki]

    def change_text(texts: published.Document) -> None:
        texts["ja"] = {"no_permit": ["×不可", "本日は休室です"]}

    published.edit(town, "access", forbid)
    published.edit(town, "texts", change_text)
    number = published.publish(wall)
    denied = wall.tap("suzuki")
    assert not denied.acknowledged
    assert wall.reason_of(denied) == Reason.NO_PERMIT
    assert wall.stage.panel.state.frame == drawn(
        Screen("no_permit", (Line("本日は休室です"),), Line("×不可"))
    )
    proven = wall.wait_until_proven()
    assert {one["publication"] for one in proven.members if one["kind"] == "access"} == {
        number - 1,
        number,
    }


def drawn(screen: Screen) -> str:
    """The frame in which the panel tells of ``screen``."""
    return b64encode(picture(screen, Typeface(parts.font())).tobytes()).decode()


def refused(wall: Wall) -> list[str]:
    wall.stage.look()
    return [row.detail for row in wall.stage.rows(50) if row.reason == Note.PUBLICATION_REFUSED]


def expect_refusal(wall: Wall, reason: str) -> None:
    wall.wait(lambda: any(detail.startswith(reason) for detail in refused(wall)))
    assert wall.tap("suzuki").acknowledged, "what was in force before stays in force"


def put(wall: Wall, town: Town) -> None:
    """Publish ``town``'s repository on the wall's broker, as its publisher."""
    stage = wall.stage
    own = stage.town.town
    sender = mqtt.connect_client(own, "publisher", port=stage.broker.port)
    try:
        publish.publish(town, sender)
    finally:
        sender.close()


def test_an_older_publication_is_refused_as_a_rollback(wall: Wall, tmp_path: Path) -> None:
    stage = wall.stage
    older = Path(shutil.copytree(stage.town.town.folder, tmp_path / "older"))
    published.publish(wall)
    put(wall, open_town(older))
    expect_refusal(wall, "rollback")


def test_another_town_s_publication_is_refused_as_arbitrary(wall: Wall, tmp_path: Path) -> None:
    own = wall.stage.town.town
    foreign = authority.ensure_town(tmp_path / "foreign", own.site)
    for terminal in own.terminal_ids():
        authority.ensure_terminal(foreign, terminal)
    shutil.copytree(own.documents, foreign.documents, dirs_exist_ok=True)
    for _ in range(3):
        made, seen = publication.prepare(foreign)
        publication.sign(foreign, made, seen, confirmed=True)
    put(wall, foreign)
    expect_refusal(wall, "arbitrary")


def test_an_unsigned_publication_is_refused_as_arbitrary(wall: Wall, tmp_path: Path) -> None:
    copy = open_town(Path(shutil.copytree(wall.stage.town.town.folder, tmp_path / "copy")))
    made, seen = publication.prepare(copy)
    publication.sign(copy, made, seen, confirmed=True)
    (timestamp,) = copy.repository.rglob("timestamp.json")
    metadata = json.loads(timestamp.read_text())
    metadata["signatures"] = []
    timestamp.write_text(json.dumps(metadata))
    put(wall, copy)
    expect_refusal(wall, "arbitrary")
