import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from terminal.wire.signed import (
    HEAD,
    LONGEST,
    RECEIPT,
    RECORD,
    SignatureInvalid,
    key_id,
    sign,
    verify,
)
from terminal.wire.strict_json import MOST, Malformed
from tests.town_ca import new_key

KEY = new_key()
PUBLIC = KEY.public_key()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MEMBERS: dict[str, str | int | bool | None] = {
    "v": 1,
    "terminal": "ent-1",
    "seq": 7,
    "ok": True,
    "left_out": None,
    "name": "鍵",
}


def test_what_was_signed_comes_back_in_its_order_without_the_signature() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    members = verify(RECORD, payload, [PUBLIC])
    assert members == {name: value for name, value in MEMBERS.items() if value is not None}
    assert list(members) == ["v", "terminal", "seq", "ok", "name"]


def test_the_form_on_the_wire_is_flat_json_that_anybody_can_read() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    content = json.loads(payload)
    assert list(content)[-2:] == ["key", "sig"]
    assert content["key"] == key_id(PUBLIC)
    assert len(base64.urlsafe_b64decode(content["sig"] + "==")) == 64
    assert payload.endswith(b'","sig":"' + content["sig"].encode() + b'"}')


def test_the_right_key_is_found_among_several() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    assert verify(RECORD, payload, [new_key().public_key(), PUBLIC])


@pytest.mark.parametrize("context", [RECEIPT, HEAD, "recor", "record "])
def test_a_signature_counts_for_one_thing_only(context: str) -> None:
    with pytest.raises(SignatureInvalid):
        verify(context, sign(RECORD, MEMBERS, KEY), [PUBLIC])


def test_another_key_does_not_count() -> None:
    with pytest.raises(SignatureInvalid):
        verify(RECORD, sign(RECORD, MEMBERS, KEY), [new_key().public_key()])
    with pytest.raises(SignatureInvalid):
        verify(RECORD, sign(RECORD, MEMBERS, KEY), [])


def test_no_changed_byte_verifies() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    for at in range(len(payload)):
        for change in (0x01, 0x20, 0x80):
            changed = payload[:at] + bytes([payload[at] ^ change]) + payload[at + 1 :]
            with pytest.raises((SignatureInvalid, Malformed)):
                verify(RECORD, changed, [PUBLIC])


def test_no_cut_or_lengthened_payload_verifies() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    others = [payload[:size] for size in range(len(payload))]
    others += [payload + b" ", b" " + payload, payload + b"\n", payload * 2]
    for other in others:
        with pytest.raises((SignatureInvalid, Malformed)):
            verify(RECORD, other, [PUBLIC])


def raw_signature(payload: bytes) -> tuple[bytes, int, int]:
    raw = base64.urlsafe_b64decode(payload[-88:-2] + b"==")
    return payload[:-88], int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")


def with_signature(head: bytes, r: int, s: int) -> bytes:
    raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return head + base64.urlsafe_b64encode(raw).rstrip(b"=") + b'"}'


def test_nobody_can_make_a_second_valid_payload_out_of_one() -> None:
    """ECDSA's other signature (r, n - s) would give the same record another hash."""
    payload = sign(RECORD, MEMBERS, KEY)
    head, r, s = raw_signature(payload)
    assert with_signature(head, r, s) == payload
    with pytest.raises(Malformed, match="higher"):
        verify(RECORD, with_signature(head, r, ORDER - s), [PUBLIC])


def test_base64_has_one_spelling() -> None:
    payload = sign(RECORD, MEMBERS, KEY)
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = bytes([alphabet[alphabet.index(payload[-3]) | 1]])
    assert other != payload[-3:-2]
    with pytest.raises(Malformed, match="spelling"):
        verify(RECORD, payload[:-3] + other + payload[-2:], [PUBLIC])


@pytest.mark.parametrize("r", [0, 1, ORDER, 2**256 - 1])
def test_impossible_signatures_are_invalid(r: int) -> None:
    head, _, s = raw_signature(sign(RECORD, MEMBERS, KEY))
    with pytest.raises(SignatureInvalid):
        verify(RECORD, with_signature(head, r, s), [PUBLIC])
    with pytest.raises(SignatureInvalid):
        verify(RECORD, with_signature(head, r, 0), [PUBLIC])


def hand_signed(content: bytes) -> bytes:
    """``content`` (all before ``,"sig"``) signed by the right key without the product's help."""
    der = KEY.sign(b"kazasu/1 record\n" + content, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return with_signature(content + b',"sig":"', r, min(s, ORDER - s))


def test_the_form_is_what_the_contract_says() -> None:
    content = b'{"v":1,"key":"' + key_id(PUBLIC).encode() + b'"'
    assert verify(RECORD, hand_signed(content), [PUBLIC]) == {"v": 1}


@pytest.mark.parametrize(
    "content",
    [
        b'{"v":1',
        b'{"v":1,"key":"0123456789abcdef"',
        b'{"v":{},"key":"KEY"',
        b'{"v":1,"v":1,"key":"KEY"',
        b'{"v":1e999,"key":"KEY"',
        b'{"sig":1,"key":"KEY"',
        b'["v"',
        b"",
    ],
)
def test_signed_and_yet_not_flat_json_that_names_its_key_is_malformed(content: bytes) -> None:
    signed = hand_signed(content.replace(b"KEY", key_id(PUBLIC).encode()))
    with pytest.raises(Malformed):
        verify(RECORD, signed, [PUBLIC])


@pytest.mark.parametrize(
    "members",
    [
        {"key": "x"},
        {"sig": "x"},
        {"n": MOST + 1},
        {"n": -MOST - 2},
        {"text": "\ud800"},
        {"text": "x" * LONGEST},
    ],
)
def test_what_could_not_be_read_again_is_never_signed(members: dict[str, str | int]) -> None:
    with pytest.raises(ValueError, match=r"."):
        sign(RECORD, members, KEY)


def test_only_p256_signs() -> None:
    with pytest.raises(ValueError, match="P-256"):
        sign(RECORD, MEMBERS, ec.generate_private_key(ec.SECP384R1()))


def test_a_huge_payload_is_refused_unread() -> None:
    with pytest.raises(Malformed, match="more than"):
        verify(RECORD, b"x" * (LONGEST + 1), [PUBLIC])


@given(
    st.dictionaries(
        st.text(max_size=9).filter(lambda name: name not in {"key", "sig"}),
        st.text(max_size=30) | st.integers(-MOST - 1, MOST) | st.booleans(),
        max_size=6,
    )
)
def test_whatever_is_signed_verifies(members: dict[str, str | int | bool]) -> None:
    assert verify(RECORD, sign(RECORD, members, KEY), [PUBLIC]) == members


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises((SignatureInvalid, Malformed)):
        verify(RECORD, data, [PUBLIC])
