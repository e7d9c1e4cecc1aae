import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.wire.strict_json import MOST, Malformed, parse

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-MOST - 1, MOST) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_what_json_carries_comes_back_as_it_was(value: object) -> None:
    data = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    if "\\u" in repr(value) and any("\ud800" <= sign <= "\udfff" for sign in str(value)):
        return
    assert parse(data, longest=100_000, depth=30) == value


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":1,}', "not JSON"),
        (b"{'a':1}", "not JSON"),
        (b'"\x01"', "not JSON"),
        (b'{"a":1,"a":1}', "named twice"),
        (b'[{"b":{"a":1,"\\u0061":2}}]', "named twice"),
        (b"NaN", "not a number"),
        (b"-Infinity", "not a number"),
        (b"1e400", "past what a double"),
        (b"-1e99999", "past what a double"),
        (b"9223372036854775808", "past 64 bits"),
        (b"-9223372036854775809", "past 64 bits"),
        (b"1" * 5000, "past 64 bits"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\\ud800"', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b'[["\\uDBFF x"]]', "surrogate"),
        (b"[" * 9 + b"]" * 9, "nested deeper"),
        (b'{"a":' * 9 + b"1" + b"}" * 9, "nested deeper"),
    ],
)
def test_what_leaves_room_for_two_meanings_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse(data, longest=100_000)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'"\\ud842\\udfb7"', longest=100) == "𠮷"


def test_brackets_in_strings_are_no_nesting() -> None:
    assert parse(b'"[[[[[[[[[[\\"[[[["', longest=100) == '[[[[[[[[[["[[[['


def test_the_extreme_integers_are_read() -> None:
    assert parse(b"[9223372036854775807,-9223372036854775808]", longest=100) == [MOST, -MOST - 1]


def test_size_is_looked_at_before_anything_else() -> None:
    with pytest.raises(Malformed, match="101 bytes are more than the 100"):
        parse(b"\xff" * 101, longest=100)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 1_000_000,
        b'"' + b'\\"' * 500_000,
        b'"\\' * 300_000,
        b'{"a":' * 200_000,
        b"[" + b"1" * 900_000,
        b'["' + b"\\ud800" * 100_000 + b'"]',
    ],
)
def test_a_megabyte_of_malice_is_refused_in_no_time(data: bytes) -> None:
    began = time.process_time()
    with pytest.raises(Malformed):
        parse(data, longest=2_000_000)
    assert time.process_time() - began < 1


def test_an_error_tells_the_place() -> None:
    with pytest.raises(Malformed) as refusal:
        parse(b'{"a":\n 1,]', longest=100)
    assert refusal.value.place == "line 2 column 4"


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        parse(data, longest=150)


@given(st.text(max_size=60))
def test_an_error_can_be_logged_whatever_the_bytes_were(name: str) -> None:
    twice = json.dumps(name)
    with pytest.raises(Malformed) as refusal:
        parse(f"{{{twice}:1,{twice}:2}}".encode(), longest=2000)
    assert str(refusal.value).isprintable()
