"""The virtual PIV card, asked with commands written by hand."""

import functools
import gzip
import operator

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from drivers.virtual_cards.apdu import read_tlv, tlv
from drivers.virtual_cards.chuid import fasc_n
from drivers.virtual_cards.piv import PivCard
from tests.drivers.virtual_cards.card_office import (
    OK,
    READ_CERTIFICATE,
    SELECT,
    challenge_p256,
    collect,
    good_card,
    issue,
    p256,
    p384,
    rsa2048,
)

CHALLENGE = bytes(range(32))


@pytest.fixture
def card() -> PivCard:
    card = good_card()
    card.power_on()
    assert card.exchange(SELECT)[-2:] == OK
    return card


def answer(card: PivCard, command: str) -> str:
    return card.exchange(bytes.fromhex(command)).hex().upper()


@pytest.mark.parametrize("name", ["A000000308000010000100", "A00000030800001000", "A000000308"])
def test_the_application_answers_to_its_whole_name_and_to_its_beginnings(name: str) -> None:
    card = good_card()
    command = bytes.fromhex(f"00A40400{len(name) // 2:02X}{name}00")
    template = read_tlv(card.exchange(command)[:-2])
    inside = read_tlv(template[0x61])
    assert inside[0x4F].hex() == "000010000100"
    assert inside[0x79].hex().upper() == "4F05A000000308"
    assert inside[0xAC].hex() == "800111060100"


@pytest.mark.parametrize(
    "name",
    [
        "A0000003",
        "A000000308000010000200",
        "A00000030800001000010000",
        "A000000898000001",
        "A0000003970000",
    ],
)
def test_any_other_name_is_not_found_and_leaves_the_selection(card: PivCard, name: str) -> None:
    raw = bytes.fromhex(name)
    command = bytes.fromhex("00A40400") + bytes([len(raw)]) + raw + b"\x00"
    assert card.exchange(command).hex() == "6a82"
    assert answer(card, "00CB3FFF035C017E00").endswith("9000")


def test_selection_without_an_answer_gives_none() -> None:
    assert answer(good_card(), "00A4040C05A000000308") == "9000"


def test_the_card_answers_nothing_else_before_selection_or_after_power_loss(
    card: PivCard,
) -> None:
    card.power_on()
    for command in ("00CB3FFF055C035FC10100", "00200080", "0087119E00"):
        assert answer(card, command) == "6D00"


def test_the_certificate_comes_in_pieces_with_the_number_of_bytes_that_remain(
    card: PivCard,
) -> None:
    first = card.exchange(READ_CERTIFICATE)
    encoded = card.keys[0x9E].certificate.public_bytes(Encoding.DER)
    whole = 4 + 4 + len(encoded) + 3 + 2
    assert (len(first), first[-2:].hex()) == (258, f"61{whole - 256:02x}")
    rest = card.exchange(bytes.fromhex("00C00000") + first[-1:])
    assert rest[-2:] == OK
    inside = read_tlv(read_tlv(first[:-2] + rest[:-2])[0x53])
    assert inside == {0x70: encoded, 0x71: b"\x00", 0xFE: b""}


@pytest.mark.parametrize("chunk", [1, 100, 255, 256])
def test_any_size_of_pieces_gives_the_same_certificate(chunk: int) -> None:
    card = PivCard(issue(), chunk=chunk, filler=40)
    collect(card, SELECT)
    content = read_tlv(collect(card, READ_CERTIFICATE))[0x53]
    assert content.endswith(bytes(40))
    assert read_tlv(content[:-40])[0x70] == card.keys[0x9E].encoded_certificate


def test_a_compressed_certificate_says_so() -> None:
    card = PivCard(issue(), compressed=True)
    card.exchange(SELECT)
    inside = read_tlv(read_tlv(collect(card, READ_CERTIFICATE))[0x53])
    assert inside[0x71] == b"\x01"
    assert gzip.decompress(inside[0x70]) == card.keys[0x9E].encoded_certificate


def test_more_than_256_remaining_bytes_are_told_as_00() -> None:
    card = PivCard(issue(rsa2048()))
    card.exchange(SELECT)
    assert card.exchange(READ_CERTIFICATE)[-2:].hex() == "6100"


def test_a_command_without_le_gets_no_data_unless_the_card_is_lenient() -> None:
    strict, lenient = PivCard(issue()), PivCard(issue(), strict=False)
    assert len(strict.exchange(SELECT[:-1])) == 2
    assert len(lenient.exchange(SELECT[:-1])) > 2


def test_get_response_gives_nothing_when_nothing_remains(card: PivCard) -> None:
    assert answer(card, "00C0000000") == "6985"
    card.exchange(READ_CERTIFICATE)
    assert answer(card, "00CB3FFF035C017E00").endswith("9000")
    assert answer(card, "00C0000000") == "6985"


