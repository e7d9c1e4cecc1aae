"""What a publication's road over retained messages looks like: an index, and files in chunks.

MQTT has no "not found", so the publisher keeps an index of what exists. Nothing in it is trusted:
a wrong index can only make a file seem missing or cut, and what was fetched is then refused by
its signature or hash.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from terminal.wire.fields import Fields
from terminal.wire.strict_json import parse
from terminal.wire.topics import CHUNK, Name, row

LONGEST_FILE = 16 * 1024 * 1024
"""No published file is longer, in bytes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of the index: its length in bytes, and the number of its chunks."""

    length: int
    chunks: int


def chunks_of(data: bytes) -> list[bytes]:
    """``data`` in pieces of at most CHUNK bytes; an empty file is one empty piece."""
    return [data[start : start + CHUNK] for start in range(0, max(1, len(data)), CHUNK)]


def index_bytes(lengths: Mapping[str, int]) -> bytes:
    """The index for files of these lengths (bytes on the road: sealed where they are sealed)."""
    files = {path: {"length": n, "chunks": _chunks(n)} for path, n in lengths.items()}
    return json.dumps({"files": files}, separators=(",", ":")).encode()


def index_of(data: bytes) -> dict[str, Listed]:
    """The files that an index names, by path.

    Raises:
        Malformed: not an index; also a number of chunks that does not fit the length.
    """
    fields = Fields(parse(data, longest=row(Name.INDEX).longest))
    files = fields.need("files")
    fields.finish()
    listed = {}
    for path, value in Fields(files, "files").members():
        one = Fields(value, f"files.{path}")
        length = one.number("length", most=LONGEST_FILE)
        chunks = one.number("chunks", least=_chunks(length), most=_chunks(length))
        one.finish()
        listed[path] = Listed(length, chunks)
    return listed


def _chunks(length: int) -> int:
    return max(1, -(-length // CHUNK))
