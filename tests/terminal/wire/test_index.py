import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.wire.index import LONGEST_FILE, Listed, chunks_of, index_bytes, index_of
from terminal.wire.strict_json import Malformed
from terminal.wire.topics import CHUNK


@given(st.integers(0, 5), st.integers(-1, 1))
def test_a_file_comes_back_from_its_chunks(whole: int, more: int) -> None:
    data = bytes(max(0, whole * CHUNK + more))
    pieces = chunks_of(data)
    assert b"".join(pieces) == data
    assert all(len(piece) <= CHUNK for piece in pieces)
    assert index_of(index_bytes({"a": len(data)})) == {"a": Listed(len(data), len(pieces))}


def test_an_index_comes_back() -> None:
    lengths = {"metadata/1.root.json": 7, "roster.json": CHUNK + 1}
    assert index_of(index_bytes(lengths)) == {
        "metadata/1.root.json": Listed(7, 1),
        "roster.json": Listed(CHUNK + 1, 2),
    }


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files":[]}',
        b'{"files":{},"more":1}',
        b'{"files":{"a":{"length":1}}}',
        b'{"files":{"a":{"length":1,"chunks":2}}}',
        b'{"files":{"a":{"length":1,"chunks":0}}}',
        b'{"files":{"a":{"length":-1,"chunks":1}}}',
        b'{"files":{"a":{"length":true,"chunks":1}}}',
        b'{"files":{"a":{"length":1,"chunks":1,"x":1}}}',
        b'{"files":{"a":{"length":%d,"chunks":129}}}' % (LONGEST_FILE + 1),
        b'{"files":{"a":{"length":1,"chunks":1},"a":{"length":1,"chunks":1}}}',
        b" " * 300_000,
    ],
)
def test_an_index_that_does_not_add_up_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        index_of(data)
