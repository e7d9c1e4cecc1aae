"""Commands and TLV as the virtual cards read them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.virtual_cards.apdu import Command, RefusedError, parse, read_tlv, tlv


@pytest.mark.parametrize(
    ("sent", "data", "le"),
    [
        ("00A40400", "", 0),
        ("00C0000010", "", 16),
        ("00C0000000", "", 256),
        ("00A40400021234", "1234", 0),
        ("00A4040002123400", "1234", 256),
        ("00A4040002123408", "1234", 8),
    ],
)
def test_each_case_of_a_short_command_is_read(sent: str, data: str, le: int) -> None:
    command = parse(bytes.fromhex(sent))
    assert (command.data, command.le) == (bytes.fromhex(data), le)


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "00",
        "00A404",
        "00A404000212",
        "00A4040002123400FF",
        "00A40400000004",
        "00A4040000000412345678",
    ],
)
def test_a_length_that_fits_no_short_case_is_refused_with_6700(sent: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse(bytes.fromhex(sent))
    assert refused.value.word == 0x6700


def test_the_header_goes_to_its_four_names() -> None:
    assert parse(bytes.fromhex("1087119E")) == Command(0x10, 0x87, 0x11, 0x9E, b"", 0)


@given(
    st.dictionaries(
        st.sampled_from([0x53, 0x70, 0x81, 0x5C, 0x5F2F, 0x7F49]), st.binary(max_size=600)
    )
)
def test_what_is_written_as_tlv_is_read_back(objects: dict[int, bytes]) -> None:
    row = b"".join(tlv(tag, value) for tag, value in objects.items())
    assert read_tlv(row) == objects


@pytest.mark.parametrize(
    ("size", "length"), [(0, "00"), (127, "7F"), (128, "8180"), (255, "81FF"), (256, "820100")]
)
def test_a_length_takes_its_shortest_form(size: int, length: str) -> None:
    assert tlv(0x81, bytes(size))[1:].startswith(bytes.fromhex(length))


@pytest.mark.parametrize(
    "spoiled",
    [
        "81",  # no length
        "8105AA",  # cut off
        "5F",  # half a tag
        "1F81",  # a tag without an end
        "8180",  # indefinite length
        "81830000010A",  # a length of three bytes
        "8181",  # a long length without its byte
        "818201",  # one without its second byte
        "818101",  # a value of one byte that is missing
        "81008100",  # the same tag twice
    ],
)
def test_spoiled_tlv_is_refused_with_6a80(spoiled: str) -> None:
    with pytest.raises(RefusedError) as refused:
        read_tlv(bytes.fromhex(spoiled))
    assert refused.value.word == 0x6A80


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused_but_never_crash(data: bytes) -> None:
    with contextlib.suppress(RefusedError):
        read_tlv(data)
