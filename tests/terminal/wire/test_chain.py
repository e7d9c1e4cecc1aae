import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.wire.chain import (
    GENESIS,
    ChainBroken,
    check_link,
    declaration,
    declared_in,
    hash_of,
    verify_chain,
)
from terminal.wire.messages import record_members
from terminal.wire.signed import RECEIPT, RECORD, PrivateKey, sign
from tests.terminal.wall import moment, tap
from tests.town_ca import new_key

KEY = new_key()
PUBLIC = KEY.public_key()


def chain(
    count: int,
    key: PrivateKey = KEY,
    after: tuple[int, str] = (0, GENESIS),
    terminal: str = "ent-1",
    epoch: str = "0123456789abcdef",
) -> list[bytes]:
    seq, head = after
    payloads = []
    for _ in range(count):
        seq += 1
        members = record_members(tap(moment(seq)), terminal, epoch, seq, head)
        payloads.append(sign(RECORD, members, key))
        head = hash_of(payloads[-1])
    return payloads


WHOLE = chain(6)


def test_a_whole_chain_is_proven_up_to_its_head() -> None:
    verdict = verify_chain(WHOLE, [PUBLIC])
    assert (verdict.whole, verdict.count, verdict.seq) == (True, 6, 6)
    assert verdict.head == hash_of(WHOLE[-1])


def test_an_empty_chain_is_whole() -> None:
    verdict = verify_chain([], [PUBLIC])
    assert (verdict.whole, verdict.count, verdict.head) == (True, 0, GENESIS)


def test_a_walk_can_begin_in_the_middle() -> None:
    assert verify_chain(WHOLE[3:], [PUBLIC], after=(3, hash_of(WHOLE[2]))).whole
    assert verify_chain(WHOLE[3:], [PUBLIC], after=(3, GENESIS)).broken_at == 4


@pytest.mark.parametrize("at", range(6))
def test_a_changed_byte_is_found_at_its_record(at: int) -> None:
    for position in range(0, len(WHOLE[at]), 29):
        changed = bytearray(WHOLE[at])
        changed[position] ^= 1
        verdict = verify_chain([*WHOLE[:at], bytes(changed), *WHOLE[at + 1 :]], [PUBLIC])
        assert verdict.broken_at == at + 1


@given(st.lists(st.integers(0, 5), max_size=8))
def test_deleted_doubled_and_reordered_records_are_found(order: list[int]) -> None:
    verdict = verify_chain([WHOLE[at] for at in order], [PUBLIC])
    right = next((n for n, at in enumerate(order) if at != n), len(order))
    assert verdict.count == right
    assert verdict.whole == (order == list(range(len(order))))
    assert verdict.broken_at == (None if verdict.whole else right + 1)


def test_an_inserted_record_of_another_key_is_found() -> None:
    forged = chain(1, new_key(), (2, hash_of(WHOLE[1])))
    assert verify_chain([*WHOLE[:2], *forged, *WHOLE[2:]], [PUBLIC]).broken_at == 3


def test_another_message_of_the_same_key_is_no_record() -> None:
    members = record_members(tap(moment()), "ent-1", "0" * 16, 1, GENESIS)
    assert verify_chain([sign(RECEIPT, members, KEY)], [PUBLIC]).broken_at == 1


def test_records_of_another_terminal_or_epoch_do_not_continue_a_chain() -> None:
    after = (2, hash_of(WHOLE[1]))
    for stranger in (
        chain(1, after=after, terminal="ent-2"),
        chain(1, after=after, epoch="f" * 16),
    ):
        verdict = verify_chain([*WHOLE[:2], *stranger], [PUBLIC])
        assert (verdict.broken_at, verdict.reason) == (3, "comes from another terminal or epoch")


def test_a_renewed_key_continues_the_chain() -> None:
    new = new_key()
    renewed = [*WHOLE, *chain(2, new, (6, hash_of(WHOLE[5])))]
    assert verify_chain(renewed, [PUBLIC, new.public_key()]).count == 8
    assert verify_chain(renewed, [PUBLIC]).broken_at == 7


def test_a_declared_record_may_be_missing() -> None:
    without = [*WHOLE[:2], *WHOLE[3:]]
    assert verify_chain(without, [PUBLIC]).broken_at == 3
    assert verify_chain(without, [PUBLIC], declared={3: hash_of(WHOLE[2])}).whole
    assert verify_chain(WHOLE, [PUBLIC], declared={3: hash_of(WHOLE[2])}).count == 6


def test_a_declaration_with_a_wrong_hash_heals_nothing() -> None:
    without = [*WHOLE[:2], *WHOLE[3:]]
    assert verify_chain(without, [PUBLIC], declared={3: GENESIS}).broken_at == 4


def test_a_declaration_without_a_hash_leaves_that_one_link_unchecked() -> None:
    assert verify_chain([*WHOLE[:2], *WHOLE[3:]], [PUBLIC], declared={3: ""}).whole
    assert verify_chain([WHOLE[0], *WHOLE[3:]], [PUBLIC], declared={2: "", 3: ""}).whole
    assert verify_chain([WHOLE[0], *WHOLE[4:]], [PUBLIC], declared={2: "", 3: ""}).broken_at == 4


def test_a_link_carries_the_hash_of_the_record_before() -> None:
    check_link(GENESIS, {"prev": GENESIS})
    with pytest.raises(ChainBroken):
        check_link(GENESIS, {"prev": "f" * 64})
    with pytest.raises(ChainBroken):
        check_link(GENESIS, {})


@given(st.integers(1, 10**18 - 1), st.sampled_from(["", "0" * 64, "0123456789abcdef" * 4]))
def test_a_declaration_comes_back(seq: int, digest: str) -> None:
    assert declared_in(declaration(seq, digest)) == (seq, digest)


@pytest.mark.parametrize(
    "detail", ["", "0", "-1", "x", "7 " + "F" * 64, "7 abc", "07", "7  ", "٧", "9" * 30, "7\n"]
)
def test_nothing_else_is_a_declaration(detail: str) -> None:
    assert declared_in(detail) is None
