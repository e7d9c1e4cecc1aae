r"""Flat JSON whose last member is its signature.

``{"v":1,...,"key":"<key id>","sig":"<86 characters>"}``. The signature is ECDSA P-256 with
SHA-256 (FIPS 186-5), as 64 raw bytes r || s in base64url without padding (as in RFC 7518, 3.4),
over ``b"kazasu/1 " + context + b"\n"`` and all bytes before ``,"sig":"``. The context keeps a
signature made for one thing from counting for another. The key id is the first 16 hex digits of
the SHA-256 of the key's SubjectPublicKeyInfo.

Rules: what is verified are the bytes on the wire, and they are parsed only afterwards. Of the two
signatures that ECDSA makes from one (s, and n - s) only the lower counts, and base64url has one
spelling; otherwise anybody could turn a record into a second, equally valid one with another hash.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from terminal.wire.strict_json import MOST, Malformed, parse

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

RECORD = "record"
RECEIPT = "receipt"
HEAD = "head"

LONGEST = 4096
"""No signed message is longer, in bytes."""

_PRODUCT = b"kazasu/1 "
_TAIL = re.compile(rb',"sig":"([A-Za-z0-9_-]{86})"\}')
_TAIL_LENGTH = 96
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order n of the group P-256 (SP 800-186, 3.2.1.3)."""


class SignatureInvalid(Exception):
    """The signature is by none of the keys asked for, or not for this context."""


def key_id(key: PublicKey) -> str:
    """The 16 hex digits that name ``key`` on the wire."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()[:16]


def sign(context: str, members: Mapping[str, str | int | bool | None], key: PrivateKey) -> bytes:
    """The wire bytes of ``members`` (in their order; None is left out), signed for ``context``.

    Raises:
        ValueError: a member named key or sig, an integer past 64 bits, a string that no UTF-8
            can carry, more than LONGEST bytes, or a key that is not P-256.
    """
    if key.curve.name != ec.SECP256R1.name:
        raise ValueError(f"signed messages need a P-256 key, not {key.curve.name}")
    content = {name: value for name, value in members.items() if value is not None}
    for name, value in content.items():
        if name in {"key", "sig"}:
            raise ValueError(f"the member {name} is the signature's own")
        if isinstance(value, int) and not -MOST - 1 <= value <= MOST:
            raise ValueError(f"{name} is past 64 bits")
    content["key"] = key_id(key.public_key())
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    head = text.encode()[:-1]
    r, s = decode_dss_signature(key.sign(_signed(context, head), ec.ECDSA(hashes.SHA256())))
    raw = r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")
    signature = base64.urlsafe_b64encode(raw).rstrip(b"=")
    payload = head + b',"sig":"' + signature + b'"}'
    if len(payload) > LONGEST:
        raise ValueError(f"{len(payload)} bytes are more than the {LONGEST} allowed")
    return payload


def verify(context: str, payload: bytes, keys: Iterable[PublicKey]) -> dict[str, object]:
    """The members of ``payload`` without the signature, once one of ``keys`` vouches for them.

    Raises:
        SignatureInvalid: none of ``keys`` signed these bytes for ``context``.
        Malformed: not the form described above, or signed and yet not flat JSON.
    """
    return _members(payload, signer(context, payload, keys))


def signer(context: str, payload: bytes, keys: Iterable[PublicKey]) -> PublicKey:
    """Which of ``keys`` signed ``payload``, whatever its bytes may say.

    For those who must keep what is signed even if they cannot read it; others use ``verify``.

    Raises:
        SignatureInvalid: none of ``keys`` signed these bytes for ``context``.
        Malformed: they do not end in a signature.
    """
    head, raw = _split(payload)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    signed = _signed(context, head)
    for key in keys:
        try:
            key.verify(der, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        return key
    raise SignatureInvalid(f"no known key signed this {context}")


def _split(payload: bytes) -> tuple[bytes, bytes]:
    """What was signed, and the 64 bytes of the signature."""
    if len(payload) > LONGEST:
        raise Malformed("", f"{len(payload)} bytes are more than the {LONGEST} allowed")
    tail = _TAIL.fullmatch(payload, max(0, len(payload) - _TAIL_LENGTH))
    if tail is None:
        raise Malformed("end", 'does not end in ,"sig":"<86 base64url characters>"}')
    raw = base64.urlsafe_b64decode(tail[1] + b"==")
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != tail[1]:
        raise Malformed("sig", "not the one base64url spelling of its bytes")
    if int.from_bytes(raw[32:], "big") > _ORDER // 2:
        raise Malformed("sig", "the higher of the two possible values of s")
    return payload[: tail.start()], raw


def _signed(context: str, head: bytes) -> bytes:
    return _PRODUCT + context.encode("ascii") + b"\n" + head


def _members(payload: bytes, key: PublicKey) -> dict[str, object]:
    """Parse what has been verified; a flat object that names the key that signed it."""
    members = parse(payload, longest=LONGEST, depth=1)
    if not isinstance(members, dict):
        raise Malformed("", "not a JSON object")
    del members["sig"]
    if members.pop("key", None) != key_id(key):
        raise Malformed("key", "does not name the key that signed")
    return members