def test_the_card_number_stands_in_the_unique_identifier() -> None:
    card = PivCard(issue(common_name="00112233445566778899aabbccddeeff"))
    card.exchange(SELECT)
    inside = read_tlv(read_tlv(card.exchange(bytes.fromhex("00CB3FFF055C035FC10200"))[:-2])[0x53])
    assert inside[0x34].hex() == "00112233445566778899aabbccddeeff"
    assert len(inside[0x30]) == 25
    assert inside[0x30].hex().startswith("d4e739da739ced39ce739d")


def test_the_federal_number_says_that_the_issuer_is_no_federal_agency() -> None:
    bits = f"{int.from_bytes(fasc_n(), 'big'):0200b}"
    symbols = [bits[start : start + 5] for start in range(0, 200, 5)]
    assert all(symbol.count("1") % 2 for symbol in symbols)  # odd parity
    values = [int(symbol[3::-1], 2) for symbol in symbols]
    assert functools.reduce(operator.xor, values) == 0  # the last symbol checks the others
    fields = "".join(f"{value:X}" for value in values[:-1])
    assert fields == "B9999D9999D999999D1D1D000000000010000" + "1F"


def test_the_discovery_object_tells_name_and_pin_rule(card: PivCard) -> None:
    assert answer(card, "00CB3FFF035C017E00") == "7E124F0BA0000003080000100001005F2F0240009000"


def test_key_9e_signs_a_digest_without_a_pin(card: PivCard) -> None:
    signature = read_tlv(read_tlv(card.exchange(challenge_p256(CHALLENGE))[:-2])[0x7C])[0x82]
    public = card.keys[0x9E].certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, CHALLENGE, ec.ECDSA(Prehashed(hashes.SHA256())))
    with pytest.raises(InvalidSignature):
        public.verify(signature, CHALLENGE[::-1], ec.ECDSA(Prehashed(hashes.SHA256())))
    assert card.verifies == 0


def test_the_template_may_name_the_challenge_first(card: PivCard) -> None:
    body = b"\x7c\x24\x81\x20" + CHALLENGE + b"\x82\x00"
    command = bytes([0, 0x87, 0x11, 0x9E, len(body)]) + body + b"\x00"
    assert card.exchange(command)[-2:] == OK


def test_a_p384_key_signs_48_bytes_under_its_own_algorithm() -> None:
    card = good_card(p384())
    card.exchange(SELECT)
    body = tlv(0x7C, b"\x82\x00" + tlv(0x81, bytes(48)))
    command = bytes([0, 0x87, 0x14, 0x9E, len(body)]) + body + b"\x00"
    signature = read_tlv(read_tlv(card.exchange(command)[:-2])[0x7C])[0x82]
    public = card.keys[0x9E].certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, bytes(48), ec.ECDSA(Prehashed(hashes.SHA384())))


