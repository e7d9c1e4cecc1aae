"""Builds, checks and signs publications: documents become TUF targets with a rising number.

A publication is drafted from the town's files, read back exactly as terminals will read it, and
only then signed: what a terminal would refuse is never published. The version of the targets
metadata is the publication's number; a number is never used twice, not even for a publication
that was signed and then thrown away.

Signing needs two of the three targets keys. Snapshot and timestamp are signed on the machine that
publishes; the timestamp lasts seven days, so ``renew_timestamp`` must run at least daily.
File names follow consistent snapshots (TUF 1.0, section 6.2). The metadata is written so that the
timestamp comes last: until then the repository still is the previous publication.
``publish`` puts the repository on the broker.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, T, TargetFile, Targets, Timestamp

from provisioning import authority_files as files
from provisioning import signing_roles
from provisioning.authority_files import Passphrase, no_passphrase
from provisioning.documents import Draft, draft, in_edited_names
from provisioning.preview import Preview, preview
from provisioning.signing_roles import metadata_path
from provisioning.slips import refuse_cards_that_cannot_be
from provisioning.town import Town, TownError
from terminal.cards.profile import ProfileRefused, parse_profiles
from terminal.core.rules import Rules
from terminal.wire import documents as wire
from terminal.wire.strict_json import Malformed, parse

log = logging.getLogger(__name__)

TIMESTAMP_LIFE = timedelta(days=7)
TARGETS_LIFE = timedelta(days=90)
TIMESTAMP_FILE = "timestamp.json"
_FIRST_LINES = """add for example these two lines (as TOML):

[terminals.{terminal}]
default_use = "attendance"
"""


class GuardRefused(TownError):
    """The publication looks like a mistake and was not confirmed; the text lists why."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A signed publication: its number and its files by the path they have on the road."""

    number: int
    files: Mapping[str, bytes]


def prepare(town: Town, now: datetime | None = None) -> tuple[Draft, Preview]:
    """Draft the next publication, check it whole, and compare it with the one in force.

    Raises:
        TownError: the files are not what terminals accept; the text says where.
    """
    made = draft(town, next_number(town), now or datetime.now(UTC))
    rules = check(town, made.documents)
    before, rules_before = _in_force_before(town)
    return made, preview(before, made.documents, rules_before, rules)


def check(town: Town, documents: Mapping[str, bytes]) -> Rules:
    """Read the documents as each terminal will; returns the rules of the first one.

    Raises:
        TownError: one of them would refuse; the text names document, place and remedy.
    """
    try:
        terminals = _terminals(documents, town.terminal_ids())
        every = [wire.rules_of(documents, terminal) for terminal in terminals]
        wire.trust_of(documents)
        profiles = parse_profiles(documents[wire.PROFILES])
        refuse_cards_that_cannot_be(every[0], {one.name: one.kind for one in profiles})
    except Malformed as error:
        # Its place begins with the document's name.
        raise TownError(f"{town.documents}/{in_edited_names(town, str(error))}") from None
    except ProfileRefused as error:
        raise TownError(f"{town.documents / wire.PROFILES}: {error}") from None
    strangers = [name for name in terminals if name not in town.terminal_ids()]
    if strangers:
        raise TownError(
            f"{town.documents}: terminal {strangers[0]} has no identity; "
            f"make it with: ./kazasu town terminal {town.folder} {strangers[0]}"
        )
    return every[0]


def sign(
    town: Town,
    made: Draft,
    seen: Preview,
    *,
    confirmed: bool = False,
    ask: Passphrase = no_passphrase,
) -> Publication:
    """Sign the draft and store it in the repository.

    ``confirmed`` is the second yes that a publication with objections needs.

    Raises:
        GuardRefused: there are objections and no second yes.
        TownError: keys are missing, or the number has been taken meanwhile.
    """
    if seen.objections and not confirmed:
        reasons = "; ".join(seen.objections)
        raise GuardRefused(f"not published: {reasons}. If that is meant, confirm it a second time")
    if made.number < next_number(town):
        raise TownError(f"number {made.number} has been taken meanwhile; prepare it again")
    targets = Targets(version=made.number, expires=_whole(made.issued + TARGETS_LIFE))
    for name, data in made.documents.items():
        targets.targets[name] = TargetFile.from_data(name, data, ["sha256"])
        path = town.repository / target_path(name, data)
        if not path.exists():
            # Readable by the owner only: the roster lies here in the clear.
            files.write_once(path, data, files.PRIVATE)
    signed = _signed(town, targets, ask)
    files.write_once(metadata_path(town, f"{made.number}.targets.json"), signed)
    _sign_snapshot(town, made.number, made.issued, ask)
    renew_timestamp(town, made.issued, ask)
    return current(town)


def renew_timestamp(
    town: Town, now: datetime | None = None, ask: Passphrase = no_passphrase
) -> None:
    """Sign a timestamp for the newest snapshot, valid for seven days from ``now``.

    Raises:
        TownError: nothing has been published yet, or the key is missing.
    """
    snapshot = newest(town, Snapshot.type)
    if snapshot == 0:
        raise TownError(f"{town.repository}: nothing has been published yet")
    path = metadata_path(town, TIMESTAMP_FILE)
    version = 1
    if path.exists():
        version = Metadata[Timestamp].from_bytes(files.read(path)).signed.version + 1
    expires = _whole((now or datetime.now(UTC)) + TIMESTAMP_LIFE)
    timestamp = Timestamp(version=version, expires=expires, snapshot_meta=MetaFile(snapshot))
    files.replace(path, _signed(town, timestamp, ask))


