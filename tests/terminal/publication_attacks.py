"""Attacks on publications, each a function over a town hall whose terminal has taken number 1."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from securesystemslib.signer import CryptoSigner

from provisioning.publication import renew_timestamp
from terminal.updater_road import LONGEST_FILE
from terminal.wire import documents as wire
from terminal.wire.index import index_bytes, index_of
from terminal.wire.topics import CHUNK
from tests.town_hall import OTHER, TERMINAL, TownHall

TIMESTAMP = "metadata/timestamp.json"
INDEX = "kazasu/v1/minami/_publication/index"


@dataclass(frozen=True)
class Attack:
    """What is done to the broker or the town's files, and how the terminal must call it."""

    reason: str
    file: str
    do: Callable[[TownHall], None]

    def __str__(self) -> str:
        return self.do.__name__


def no_signature(hall: TownHall) -> None:
    hall.spoil(TIMESTAMP, lambda metadata: metadata.update(signatures=[]))


def changed_after_signing(hall: TownHall) -> None:
    hall.spoil(TIMESTAMP, lambda metadata: metadata["signed"].update(version=7))


def signed_by_a_stranger(hall: TownHall) -> None:
    forged = hall.forge(TIMESTAMP, raised, [CryptoSigner.generate_ed25519()])
    hall.serve({TIMESTAMP: forged})


def another_town(hall: TownHall) -> None:
    foreign = TownHall(hall.town.folder.parent / "foreign", foreign=True)
    foreign.publish()
    hall.broker.kept.clear()
    hall.broker.kept.update(foreign.broker.kept)
    hall.broker.publish(INDEX, foreign.broker.kept[INDEX], retained=True)


def targets_by_one_key(hall: TownHall) -> None:
    hall.publish()
    path = "metadata/2.targets.json"
    hall.serve({path: hall.forge(path, unchanged, hall.signers("targets")[:1])})


def targets_by_one_key_twice(hall: TownHall) -> None:
    hall.publish()

    def twice(metadata: dict[str, Any]) -> None:
        metadata["signatures"] = metadata["signatures"][:1] * 2

    hall.spoil("metadata/2.targets.json", twice)


def changed_document(hall: TownHall) -> None:
    hall.publish()
    path = next(path for path in hall.paths() if path.endswith("access.json"))
    hall.serve({path: hall.served(path).replace(b"h-sato", b"h-sata")})


def root_by_the_old_keys_only(hall: TownHall) -> None:
    def other_keys(root: Any) -> None:
        for keyid in list(root.roles["root"].keyids):
            root.revoke_key(keyid, "root")
        for _ in range(3):
            root.add_key(CryptoSigner.generate_ed25519().public_key, "root")

    path = hall.rotate_root(other_keys)
    hall.serve({path: (hall.town.repository / path).read_bytes()})


def older_timestamp(hall: TownHall) -> None:
    def earlier(timestamp: Any) -> None:
        timestamp.version -= 1

    hall.serve({TIMESTAMP: hall.forge(TIMESTAMP, earlier)})


def older_snapshot(hall: TownHall) -> None:
    def earlier(timestamp: Any) -> None:
        timestamp.version += 1
        timestamp.snapshot_meta.version = 1

    hall.serve({TIMESTAMP: hall.forge(TIMESTAMP, earlier)})


def skipped_root(hall: TownHall) -> None:
    hall.rotate_root()
    path = hall.rotate_root()
    data = (hall.town.repository / path).read_bytes()
    hall.serve({"metadata/2.root.json": data})


def expired_timestamp(hall: TownHall) -> None:
    hall.publish(datetime.now(UTC) - timedelta(days=8))


def expired_targets(hall: TownHall) -> None:
    hall.sign(datetime.now(UTC) - timedelta(days=91))
    renew_timestamp(hall.town)
    hall.send()


def expired_root(hall: TownHall) -> None:
    def ended(root: Any) -> None:
        root.expires = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)

    hall.rotate_root(ended)
    hall.publish()


def two_of_one_version(hall: TownHall) -> None:
    def longer(timestamp: Any) -> None:
        timestamp.expires += timedelta(days=1)

    hall.serve({TIMESTAMP: hall.forge(TIMESTAMP, longer)})


def version_of_2_to_63(hall: TownHall) -> None:
    def far(timestamp: Any) -> None:
        timestamp.version = 2**63

    hall.serve({TIMESTAMP: hall.forge(TIMESTAMP, far)})


def old_targets_under_the_new_name(hall: TownHall) -> None:
    old = hall.served("metadata/1.targets.json")
    hall.publish()
    hall.serve({"metadata/2.targets.json": old})


def old_snapshot_under_the_new_name(hall: TownHall) -> None:
    old = hall.served("metadata/1.snapshot.json")
    hall.publish()
    hall.serve({"metadata/2.snapshot.json": old})


def old_rules_with_new_roster(hall: TownHall) -> None:
    access = next(path for path in hall.paths() if path.endswith("access.json"))
    old = hall.served(access)
    hall.publish()
    new = next(path for path in hall.paths() if path.endswith("access.json"))
    hall.serve({new: old})


def documents_of_two_numbers(hall: TownHall) -> None:
    def older_access(documents: dict[str, bytes]) -> None:
        access = documents[wire.ACCESS]
        documents[wire.ACCESS] = access.replace(b'"number":2', b'"number":1')

    hall.sign_changed(older_access)


def sealed_for_another(hall: TownHall) -> None:
    hall.publish()
    own, other = sealed(hall, TERMINAL), sealed(hall, OTHER)
    first = f"kazasu/v1/minami/_publication/sealed/{OTHER}/{other.partition('/targets/')[2]}"
    first = first.replace(f"{OTHER}/", f"{OTHER}/targets~") + "/0"
    hall.serve({own: hall.broker.kept[first]})


