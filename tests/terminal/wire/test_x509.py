"""Which card certificates count: a zoo of bad ones, each refused for its own reason."""

import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from terminal.core.credential import Unreadable
from terminal.wire.x509 import (
    CardCertificate,
    Instant,
    KeyAlgorithm,
    Trust,
    verify_card_certificate,
    why_unfit_as_card_ca,
)
from tests.terminal.wire import card_zoo
from tests.terminal.wire.card_zoo import (
    DAY,
    NOW,
    PROFILE,
    Ca,
    card_extensions,
    der,
    issue,
    make_ca,
    name,
    now_known,
    p256,
    rsa_key,
    town_ca,
    trust,
    usage,
)

UNFIT = Unreadable.CERTIFICATE_UNFIT
FOREIGN = Unreadable.FOREIGN_ISSUER
GARBLED = Unreadable.GARBLED


def verdict(
    certificate: x509.Certificate | bytes, trusted: Trust | None = None, at: Instant | None = None
) -> CardCertificate | Unreadable:
    given_bytes = certificate if isinstance(certificate, bytes) else der(certificate)
    return verify_card_certificate(given_bytes, PROFILE, trusted or trust(), at or now_known())


def accepted(outcome: CardCertificate | Unreadable) -> CardCertificate:
    assert isinstance(outcome, CardCertificate), outcome
    return outcome


def test_a_good_certificate_gives_card_id_key_and_what_the_verdict_rests_on() -> None:
    key = p256()
    good = accepted(verdict(issue(key.public_key(), common="0123456789abcdef" * 2)))
    assert good.id == "0123456789abcdef" * 2
    assert good.algorithm is KeyAlgorithm.P256
    assert good.key == key.public_key()
    assert (good.not_before, good.not_after) == (NOW - DAY, NOW + 365 * DAY)
    assert (good.revocation_number, good.revocation_age_s) == (7, 86_400)
    assert len(good.issuer) == 16


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.generate_private_key(ec.SECP384R1()), KeyAlgorithm.P384),
        (rsa_key(), KeyAlgorithm.RSA2048),
    ],
)
def test_other_allowed_card_keys_are_named(
    key: ec.EllipticCurvePrivateKey, algorithm: KeyAlgorithm
) -> None:
    assert accepted(verdict(issue(key.public_key()))).algorithm is algorithm


def test_a_card_ca_may_have_an_rsa_key() -> None:
    ca = make_ca(key=rsa_key())
    accepted(verdict(issue(ca=ca), trust(ca)))


def test_old_and_new_ca_count_side_by_side_while_one_replaces_the_other() -> None:
    old, new = make_ca("town cards"), make_ca("town cards")
    both = trust(old, new)
    first = accepted(verdict(issue(ca=old), both))
    second = accepted(verdict(issue(ca=new), both))
    assert first.issuer != second.issuer


def test_a_ca_pinned_for_another_profile_does_not_count() -> None:
    other = replace(trust(), card_cas=(("other-cards", town_ca().certificate),))
    assert verdict(issue(), other) is FOREIGN


def test_a_foreign_ca_with_our_name_and_serial_is_foreign() -> None:
    impostor = make_ca("card CA")
    assert verdict(issue(ca=impostor)) is FOREIGN


def test_a_foreign_ca_that_claims_our_key_identifier_is_foreign() -> None:
    impostor = make_ca("card CA")
    claimed = card_extensions(town_ca())
    assert verdict(issue(ca=impostor, extensions=claimed)) is FOREIGN


def test_a_self_signed_certificate_is_foreign() -> None:
    key = p256()
    itself = Ca(issue(key.public_key()), key)
    assert verdict(issue(key.public_key(), itself, issuer=name("card CA"))) is FOREIGN


def test_a_certificate_that_names_no_issuer_key_is_foreign() -> None:
    nameless = card_extensions(town_ca())[:3]
    assert verdict(issue(extensions=nameless)) is FOREIGN


def test_a_certificate_that_names_another_key_than_the_one_that_signed_is_foreign() -> None:
    misnamed = card_extensions(make_ca())
    assert verdict(issue(extensions=misnamed)) is FOREIGN


def test_another_issuer_name_over_our_key_is_foreign() -> None:
    assert verdict(issue(issuer=name("somebody else"))) is FOREIGN


def test_the_ca_itself_is_no_card() -> None:
    assert verdict(town_ca().certificate) in {FOREIGN, UNFIT}


VALIDITY = [
    (NOW - 2 * DAY, NOW - DAY, Unreadable.CERTIFICATE_EXPIRED),
    (NOW + DAY, NOW + 2 * DAY, Unreadable.CERTIFICATE_NOT_YET_VALID),
]


