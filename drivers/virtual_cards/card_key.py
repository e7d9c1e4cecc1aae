"""A key on a card and the certificate shown for it: the algorithms of PIV.

NIST SP 800-78-4, table 6-2 names the algorithms by number; here are those a town can use:
ECC P-256 (11), ECC P-384 (14) and RSA-2048 (07). The caller hashes and pads; the card only
computes (NIST SP 800-73-4 part 2, appendix A).
"""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from drivers.virtual_cards.apdu import WRONG_DATA, RefusedError
from drivers.virtual_cards.chuid import NUMBER_LENGTH

RSA_2048 = 0x07
RSA_BITS = 2048
CURVES: dict[str, tuple[int, hashes.HashAlgorithm]] = {
    "secp256r1": (0x11, hashes.SHA256()),
    "secp384r1": (0x14, hashes.SHA384()),
}

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class CardKey:
    """A private key and the certificate that the card shows for it.

    They need not belong together: that is what a copied card is. ValueError for a key that
    no PIV algorithm here fits.
    """

    certificate: x509.Certificate
    private: PrivateKey

    def __post_init__(self) -> None:
        if isinstance(self.private, rsa.RSAPrivateKey):
            known = self.private.key_size == RSA_BITS
        else:
            known = self.private.curve.name in CURVES
        if not known:
            raise ValueError("a virtual PIV card holds P-256, P-384 or RSA-2048 keys only")

    @property
    def algorithm(self) -> int:
        """The key's algorithm identifier."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return RSA_2048
        return CURVES[self.private.curve.name][0]

    @property
    def encoded_certificate(self) -> bytes:
        """The certificate as DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def card_number(self) -> bytes:
        """The 16 random bytes that stand as 32 hex digits in the certificate's common name.

        A certificate made for something else gives the last bytes of its fingerprint.
        """
        names = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        try:
            number = bytes.fromhex(str(names[0].value)) if names else b""
        except ValueError:
            number = b""
        if len(number) == NUMBER_LENGTH:
            return number
        return self.certificate.fingerprint(hashes.SHA256())[-NUMBER_LENGTH:]

    def sign(self, challenge: bytes) -> bytes:
        """Sign a digest (EC, answer in DER) or a padded block (RSA, answer of 256 bytes).

        Raises:
            RefusedError: 6A80 if the challenge does not have the key's length, or is too large.
        """
        if len(challenge) * 8 != self.private.key_size:
            raise RefusedError(WRONG_DATA)
        if isinstance(self.private, rsa.RSAPrivateKey):
            return _bare_rsa(self.private, challenge)
        _, digest = CURVES[self.private.curve.name]
        return self.private.sign(challenge, ec.ECDSA(Prehashed(digest)))


def _bare_rsa(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """Compute the RSA operation alone, which no library offers for signing.

    By the Chinese remainder theorem (RFC 8017, 5.1.2), as chips do it: three times as fast.
    """
    numbers = key.private_numbers()
    number = int.from_bytes(block, "big")
    if number >= numbers.public_numbers.n:
        raise RefusedError(WRONG_DATA)
    first = pow(number, numbers.dmp1, numbers.p)
    second = pow(number, numbers.dmq1, numbers.q)
    lift = (first - second) * numbers.iqmp % numbers.p
    return (second + lift * numbers.q).to_bytes(len(block), "big")
