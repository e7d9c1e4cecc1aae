"""The card application PIV with its key 9E: a certificate, and a signature over our challenge.

The conversation, without PIN: SELECT, GET DATA for the card authentication certificate, GENERAL
AUTHENTICATE. The certificate is judged before the card is asked to sign, so a foreign card
learns no challenge and a hopeless one costs no time. Standards: NIST SP 800-73-4 part 1
(objects), part 2 clauses 3.1.1, 3.1.2, 3.2.4 and appendix A.1; SP 800-78-4 table 6-2.

Rules: nothing is sent that ``allowed`` does not list. A challenge is used once. The seam for
cards met before: whoever keeps their certificates hands in a ``judge`` that knows them and sends
only SELECT and GENERAL AUTHENTICATE. Which profile, issuer and roster entry this is about is
left to ``identify``.
"""

import hashlib
import zlib
from collections import deque
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from terminal.cards.apdu import (
    Answer,
    Command,
    Exchange,
    Garbled,
    StatusWord,
    data_object,
    data_objects,
    select,
    tlv,
)
from terminal.core.credential import Unreadable
from terminal.ports import ApduPattern
from terminal.wire.x509 import LONGEST_CERTIFICATE, CardCertificate, KeyAlgorithm

CERTIFICATE_OBJECT = bytes.fromhex("5FC101")
REMEMBERED = 64
"""How many earlier challenges are kept to tell a replayed answer from a wrong key."""

_KEY_9E = 0x9E
_NOT_HERE = frozenset(
    {
        StatusWord.NOT_FOUND,
        StatusWord.FUNCTION_NOT_SUPPORTED,
        StatusWord.INSTRUCTION_NOT_SUPPORTED,
        StatusWord.CLASS_NOT_SUPPORTED,
    }
)
_REFERENCES = {KeyAlgorithm.P256: 0x11, KeyAlgorithm.P384: 0x14, KeyAlgorithm.RSA2048: 0x07}
_RSA_BYTES = 256
# DigestInfo of SHA-256 (RFC 8017, 9.2 note 1); the digest follows.
_DIGEST_INFO = bytes.fromhex("3031300D060960864801650304020105000420")
_PLAIN, _GZIP = b"\x00", b"\x01"
_GZIP_WINDOW = 31

Judge = Callable[[bytes], CardCertificate | Unreadable]
"""Says of a certificate's DER bytes whether it counts: the verified value or the reason why not."""


class Challenges:
    """Our challenges: each is drawn for one question; the last ones are remembered.

    ``draw`` gives a fresh challenge of 32 bytes that nobody can foretell; ``fresh_challenge``
    makes one from what the shell knows. Used by one thread.
    """

    def __init__(self, draw: Callable[[], bytes]) -> None:
        self._draw = draw
        self._asked: deque[bytes] = deque(maxlen=REMEMBERED + 1)

    def issue(self) -> bytes:
        """Draw the next challenge; ValueError if it was drawn before or is not 32 bytes long."""
        challenge = self._draw()
        if len(challenge) != hashlib.sha256().digest_size or challenge in self._asked:
            raise ValueError("the source of challenges does not give 32 fresh bytes")
        self._asked.append(challenge)
        return challenge

    def earlier(self) -> tuple[bytes, ...]:
        """The challenges before the newest one, newest first."""
        return tuple(self._asked)[-2::-1]


def fresh_challenge(random: bytes, terminal: str, at_ms: int) -> bytes:
    """Bind 32 random bytes to this terminal and this moment (UTC ms): SHA-256, 32 bytes.

    A signature collected for one terminal is thereby none for another. ValueError if there are
    fewer random bytes.
    """
    if len(random) != hashlib.sha256().digest_size:
        raise ValueError(f"a challenge needs 32 random bytes, not {len(random)}")
    binding = f"{terminal}\n{at_ms}".encode()
    return hashlib.sha256(b"kazasu/1 card-challenge\n" + random + binding).digest()


def authenticate(
    exchange: Exchange,
    aid: bytes,
    algorithms: frozenset[KeyAlgorithm],
    judge: Judge,
    challenges: Challenges,
) -> CardCertificate | Unreadable:
    """Hold the conversation; give the certificate whose key signed, or the first reason why not.

    Raises:
        Garbled: an answer breaks the rules.
        CardTorn, CardMute, ChannelRefused, DeviceError: from the channel.
    """
    selected = select(exchange, aid)
    if selected.status == StatusWord.NO_DIAGNOSIS:
        # Some cards answer the first command after power-up so, and the same one rightly.
        selected = select(exchange, aid)
    if selected.status in _NOT_HERE:
        return Unreadable.NO_APPLICATION
    if not selected.successful:
        return Unreadable.CARD_FAULT
    data_objects(selected.data)
    shown = _get_certificate(exchange)
    if not shown.successful:
        return Unreadable.CARD_FAULT
    certificate = judge(_certificate_of(shown.data))
    if isinstance(certificate, Unreadable):
        return certificate
    if certificate.algorithm not in algorithms:
        return Unreadable.CERTIFICATE_UNFIT
    challenge = challenges.issue()
    answered = _ask_for_signature(exchange, certificate.algorithm, challenge)
    if not answered.successful:
        return Unreadable.CARD_FAULT
    signature = data_object(data_object(answered.data, 0x7C), 0x82)
    if _signed(certificate, challenge, signature):
        return certificate
    if any(_signed(certificate, each, signature) for each in challenges.earlier()):
        return Unreadable.REPLAYED
    return Unreadable.WRONG_KEY


