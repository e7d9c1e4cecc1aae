import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from terminal.wire.seal import OVERHEAD, SealBroken, purpose, seal, unseal

KEY = X25519PrivateKey.generate()
INFO = purpose("minami", "ent-1", "roster.json")
SEALED = seal("佐藤".encode(), KEY.public_key(), INFO)


def test_the_owner_of_the_key_reads_what_was_sealed() -> None:
    assert unseal(SEALED, KEY, INFO) == "佐藤".encode()
    assert len(SEALED) == len("佐藤".encode()) + OVERHEAD


def test_nobody_else_does() -> None:
    with pytest.raises(SealBroken):
        unseal(SEALED, X25519PrivateKey.generate(), INFO)


def test_a_seal_for_another_terminal_or_file_does_not_open() -> None:
    for other in (purpose("minami", "ent-2", "roster.json"), purpose("minami", "ent-1", "x"), b""):
        with pytest.raises(SealBroken):
            unseal(SEALED, KEY, other)


def test_no_changed_or_cut_seal_opens() -> None:
    for at in range(len(SEALED)):
        changed = SEALED[:at] + bytes([SEALED[at] ^ 1]) + SEALED[at + 1 :]
        for other in (changed, SEALED[:at]):
            with pytest.raises(SealBroken):
                unseal(other, KEY, INFO)


@pytest.mark.parametrize("point", [bytes(32), b"\1" + bytes(31), b"\xff" * 32])
def test_weak_keys_of_a_sender_do_not_open(point: bytes) -> None:
    with pytest.raises(SealBroken):
        unseal(point + bytes(40), KEY, INFO)


def test_sealing_the_same_twice_shows_nothing() -> None:
    assert seal(b"x", KEY.public_key(), INFO) != seal(b"x", KEY.public_key(), INFO)