def not_sealed_to_us(hall: TownHall) -> None:
    hall.publish()
    hall.serve({sealed(hall, TERMINAL): None})


def listed_too_long(hall: TownHall) -> None:
    hall.publish()
    lengths = {path: one.length for path, one in index_of(hall.broker.kept[INDEX]).items()}
    access = next(path for path in lengths if path.endswith("access.json"))
    hall.broker.publish(INDEX, index_bytes(lengths | {access: LONGEST_FILE + 1}), retained=True)


def a_chunk_too_long(hall: TownHall) -> None:
    hall.broker.kept[chunk(TIMESTAMP)] = b"x" * (CHUNK + 1)
    hall.send_index()


def a_timestamp_too_long(hall: TownHall) -> None:
    hall.serve({TIMESTAMP: b"x" * 20_000})


def a_chunk_never_comes(hall: TownHall) -> None:
    del hall.broker.kept[chunk(TIMESTAMP)]
    hall.send_index()


def no_json(hall: TownHall) -> None:
    hall.serve({TIMESTAMP: b"{"})


def deep_json(hall: TownHall) -> None:
    hall.serve({TIMESTAMP: b"[" * 16_000})


def a_number_of_5000_digits(hall: TownHall) -> None:
    data = hall.served(TIMESTAMP).replace(b'"version":1', b'"version":' + b"9" * 5000)
    hall.serve({TIMESTAMP: data})


def longer_than_listed(hall: TownHall) -> None:
    hall.broker.kept[chunk(TIMESTAMP)] = hall.served(TIMESTAMP) + b" "
    hall.send_index()


def index_of_nonsense(hall: TownHall) -> None:
    hall.broker.publish(INDEX, b'{"files":{"a":{"length":1e400,"chunks":1}}}', retained=True)


def documents_of_newer_software(hall: TownHall) -> None:
    def newer(documents: dict[str, bytes]) -> None:
        documents[wire.TEXTS] = documents[wire.TEXTS].replace(b'"v":1', b'"v":2')

    hall.sign_changed(newer)


def unknown_key_in_a_document(hall: TownHall) -> None:
    def odd(documents: dict[str, bytes]) -> None:
        documents[wire.ACCESS] = documents[wire.ACCESS].replace(b'"portals"', b'"doors"')

    hall.sign_changed(odd)


def profiles_of_nonsense(hall: TownHall) -> None:
    def odd(documents: dict[str, bytes]) -> None:
        documents[wire.PROFILES] = b"[x]"

    hall.sign_changed(odd)


def withheld_document(hall: TownHall) -> None:
    hall.publish()
    hall.serve({next(path for path in hall.paths() if path.endswith("texts.json")): None})


def document_that_nobody_signed(hall: TownHall) -> None:
    def without_trust(documents: dict[str, bytes]) -> None:
        del documents[wire.TRUST]

    hall.sign_changed(without_trust)


ATTACKS = [
    Attack("arbitrary", "timestamp", no_signature),
    Attack("arbitrary", "timestamp", changed_after_signing),
    Attack("arbitrary", "timestamp", signed_by_a_stranger),
    Attack("arbitrary", "timestamp", another_town),
    Attack("arbitrary", "targets", targets_by_one_key),
    Attack("malformed", "targets", targets_by_one_key_twice),
    Attack("arbitrary", "access.json", changed_document),
    Attack("arbitrary", "root", root_by_the_old_keys_only),
    Attack("rollback", "root", skipped_root),
    Attack("freeze", "timestamp", expired_timestamp),
    Attack("freeze", "snapshot", expired_targets),
    Attack("freeze", "root", expired_root),
    Attack("equivocation", "timestamp", two_of_one_version),
    Attack("fast_forward", "timestamp", version_of_2_to_63),
    Attack("mix_and_match", "targets", old_targets_under_the_new_name),
    Attack("mix_and_match", "snapshot", old_snapshot_under_the_new_name),
    Attack("mix_and_match", "access.json", old_rules_with_new_roster),
    Attack("mix_and_match", "access.json", documents_of_two_numbers),
    Attack("wrong_device", "roster.json", sealed_for_another),
    Attack("wrong_device", "roster.json", not_sealed_to_us),
    Attack("endless", "access.json", listed_too_long),
    Attack("endless", "timestamp", a_chunk_too_long),
    Attack("endless", "timestamp", a_timestamp_too_long),
    Attack("slow", "timestamp", a_chunk_never_comes),
    Attack("malformed", "timestamp", no_json),
    Attack("malformed", "timestamp", deep_json),
    Attack("malformed", "timestamp", a_number_of_5000_digits),
    Attack("malformed", "timestamp", longer_than_listed),
    Attack("malformed", "index", index_of_nonsense),
    Attack("malformed", "access.json", unknown_key_in_a_document),
    Attack("malformed", "profiles.toml", profiles_of_nonsense),
    Attack("wrong_software", "texts.json", documents_of_newer_software),
    Attack("missing", "texts.json", withheld_document),
    Attack("missing", "trust.json", document_that_nobody_signed),
]


def unchanged(_signed: Any) -> None:
    pass


def raised(signed: Any) -> None:
    signed.version += 1


def sealed(hall: TownHall, terminal: str) -> str:
    return next(path for path in hall.paths() if path.startswith(f"sealed/{terminal}/"))


def chunk(path: str) -> str:
    return f"kazasu/v1/minami/_publication/file/{path.replace('/', '~')}/0"
