"""Documents with names in them are closed for the road: only one terminal can open them.

HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. The seal hides; it proves
nothing about the sender, which is the signed publication's task: that signs the plain bytes, so
that whoever signs has seen them.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

OVERHEAD = 48
"""How many bytes a sealed document is longer: the sender's key (32) and the tag (16)."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealBroken(Exception):
    """Not sealed to this key, not for this purpose, or changed on the way."""


def seal(plain: bytes, public: X25519PublicKey, info: bytes) -> bytes:
    """``plain`` so that only the owner of ``public`` can read it; ``info`` binds its purpose."""
    return _SUITE.encrypt(plain, public, info)


def unseal(sealed: bytes, private: X25519PrivateKey, info: bytes) -> bytes:
    """What was sealed.

    Raises:
        SealBroken: another key or ``info``, or changed bytes.
    """
    try:
        return _SUITE.decrypt(sealed, private, info)
    except (InvalidTag, ValueError) as error:
        raise SealBroken("cannot be opened with this terminal's sealing key") from error


def purpose(site: str, terminal: str, path: str) -> bytes:
    """The ``info`` of a published document: one terminal, one file."""
    return f"kazasu/1 {site}/{terminal}/{path}".encode()
