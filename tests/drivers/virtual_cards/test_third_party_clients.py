"""Clients that others wrote accept the virtual PIV card: what we misread, they would not."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from drivers.virtual_cards.card_key import PrivateKey
from drivers.virtual_cards.piv import PivCard
from drivers.virtual_cards.vpcd import insert
from provisioning import parts
from tests.drivers.virtual_cards.card_office import issue, p256, p384, rsa2048
from tests.pcsc_sandbox import Pcscd

pytestmark = pytest.mark.real

DIGEST = bytes(range(48))


@pytest.fixture
def pcscd(tmp_path: Path) -> Iterator[Pcscd]:
    with Pcscd(tmp_path) as daemon:
        yield daemon


@pytest.fixture(params=[p256, p384, rsa2048])
def key(request: pytest.FixtureRequest) -> PrivateKey:
    made: PrivateKey = request.param()
    return made


def run(tool: str, *arguments: str, feed: bytes = b"") -> str:
    done = subprocess.run(
        [str(parts.tool(tool)), *arguments],
        env=parts.environment(),
        input=feed,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, said
    return said


def pkcs11(*arguments: str) -> str:
    module = str(parts.library("opensc-pkcs11.so"))
    return run("pkcs11-tool", "--module", module, *arguments)


def test_opensc_knows_it_as_a_piv_card(pcscd: Pcscd) -> None:
    with insert(PivCard(issue()), pcscd.slots[0]):
        assert "Personal Identity Verification Card" in run("opensc-tool", "--wait", "--name")


@pytest.mark.parametrize("compressed", [False, True])
def test_opensc_reads_the_certificates_of_both_keys(pcscd: Pcscd, *, compressed: bool) -> None:
    card = PivCard(issue(), piv_authentication=issue(), compressed=compressed, chunk=200)
    with insert(card, pcscd.slots[0]):
        run("opensc-tool", "--wait", "--name")
        for number, slot in (("04", 0x9E), ("01", 0x9A)):
            pem = card.keys[slot].certificate.public_bytes(Encoding.PEM).decode()
            assert pem in run("pkcs15-tool", "--read-certificate", number)
    assert card.verifies == 0


def test_pkcs11_signs_with_key_9e_and_the_certificates_key_agrees(
    pcscd: Pcscd, tmp_path: Path, key: PrivateKey
) -> None:
    card = PivCard(issue(key))
    message, signature = tmp_path / "message", tmp_path / "signature"
    message.write_bytes(DIGEST[: key.key_size // 8])
    mechanism = "SHA256-RSA-PKCS" if isinstance(key, rsa.RSAPrivateKey) else "ECDSA"
    with insert(card, pcscd.slots[0]):
        run("opensc-tool", "--wait", "--name")
        # The client logs in although the key asks for no PIN; the card counts that as a VERIFY.
        pkcs11("--pin", "123456", "--id", "04", "--sign", "--mechanism", mechanism,
               "--input-file", str(message), "--output-file", str(signature))  # fmt: skip
    raw = signature.read_bytes()
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key()
        public.verify(raw, message.read_bytes(), padding.PKCS1v15(), hashes.SHA256())
    else:
        half = len(raw) // 2
        encoded = encode_dss_signature(
            int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
        )
        digest = hashes.SHA384() if half == 48 else hashes.SHA256()
        key.public_key().verify(encoded, message.read_bytes(), ec.ECDSA(Prehashed(digest)))
    assert card.verifies >= 1


def test_yubicos_tool_shows_the_cards_state(pcscd: Pcscd, key: PrivateKey) -> None:
    name = "00112233445566778899aabbccddeeff"
    card = PivCard(issue(key, name), strict=False)
    with insert(card, pcscd.slots[0]):
        run("opensc-tool", "--wait", "--name")
        shown = run("yubico-piv-tool", "--reader", "Virtual", "--action", "status")
    assert f"Subject DN:\tCN={name}" in shown
    assert f"3410{name}" in shown
    assert "PIN tries left:\t3" in shown
    assert "Slot 9e:" in shown


def test_yubicos_tool_signs_with_key_9e_without_a_pin(pcscd: Pcscd, key: PrivateKey) -> None:
    card = PivCard(issue(key), strict=False)
    pem = card.keys[0x9E].certificate.public_bytes(Encoding.PEM)
    hashing = "SHA384" if key.key_size == 384 else "SHA256"
    with insert(card, pcscd.slots[0]):
        run("opensc-tool", "--wait", "--name")
        shown = run("yubico-piv-tool", "--reader", "Virtual", "--action", "test-signature",
                    "--slot", "9e", "--hash", hashing, feed=pem)  # fmt: skip
    assert "Successful" in shown
    assert card.verifies == 0


def test_no_client_harms_the_pin(pcscd: Pcscd) -> None:
    card = PivCard(issue())
    with insert(card, pcscd.slots[0]):
        run("opensc-tool", "--wait", "--name")
        assert "PIN" in run("pkcs15-tool", "--dump")
    assert card.tries_left == 3
