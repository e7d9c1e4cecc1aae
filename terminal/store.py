"""Small documents that outlive a power cut: TinyDB on a storage that replaces files whole.

TinyDB's own storage overwrites in place: a cut at the wrong moment leaves a file that cannot be
read, and an empty file reads as "no documents". Here a file is never changed. A new one is written
beside it, synced, and moved into place; the one before is kept. Each carries a generation that
counts up, its length, and the SHA-256 of generation and content; the newest whole one counts.
Where files are there and none is whole, that is a fault, never an empty store.

Rules: the only file that imports tinydb. One thread, one process for one store; the journal, not
this, is the place for anything that must not be lost.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinydb import TinyDB, where
from tinydb.storages import Storage

from terminal.journal_disk import sync_folder
from terminal.wire.strict_json import MOST, Malformed, parse

LONGEST = 64 * 1024 * 1024
_LONGEST_HEADER = 200
_DEPTH = 16


class StoreError(Exception):
    """The store could not be read or written just now."""


class StoreDamagedError(StoreError):
    """Files are there, and none of them is whole."""


@dataclass(frozen=True, slots=True)
class _Version:
    generation: int
    body: bytes


class AtomicStorage(Storage):
    """TinyDB's storage: ``path`` is the newest version, ``path.previous`` the one before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._previous = path.with_name(path.name + ".previous")
        self._draft = path.with_name(path.name + ".new")
        self._newest = self._find()

    def read(self) -> dict[str, dict[str, Any]] | None:
        """All tables, None for a store that has never been written.

        Raises:
            StoreDamagedError: files are there, and none of them is whole.
            StoreError: the disk cannot be read.
        """
        self._newest = self._find()
        if self._newest is None:
            return None
        tables = parse(self._newest.body, longest=LONGEST, depth=_DEPTH)
        if not isinstance(tables, dict):
            raise StoreDamagedError(f"{self._path} holds no tables")
        return tables

    def write(self, data: Mapping[str, Mapping[str, Any]]) -> None:
        """Replace everything; after an error the old content is still there, or the new is whole.

        Content that ``read`` would refuse is refused here.

        Raises:
            StoreError: it is not certain that the new content will last.
        """
        generation = 1 if self._newest is None else self._newest.generation + 1
        try:
            body = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            version = _Version(generation, body.encode())
            parse(version.body, longest=LONGEST, depth=_DEPTH)
        except ValueError as error:
            raise StoreError(f"{self._path}: {error}") from error
        try:
            self._write_draft(_header(version) + version.body)
            if self._newest is not None and _whole(self._path) is not None:
                # A spoilt newest file is not worth keeping in place of a whole one before it.
                self._path.replace(self._previous)
            self._draft.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise StoreError(f"{self._path} could not be written: {error.strerror}") from error
        self._newest = version

    def _write_draft(self, content: bytes) -> None:
        self._draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(self._draft, flags, 0o600)
        try:
            rest = memoryview(content)
            while rest:
                # write() may take less than it was given, without an error.
                rest = rest[os.write(handle, rest) :]
            os.fsync(handle)
        except BaseException:
            # After a failed sync the pages may be gone although a second sync succeeds, so the
            # draft is not used again.
            with contextlib.suppress(OSError):
                self._draft.unlink()
            raise
        finally:
            os.close(handle)

    def _find(self) -> _Version | None:
        try:
            there = [path for path in (self._path, self._previous) if path.exists()]
            versions = [version for path in there if (version := _whole(path)) is not None]
        except OSError as error:
            raise StoreError(f"{self._path} cannot be read: {error.strerror}") from error
        if there and not versions:
            raise StoreDamagedError(f"{self._path} and the version before it are damaged")
        return max(versions, key=lambda version: version.generation, default=None)


class Documents:
    """Named documents (JSON objects) in one store at ``path``.

    Raises:
        StoreDamagedError: files are there, and none of them is whole.
        StoreError: the disk cannot be read, or the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{path.parent} cannot be made: {error.strerror}") from error
        self._database = TinyDB(path, storage=AtomicStorage)
        self._table = self._database.table("documents")

    def get(self, name: str) -> dict[str, Any] | None:
        """The document ``name``, None if there is none.

        Raises:
            StoreError: as the class.
        """
        found = self._table.get(where("name") == name)
        return None if found is None else dict(found["content"])

    def put(self, name: str, content: Mapping[str, Any]) -> None:
        """Store ``content`` as ``name``, in place of what was there.

        Raises:
            StoreError: it is not certain that it will last.
        """
        self._table.clear_cache()
        self._table.upsert({"name": name, "content": dict(content)}, where("name") == name)

    def remove(self, name: str) -> None:
        """Forget the document ``name``, if there is one.

        Raises:
            StoreError: it is not certain that this will last.
        """
        self._table.clear_cache()
        if self.get(name) is not None:
            self._table.remove(where("name") == name)

    def close(self) -> None:
        """Let go of the files."""
        self._database.close()


def _header(version: _Version) -> bytes:
    members = {
        "generation": version.generation,
        "length": len(version.body),
        "sha256": hashlib.sha256(b"%d\n" % version.generation + version.body).hexdigest(),
    }
    return json.dumps(members).encode() + b"\n"


def _whole(path: Path) -> _Version | None:
    """The version in that file, None unless length and hash fit."""
    try:
        header, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    try:
        members = parse(header, longest=_LONGEST_HEADER, depth=1)
    except Malformed:
        return None
    if not isinstance(members, dict):
        return None
    generation = members.get("generation")
    if not isinstance(generation, int) or not 0 < generation < MOST:
        return None
    version = _Version(generation, body)
    return version if _header(version) == header + b"\n" else None
