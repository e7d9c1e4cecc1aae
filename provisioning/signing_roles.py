"""The keys that sign publications, and the root that says which they are (TUF 1.0, section 4).

root and targets need two of three keys, which belong offline in three people's hands; snapshot
and timestamp have one key each, on the machine that publishes. The first root is made here once.
Terminals know it by its hash, so it is never made anew; later roots (rotation) follow it with
rising version, signed by the old and the new keys.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from provisioning import authority_files as files
from provisioning.authority_files import Passphrase, no_passphrase
from provisioning.town import Town, TownError

ROOT_LIFE = timedelta(days=730)
ROOT_WARNING = timedelta(days=90)
KEYS = {Root.type: 3, Targets.type: 3, Snapshot.type: 1, Timestamp.type: 1}
THRESHOLDS = {Root.type: 2, Targets.type: 2, Snapshot.type: 1, Timestamp.type: 1}
FIRST_ROOT = "1.root.json"


def metadata_path(town: Town, name: str) -> Path:
    """Where the repository keeps a metadata file, for example ``1.root.json``."""
    return town.repository / "metadata" / name


def signers(town: Town, role: str, ask: Passphrase = no_passphrase) -> list[CryptoSigner]:
    """All keys of ``role`` that lie in the town directory, the role's first key first.

    Raises:
        TownError: fewer than the role's threshold can be read.
    """
    found = [
        _signer(path, ask) for path in sorted(town.roles.glob(f"{role}-*.key")) if path.is_file()
    ]
    if len(found) < THRESHOLDS[role]:
        raise TownError(
            f"{town.roles}: role {role} needs {THRESHOLDS[role]} keys to sign, {len(found)} found; "
            f"bring {role}-1.key and so on there"
        )
    return found


def ensure_first_root(town: Town, ask: Passphrase = no_passphrase) -> None:
    """Make the keys of all roles and the first root, signed by all root keys, if missing."""
    if metadata_path(town, FIRST_ROOT).exists():
        return
    root = Root(expires=_in(ROOT_LIFE), consistent_snapshot=True)
    for role, count in KEYS.items():
        for number in range(1, count + 1):
            path = town.roles / f"{role}-{number}.key"
            files.ensure_signing_key(path, ask)
            root.add_key(_signer(path, ask).public_key, role)
        root.roles[role].threshold = THRESHOLDS[role]
    metadata = Metadata(root)
    for signer in signers(town, Root.type, ask):
        metadata.sign(signer, append=True)
    files.write_once(metadata_path(town, FIRST_ROOT), metadata.to_bytes())


def first_root_pin(town: Town) -> bytes:
    """The line of ``root.sha256``: hash and file name, as sha256sum writes and checks it."""
    data = files.read(metadata_path(town, FIRST_ROOT))
    return f"{hashlib.sha256(data).hexdigest()}  {FIRST_ROOT}\n".encode("ascii")


def newest_root(town: Town) -> Root:
    """The root in force: the one with the highest version in the repository.

    Raises:
        TownError: there is none.
    """
    versions = [
        int(path.name.partition(".")[0])
        for path in town.repository.glob("metadata/*.root.json")
        if path.name.partition(".")[0].isdigit()
    ]
    if not versions:
        remedy = f"./kazasu town init {town.folder} --site {town.site}"
        raise TownError(f"{town.repository} holds no root; run: {remedy}")
    path = metadata_path(town, f"{max(versions)}.root.json")
    return Metadata[Root].from_bytes(files.read(path)).signed


def root_warning(town: Town, now: datetime | None = None) -> str:
    """What to say when the root in force ends soon, "" as long as it does not.

    Past its end terminals take nothing any more, not even a following root's publications.
    """
    left = newest_root(town).expires - (now or datetime.now(UTC))
    if left > ROOT_WARNING:
        return ""
    return f"the root of publications ends in {max(left.days, 0)} days: make the following one"


def _signer(path: Path, ask: Passphrase) -> CryptoSigner:
    return CryptoSigner(files.read_signing_key(path, ask))


def _in(length: timedelta) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + length