def padded(message: bytes) -> bytes:
    """EMSA-PKCS1-v1_5 of SHA-256 for 256 bytes, by hand."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    info = bytes.fromhex("3031300D060960864801650304020105000420") + digest.finalize()
    return b"\x00\x01" + b"\xff" * (256 - 3 - len(info)) + b"\x00" + info


def test_an_rsa_challenge_comes_in_two_chained_pieces() -> None:
    card = good_card(rsa2048())
    card.exchange(SELECT)
    body = tlv(0x7C, b"\x82\x00" + tlv(0x81, padded(b"tap")))
    assert card.exchange(bytes.fromhex("1087079EFF") + body[:255]) == OK
    last = bytes([0, 0x87, 0x07, 0x9E, len(body) - 255]) + body[255:] + b"\x00"
    signature = read_tlv(read_tlv(collect(card, last))[0x7C])[0x82]
    public = card.keys[0x9E].certificate.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    public.verify(signature, b"tap", padding.PKCS1v15(), hashes.SHA256())


def test_a_chain_that_is_broken_off_is_forgotten() -> None:
    card = good_card()
    card.exchange(SELECT)
    whole = challenge_p256(CHALLENGE)
    assert card.exchange(bytes.fromhex("1087119E05") + whole[5:10]) == OK
    assert answer(card, "00CB3FFF035C017E00").endswith("9000")
    assert card.exchange(whole)[-2:] == OK


def test_an_endless_chain_is_refused(card: PivCard) -> None:
    piece = bytes.fromhex("1087119EFF") + bytes(255)
    assert [card.exchange(piece).hex() for _ in range(5)] == ["9000"] * 4 + ["6700"]


def test_an_rsa_block_above_the_modulus_is_refused() -> None:
    card = good_card(rsa2048())
    card.exchange(SELECT)
    body = tlv(0x7C, b"\x82\x00" + tlv(0x81, b"\xff" * 256))
    card.exchange(bytes.fromhex("1087079EFF") + body[:255])
    last = bytes([0, 0x87, 0x07, 0x9E, len(body) - 255]) + body[255:] + b"\x00"
    assert card.exchange(last).hex() == "6a80"


def test_key_9a_signs_only_after_the_pin() -> None:
    card = PivCard(issue(), piv_authentication=issue())
    card.exchange(SELECT)
    asked = challenge_p256(CHALLENGE, key=0x9A)
    assert card.exchange(asked).hex() == "6982"
    assert answer(card, "0020008008313233343536FFFF") == "9000"
    assert answer(card, "00200080") == "9000"
    assert card.exchange(asked)[-2:] == OK
    card.exchange(SELECT)
    assert card.exchange(asked).hex() == "6982"
    assert card.verifies == 1


def test_asking_for_the_tries_left_spends_none_and_is_no_verify(card: PivCard) -> None:
    assert answer(card, "00200080") == "63C3"
    assert answer(card, "0020008000") == "63C3"
    assert card.verifies == 0


def test_three_wrong_pins_block_the_card(card: PivCard) -> None:
    wrong = "0020008008303030303030FFFF"
    assert [answer(card, wrong) for _ in range(4)] == ["63C2", "63C1", "63C0", "6983"]
    assert answer(card, "0020008008313233343536FFFF") == "6983"
    assert card.verifies == 5


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("00", "6700"),
        ("00CB3FFF055C035FC1", "6700"),
        ("00CB3FFF0000055C035FC1010000", "6700"),
        ("80CB3FFF055C035FC10100", "6E00"),
        ("10CB3FFF055C035FC10100", "6E00"),
        ("0CCB3FFF055C035FC10100", "6E00"),
        ("00B0000000", "6D00"),
        ("00FD000000", "6D00"),
        ("00CB000005" + "5C035FC10100", "6A86"),
        ("00A4000000", "6A86"),
        ("00A4040405A00000030800", "6A86"),
        ("00C0010000", "6A86"),
        ("0020010000", "6A86"),
        ("00200000", "6A88"),
        ("00200081", "6A88"),
        ("002000800431323334", "6A80"),
        ("00CB3FFF055C035FC1FF00", "6A82"),
        ("00CB3FFF055C035FC10500", "6A82"),
        ("00CB3FFF025C0000", "6A80"),
        ("00CB3FFF035D017E00", "6A80"),
        ("00CB3FFF035C0F7E00", "6A80"),
        ("0087119A02" + "7C0000", "6A88"),
        ("0087110002" + "7C0000", "6A86"),
        ("0087079E02" + "7C0000", "6A86"),
        ("0087119E02" + "7C0000", "6A80"),
        ("0087119E06" + "7C048200810000", "6A80"),
        ("0087119E07" + "7C05820081017F00", "6A80"),
        ("0087119E05" + "7C0382008100", "6A80"),
        ("FFCA010000", "6A81"),
    ],
)
def test_what_the_card_cannot_do_has_its_status_word(
    card: PivCard, command: str, word: str
) -> None:
    assert answer(card, command) == word


def test_the_reader_number_of_the_card_changes_with_every_power_on(card: PivCard) -> None:
    before = answer(card, "FFCA000000")
    card.power_on()
    after = answer(card, "FFCA000000")
    assert (len(before), before[-4:], before != after) == (12, "9000", True)


def test_every_command_is_counted_and_kept(card: PivCard) -> None:
    card.exchange(READ_CERTIFICATE)
    answer(card, "00B0000000")
    assert card.trace == [SELECT, READ_CERTIFICATE, bytes.fromhex("00B0000000")]
    assert card.apdus == 3


@pytest.mark.parametrize(
    "name",
    [
        "D3921000310001010402",
        "D3921000310001010408",
        "D3921000310001010401",
        "D3921000310001010100",
        "D392F000260100000001",
        "D39210",
    ],
)
def test_selecting_a_national_application_is_counted(card: PivCard, name: str) -> None:
    assert answer(card, f"00A4040C{len(name) // 2:02X}{name}") == "6A82"
    assert card.forbidden_selects == 1


def test_selecting_the_towns_application_is_no_forbidden_selection(card: PivCard) -> None:
    assert card.forbidden_selects == 0


@given(st.binary(max_size=270))
def test_no_command_whatever_makes_the_card_fail(command: bytes) -> None:
    card = good_card(_KEY)
    card.exchange(SELECT)
    given_answer = card.exchange(command)
    assert 2 <= len(given_answer) <= 258


_KEY = p256()


def test_a_key_that_piv_does_not_know_is_refused_with_the_ones_it_knows() -> None:
    with pytest.raises(ValueError, match="P-256, P-384 or RSA-2048"):
        issue(ec.generate_private_key(ec.SECP521R1()))
