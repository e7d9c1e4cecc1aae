"""What a terminal signs every minute (how far its journal reaches), held against what is held.

A chain proves everything but its own end. The head shows from outside what a chain cannot: that
records at the end were cut off (announced, never delivered), that a journal was set back to an
earlier state (it ends before what it has delivered), and that a second journal goes by the same
name (another record under the same number).

An old head is not a set-back journal: the broker keeps the last one, and messages overtake each
other. A head is old if it was signed before the newest record, which shows by the monotonic clock
within one boot, and across boots by the journal already holding a record of the head's boot: each
boot writes one when it begins, so a journal set back and started anew signs with a boot that the
ledger has not seen up to that number.
"""

from provisioning.ledger.alarms import LedgerAlarm, Raised
from provisioning.ledger.store import Reading
from provisioning.ledger.tables import Link, StoredHead
from terminal.wire.messages import Head

MISSING_AFTER_MS = 60_000
"""How long announced records may be on their way after the last one that arrived."""


def judge_head(head: Head, held: Reading) -> list[Raised]:
    """What a head that just arrived shows about the records that are held."""
    if head.seq == 0:
        own: list[Link] = []
    else:
        own = list(held.links(head.terminal, head.epoch, head.seq, head.seq))
    if own and head.hash not in {link.hash for link in own}:
        detail = "the terminal's journal holds another record under this number"
        return [Raised(LedgerAlarm.CLONE, head.terminal, head.epoch, head.seq, detail)]
    newest = held.newest(head.terminal, head.epoch)
    if newest is None or newest.seq <= head.seq or _is_old(head, newest, held):
        return []
    detail = f"the journal ends at {head.seq}, records up to {newest.seq} were delivered"
    return [Raised(LedgerAlarm.ROLLED_BACK, head.terminal, head.epoch, head.seq, detail)]


def _is_old(head: Head, newest: Link, held: Reading) -> bool:
    if head.boot == newest.boot and newest.mono_ms is not None:
        return head.mono_ms <= newest.mono_ms
    return held.in_boot(head.terminal, head.epoch, head.boot, head.seq)


def judge_silence(
    announced: StoredHead, upto: int, last_arrival_ms: int, now_ms: int
) -> Raised | None:
    """Whether records that ``announced`` speaks of do not arrive.

    ``upto`` is the last number up to which everything is held; ``last_arrival_ms`` when the
    terminal last delivered anything: a month's backlog takes its time, but it moves.
    """
    waited_ms = now_ms - max(announced.received_ms, last_arrival_ms)
    if announced.seq <= upto or waited_ms < MISSING_AFTER_MS:
        return None
    return Raised(
        LedgerAlarm.RECORDS_MISSING,
        announced.terminal,
        announced.epoch,
        0,
        f"announced up to {announced.seq}, missing from {upto + 1} on",
    )