def current(town: Town) -> Publication:
    """The publication in force with every file that a terminal may ask for.

    That is: all roots (a terminal may come with the first one), the newest timestamp, the
    snapshot and targets it names, and their documents.

    Raises:
        TownError: nothing has been published yet, or a file is missing or damaged.
    """
    try:
        metadata, targets = _in_force(town)
    except (RepositoryError, KeyError, ValueError) as error:
        raise TownError(f"{town.repository}: the metadata is damaged ({error})") from None
    found = {f"metadata/{path.name}": files.read(path) for path in metadata}
    for name, target in targets.targets.items():
        path = f"targets/{target.hashes['sha256']}.{name}"
        found[path] = files.read(town.repository / path)
        if hashlib.sha256(found[path]).hexdigest() != target.hashes["sha256"]:
            raise TownError(f"{town.repository / path}: not what was signed")
    return Publication(targets.version, found)


def current_documents(town: Town) -> dict[str, bytes] | None:
    """The plain documents of the publication in force by name; None before the first."""
    if not metadata_path(town, TIMESTAMP_FILE).exists():
        return None
    documents = {}
    for path, data in current(town).files.items():
        folder, _, name = path.partition("/")
        if folder == "targets":
            documents[name.partition(".")[2]] = data
    return documents


def next_number(town: Town) -> int:
    """The number after the highest that was ever signed here."""
    return newest(town, Targets.type) + 1


def ends(town: Town) -> dict[str, datetime]:
    """When the newest root, targets and snapshot end, by the names of their roles.

    Raises:
        TownError: one of them cannot be read.
    """
    try:
        found = {Root.type: signing_roles.newest_root(town).expires}
        if number := newest(town, Targets.type):
            path = metadata_path(town, f"{number}.targets.json")
            found[Targets.type] = Metadata[Targets].from_bytes(files.read(path)).signed.expires
        if number := newest(town, Snapshot.type):
            path = metadata_path(town, f"{number}.snapshot.json")
            found[Snapshot.type] = Metadata[Snapshot].from_bytes(files.read(path)).signed.expires
    except RepositoryError as error:
        raise TownError(f"{town.repository}: no readable metadata ({error})") from None
    return found


def newest(town: Town, role: str) -> int:
    """The highest version of ``role`` in the repository, 0 if there is none."""
    versions = [
        path.name.partition(".")[0] for path in town.repository.glob(f"metadata/*.{role}.json")
    ]
    return max((int(version) for version in versions if version.isdigit()), default=0)


def target_path(name: str, data: bytes) -> str:
    """The path of a document on the road: its name behind its hash."""
    return f"targets/{hashlib.sha256(data).hexdigest()}.{name}"


def _in_force_before(town: Town) -> tuple[dict[str, bytes] | None, Rules | None]:
    """What the draft is compared with; nothing where that cannot be read by this software."""
    documents = current_documents(town)
    if documents is None:
        return None, None
    try:
        return documents, wire.rules_of(documents, _terminals(documents)[0])
    except Malformed as error:
        log.warning("the publication in force cannot be read, all looks new: %s", error)
        return None, None


def _in_force(town: Town) -> tuple[list[Path], Targets]:
    stamp = metadata_path(town, TIMESTAMP_FILE)
    timestamp = Metadata[Timestamp].from_bytes(files.read(stamp)).signed
    snapshot_path = metadata_path(town, f"{timestamp.snapshot_meta.version}.snapshot.json")
    snapshot = Metadata[Snapshot].from_bytes(files.read(snapshot_path)).signed
    version = snapshot.meta["targets.json"].version
    targets_path = metadata_path(town, f"{version}.targets.json")
    targets = Metadata[Targets].from_bytes(files.read(targets_path)).signed
    roots = sorted(town.repository.glob("metadata/*.root.json"))
    return [*roots, stamp, snapshot_path, targets_path], targets


def _sign_snapshot(town: Town, targets: int, issued: datetime, ask: Passphrase) -> None:
    snapshot = Snapshot(
        version=newest(town, Snapshot.type) + 1,
        expires=_whole(issued + TARGETS_LIFE),
        meta={"targets.json": MetaFile(targets)},
    )
    path = metadata_path(town, f"{snapshot.version}.snapshot.json")
    files.write_once(path, _signed(town, snapshot, ask))


def _signed(town: Town, content: T, ask: Passphrase) -> bytes:
    metadata = Metadata(content)
    for signer in signing_roles.signers(town, content.type, ask):
        metadata.sign(signer, append=True)
    data = metadata.to_bytes()
    # What the root in force does not vouch for would be refused by every terminal.
    try:
        root = signing_roles.newest_root(town)
        root.verify_delegate(content.type, metadata.signed_bytes, metadata.signatures)
    except RepositoryError as error:
        raise TownError(f"{town.roles}: {error}; are these keys the ones of the root?") from None
    return data


def _terminals(documents: Mapping[str, bytes], known: Sequence[str] = ()) -> list[str]:
    content = parse(documents.get(wire.TERMINALS, b""), longest=wire.LONGEST)
    terminals = content.get("terminals") if isinstance(content, dict) else None
    if not isinstance(terminals, dict) or not terminals:
        remedy = _FIRST_LINES.format(terminal=known[0] if known else "entrance-1")
        raise Malformed(wire.TERMINALS, f"names no terminal; {remedy}")
    return sorted(terminals)


def _whole(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(microsecond=0)