@pytest.mark.parametrize(("begin", "end", "reason"), VALIDITY)
def test_a_card_outside_its_validity_is_told_so(
    begin: datetime, end: datetime, reason: Unreadable
) -> None:
    assert verdict(issue(not_before=begin, not_after=end)) is reason


@pytest.mark.parametrize(("begin", "end", "reason"), VALIDITY)
def test_a_ca_outside_its_validity_carries_nobody(
    begin: datetime, end: datetime, reason: Unreadable
) -> None:
    ca = make_ca(not_before=begin, not_after=end)
    assert verdict(issue(ca=ca), trust(ca)) is reason


def test_both_ends_of_the_validity_belong_to_it() -> None:
    edge = issue(not_before=NOW, not_after=NOW)
    accepted(verdict(edge))
    late = replace(now_known(), at=NOW + timedelta(seconds=1))
    assert verdict(edge, at=late) is Unreadable.CERTIFICATE_EXPIRED


def test_while_the_clock_is_unknown_a_card_issued_yesterday_works() -> None:
    behind = Instant(NOW - 400 * DAY, known=False, floor=NOW - 30 * DAY)
    good = accepted(verdict(issue(not_before=NOW - DAY), at=behind))
    assert good.revocation_age_s is None


def test_while_the_clock_is_unknown_the_end_is_held_against_the_floor() -> None:
    ahead = Instant(NOW + 4000 * DAY, known=False, floor=NOW)
    accepted(verdict(issue(not_after=NOW + DAY), at=ahead))
    assert verdict(issue(not_after=NOW - DAY / 2), at=ahead) is Unreadable.CERTIFICATE_EXPIRED


def test_a_known_clock_that_lags_behind_the_floor_is_taken_for_the_floor() -> None:
    lagging = Instant(NOW - 400 * DAY, known=True, floor=NOW)
    accepted(verdict(issue(not_before=NOW - DAY), at=lagging))
    assert verdict(issue(not_after=NOW - DAY / 2), at=lagging) is Unreadable.CERTIFICATE_EXPIRED


def test_a_revoked_serial_is_refused_for_its_profile_only() -> None:
    card = issue()
    assert verdict(card, trust(revoked=(card.serial_number,))) is Unreadable.CERTIFICATE_REVOKED
    elsewhere = trust()
    listed = replace(elsewhere.revocation, serials=frozenset({("other", card.serial_number)}))
    accepted(verdict(card, replace(elsewhere, revocation=listed)))


UNFIT_EXTENSIONS = {
    "a CA as a card": card_extensions(
        town_ca(), basic=x509.BasicConstraints(ca=True, path_length=None)
    ),
    "no digital signature": card_extensions(town_ca(), key_usage=usage("key_agreement")),
    "may sign certificates": card_extensions(
        town_ca(), key_usage=usage("digital_signature", "key_cert_sign")
    ),
    "for TLS clients": card_extensions(
        town_ca(), extended=x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
    ),
    "for anything": card_extensions(
        town_ca(),
        extended=x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    ),
    "no key usage": [each for n, each in enumerate(card_extensions(town_ca())) if n != 1],
    "no extended key usage": [each for n, each in enumerate(card_extensions(town_ca())) if n != 2],
    "an unknown critical extension": [
        *card_extensions(town_ca()),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
    ],
}


@pytest.mark.parametrize("case", UNFIT_EXTENSIONS)
def test_a_certificate_made_for_something_else_is_unfit(case: str) -> None:
    assert verdict(issue(extensions=UNFIT_EXTENSIONS[case])) is UNFIT


def test_an_unknown_extension_that_is_not_critical_is_passed_over() -> None:
    extra = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    accepted(verdict(issue(more=[(extra, False)])))


def test_without_basic_constraints_a_certificate_is_no_ca_and_may_be_a_card() -> None:
    accepted(verdict(issue(extensions=card_extensions(town_ca())[1:])))


@pytest.mark.parametrize(
    "common", ["0123456789ABCDEF" * 2, "0123456789abcdef", "suzuki", "0123456789abcdef" * 2 + "\n"]
)
def test_a_subject_that_is_no_random_card_id_is_unfit(common: str) -> None:
    assert verdict(issue(common=common)) is UNFIT


def test_a_subject_without_or_with_two_common_names_is_unfit() -> None:
    one = x509.NameAttribute(x509.NameOID.COMMON_NAME, "0" * 32)
    two = x509.NameAttribute(x509.NameOID.COMMON_NAME, "1" * 32)
    assert verdict(issue(subject=x509.Name([one, two]))) is UNFIT
    assert verdict(issue(subject=x509.Name([]))) is UNFIT


