"""How a publication comes onto the broker: in an order in which every moment is whole."""

from pathlib import Path

import pytest

from provisioning.mqtt import DeliveryRefused
from provisioning.publish import publish
from provisioning.town import TownError
from terminal.wire.index import index_of
from terminal.wire.topics import CHUNK
from tests.town_hall import OTHER, TERMINAL, RetainedMessages, Taken, TownHall

INDEX = "kazasu/v1/minami/_publication/index"


@pytest.fixture
def hall(tmp_path: Path) -> TownHall:
    return TownHall(tmp_path / "town")


def test_files_come_before_the_timestamp_and_the_index_before_removals(hall: TownHall) -> None:
    hall.publish()
    old = set(hall.broker.kept)
    hall.broker.sent.clear()
    hall.publish()
    sent = hall.broker.sent
    timestamp = next(n for n, where in enumerate(sent) if "timestamp.json" in where)
    assert sent[timestamp + 1] == INDEX
    assert all("/file/" in where or "/sealed/" in where for where in sent[:timestamp])
    removed = set(sent[timestamp + 2 :])
    assert removed == old - set(hall.broker.kept)
    assert any("roster.json" in where for where in removed)


def test_every_root_stays(hall: TownHall) -> None:
    hall.publish()
    hall.rotate_root()
    hall.publish()
    roots = [path for path in hall.paths() if path.endswith("root.json")]
    assert roots == ["metadata/1.root.json", "metadata/2.root.json"]


def test_the_index_lists_what_lies_there_and_nothing_else(hall: TownHall) -> None:
    hall.publish()
    listed = index_of(hall.broker.kept[INDEX])
    assert sum(one.chunks for one in listed.values()) == len(hall.broker.kept) - 1
    assert all(len(payload) <= CHUNK for payload in hall.broker.kept.values())


def test_a_roster_of_ten_thousand_people_goes_in_chunks(hall: TownHall) -> None:
    one = hall.read("roster")["holders"][0]
    card = one["cards"][0]
    crowd = [
        {**one, "id": f"h-{number}", "cards": [{**card, "id": f"{number:032x}"}]}
        for number in range(10_000)
    ]
    hall.write("roster", {"holders": crowd})
    hall.permit("h-0")
    hall.publish()
    listed = index_of(hall.broker.kept[INDEX])
    roster = next(one for path, one in listed.items() if path.startswith(f"sealed/{TERMINAL}/"))
    assert roster.length > 1_000_000
    assert roster.chunks == -(-roster.length // CHUNK)


def test_sending_again_sends_the_same_bytes(hall: TownHall) -> None:
    hall.publish()
    before = dict(hall.broker.kept)
    hall.send()
    assert hall.broker.kept == before


def test_a_new_sealing_key_gets_a_new_copy(hall: TownHall) -> None:
    hall.publish()
    before = dict(hall.broker.kept)
    key = (hall.town.terminal(OTHER) / "seal.pub").read_bytes()
    (hall.town.terminal(TERMINAL) / "seal.pub").write_bytes(key)
    hall.send()
    changed = [where for where in before if hall.broker.kept[where] != before[where]]
    assert [f"/sealed/{TERMINAL}/" in where for where in changed] == [True]


def test_a_terminal_without_sealing_key_is_told(hall: TownHall) -> None:
    hall.sign()
    (hall.town.terminal(TERMINAL) / "seal.pub").unlink()
    with pytest.raises(TownError, match=r"ent-1/seal\.pub"):
        hall.send()
    assert hall.broker.kept == {}


def test_an_empty_broker_gets_everything_again(hall: TownHall) -> None:
    hall.publish()
    before = dict(hall.broker.kept)
    hall.broker.kept.clear()
    hall.send()
    assert hall.broker.kept == before


class Refusing(RetainedMessages):
    """A broker that refuses from its n-th message on."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def publish(self, topic: str, payload: bytes, *, retained: bool = False) -> Taken:
        if len(self.sent) >= self.after:
            return Refused()
        return super().publish(topic, payload, retained=retained)


class Refused(Taken):
    def wait(self, patience_s: float = 10) -> None:
        raise DeliveryRefused("refused")


def test_what_was_cut_short_leaves_nothing_behind_that_nobody_knows(hall: TownHall) -> None:
    hall.publish()
    first = hall.broker
    hall.sign()
    hall.broker = Refusing(after=4)
    hall.broker.kept.update(first.kept)
    with pytest.raises(DeliveryRefused):
        hall.send()
    partly = hall.broker.kept
    assert partly[INDEX] == first.kept[INDEX]
    hall.sign()
    hall.broker = RetainedMessages()
    hall.broker.kept.update(partly)
    hall.send()
    listed = index_of(hall.broker.kept[INDEX])
    assert sum(one.chunks for one in listed.values()) == len(hall.broker.kept) - 1


def test_progress_reaches_its_end(hall: TownHall) -> None:
    hall.sign()
    told: list[tuple[int, int]] = []
    publish(hall.town, hall.broker, lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == len(hall.broker.sent)