def allowed(aid: bytes, algorithms: frozenset[KeyAlgorithm]) -> tuple[ApduPattern, ...]:
    """List the commands that a conversation with ``aid`` may need, byte by byte.

    What is signed is fixed but for the digest, so that no other use of key 9E gets through.
    """
    name = aid.hex().upper()
    patterns = [
        _pattern(f"00A40400{len(aid):02X}{name}.."),
        _pattern("00CB3FFF055C035FC101.."),
        _pattern("00C00000.."),
    ]
    if KeyAlgorithm.P256 in algorithms:
        patterns.append(_pattern("0087119E267C2482008120" + ".." * 33))
    if KeyAlgorithm.P384 in algorithms:
        patterns.append(_pattern("0087149E367C3482008130" + ".." * 49))
    if KeyAlgorithm.RSA2048 in algorithms:
        # The block's padding up to the chain's 255th byte; the digest's last 11 bytes follow.
        before_digest = _rsa_block(bytes(32))[:-32].hex().upper()
        patterns.append(_pattern("1087079EFF7C8201068200818201" + "00" + before_digest + ".." * 21))
        patterns.append(_pattern("0087079E0B" + ".." * 12))
    return tuple(patterns)


def _pattern(head: str) -> ApduPattern:
    return ApduPattern(head, len(head) // 2, len(head) // 2)


def _get_certificate(exchange: Exchange) -> Answer:
    return exchange.send(Command(0x00, 0xCB, 0x3F, 0xFF, tlv(0x5C, CERTIFICATE_OBJECT), 256))


def _certificate_of(data: bytes) -> bytes:
    """Take the certificate's DER bytes out of the data object (SP 800-73-4 part 1, table 15)."""
    content = data_object(data, 0x53)
    certificate = data_object(content, 0x70)
    information = data_objects(content).get(0x71, _PLAIN)
    if information == _PLAIN:
        return certificate
    if information == _GZIP:
        return _decompressed(certificate)
    raise Garbled("a certificate in a form that the standard does not know")


def _decompressed(packed: bytes) -> bytes:
    """Unpack gzip data (RFC 1952) of at most LONGEST_CERTIFICATE bytes; more is not made."""
    unpacker = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        plain = unpacker.decompress(packed, LONGEST_CERTIFICATE)
    except zlib.error as error:
        raise Garbled("compressed data is damaged") from error
    if not unpacker.eof or unpacker.unused_data:
        raise Garbled("compressed data is too long, cut off or followed by more")
    return plain


def _ask_for_signature(exchange: Exchange, algorithm: KeyAlgorithm, challenge: bytes) -> Answer:
    asked = _to_sign(algorithm, challenge)
    template = tlv(0x7C, tlv(0x82, b"") + tlv(0x81, asked))
    return exchange.send(Command(0x00, 0x87, _REFERENCES[algorithm], _KEY_9E, template, 256))


def _to_sign(algorithm: KeyAlgorithm, challenge: bytes) -> bytes:
    """What the card's key operation takes: a digest of the curve's size, or a padded block."""
    if algorithm is KeyAlgorithm.P256:
        return challenge
    if algorithm is KeyAlgorithm.P384:
        return hashlib.sha384(challenge).digest()
    return _rsa_block(challenge)


def _rsa_block(digest: bytes) -> bytes:
    """Pad a SHA-256 digest for RSA-2048, EMSA-PKCS1-v1_5 (RFC 8017, 9.2)."""
    info = _DIGEST_INFO + digest
    return b"\x00\x01" + b"\xff" * (_RSA_BYTES - 3 - len(info)) + b"\x00" + info


def _signed(certificate: CardCertificate, challenge: bytes, signature: bytes) -> bool:
    """Tell whether ``signature`` is the certificate's key's over ``challenge``."""
    key = certificate.key
    try:
        if isinstance(key, rsa.RSAPublicKey):
            prehashed = Prehashed(hashes.SHA256())
            key.verify(signature, challenge, padding.PKCS1v15(), prehashed)
        else:
            wide = certificate.algorithm is KeyAlgorithm.P384
            digest = Prehashed(hashes.SHA384() if wide else hashes.SHA256())
            key.verify(signature, _to_sign(certificate.algorithm, challenge), ec.ECDSA(digest))
    except (InvalidSignature, ValueError):
        return False
    return True