MODULUS = rsa_key().public_key().public_numbers().n
WEAK_KEYS = {
    "RSA 1024": card_zoo.rsa_info(MODULUS >> 1024, 65537),
    "RSA 3072, which no card here has": card_zoo.rsa_info(MODULUS << 1024 | 1, 65537),
    "RSA exponent 1": card_zoo.rsa_info(MODULUS, 1),
    "RSA exponent 3": card_zoo.rsa_info(MODULUS, 3),
    "RSA even exponent": card_zoo.rsa_info(MODULUS, 65536),
    "RSA huge exponent": card_zoo.rsa_info(MODULUS, 2**64 + 1),
    "P-192": card_zoo.prime192_info(),
}


@pytest.mark.parametrize("case", WEAK_KEYS)
def test_a_weak_or_unknown_card_key_is_unfit(case: str) -> None:
    assert verdict(card_zoo.with_public_key_info(WEAK_KEYS[case])) is UNFIT


def test_keys_of_other_kinds_are_unfit() -> None:
    assert verdict(issue(ed25519.Ed25519PrivateKey.generate().public_key())) is UNFIT
    assert verdict(issue(ec.generate_private_key(ec.SECP521R1()).public_key())) is UNFIT
    assert verdict(issue(ec.generate_private_key(ec.SECP256K1()).public_key())) is UNFIT


def test_a_certificate_put_together_by_hand_is_accepted_when_its_key_is_good() -> None:
    accepted(verdict(card_zoo.with_public_key_info(card_zoo.rsa_info(MODULUS, 65537))))


def test_sha1_is_unfit() -> None:
    assert verdict(card_zoo.signed_with_sha1()) is UNFIT


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512()])
def test_longer_hashes_are_accepted(algorithm: hashes.SHA384 | hashes.SHA512) -> None:
    accepted(verdict(issue(algorithm=algorithm)))


UNFIT_CAS = {
    "not a CA": make_ca(
        extensions=[
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (usage("key_cert_sign"), True),
        ]
    ),
    "no basic constraints": make_ca(extensions=[(usage("key_cert_sign"), True)]),
    "may not sign": make_ca(
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (usage("digital_signature"), True),
        ]
    ),
    "weak key": make_ca(key=rsa_key(1024)),
    "unusual key": make_ca(key=ec.generate_private_key(ec.SECP521R1())),
}


@pytest.mark.parametrize("case", UNFIT_CAS)
def test_what_cannot_be_pinned_as_card_ca_says_why(case: str) -> None:
    assert why_unfit_as_card_ca(UNFIT_CAS[case].certificate)


def test_a_good_card_ca_has_nothing_against_it() -> None:
    assert why_unfit_as_card_ca(town_ca().certificate) == ""
    assert why_unfit_as_card_ca(make_ca(key=rsa_key()).certificate) == ""


def test_a_pinned_ca_with_a_weak_key_carries_nobody() -> None:
    ca = UNFIT_CAS["weak key"]
    assert verdict(issue(ca=ca), trust(ca)) is UNFIT


def padded_to(size: int) -> x509.Certificate:
    """A good certificate of about `size` bytes."""
    oid = x509.ObjectIdentifier("1.2.3.4")
    room = size - len(der(issue(more=[(x509.UnrecognizedExtension(oid, bytes(200)), False)]))) + 200
    return issue(more=[(x509.UnrecognizedExtension(oid, bytes(room)), False)])


def test_a_certificate_of_2160_bytes_is_accepted() -> None:
    big = padded_to(2160)
    assert len(der(big)) >= 2155
    accepted(verdict(big))


def test_a_certificate_of_64_kib_is_turned_away_at_once() -> None:
    huge = der(padded_to(65536))
    begun = time.perf_counter()
    assert verdict(huge) is GARBLED
    assert time.perf_counter() - begun < 0.01


def test_a_thousand_names_are_turned_away_within_50_ms() -> None:
    names = x509.SubjectAlternativeName([x509.DNSName(f"n{n}") for n in range(1000)])
    crowd = der(issue(more=[(names, False)]))
    begun = time.perf_counter()
    assert verdict(crowd) is GARBLED
    assert time.perf_counter() - begun < 0.05


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x80\x00\x00", bytes(500), b"\xff" * 8192])
def test_what_is_no_certificate_is_garbled(junk: bytes) -> None:
    assert verdict(junk) is GARBLED


def test_a_certificate_cut_off_or_followed_by_rubbish_is_garbled() -> None:
    whole = der(issue())
    for cut in range(len(whole)):
        assert verdict(whole[:cut]) is GARBLED
    assert verdict(whole + b"\x00") is GARBLED


GOOD = der(issue())


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_certificate_with_one_byte_changed_never_counts_and_never_raises(
    place: int, change: int
) -> None:
    spoiled = bytearray(GOOD)
    spoiled[place] ^= change
    assert isinstance(verdict(bytes(spoiled)), Unreadable)


@given(st.binary(max_size=2048))
def test_random_bytes_never_count_and_never_raise(junk: bytes) -> None:
    assert verdict(junk) is GARBLED
