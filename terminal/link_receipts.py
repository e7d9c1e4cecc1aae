"""Which receipts count: signed by a ledger key that the publication names, for this journal.

Broker access alone forges none. Whether a receipt's hash is the journal's own is asked of the
journal, on the loop's thread.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from terminal.wire.messages import Receipt, receipt_of
from terminal.wire.signed import RECEIPT, PublicKey, SignatureInvalid, verify
from terminal.wire.strict_json import Malformed


class NoReceiptError(Exception):
    """A receipt that does not count; the text is a short reason code."""


class MalformedReceiptError(NoReceiptError):
    """Not even the form of a receipt."""


@dataclass(frozen=True, slots=True)
class ReceiptArrived:
    """A proven receipt: the ledger has committed ``epoch`` up to record ``upto`` with ``hash``.

    ``commit_ms`` is when, by the ledger's clock (UTC ms).
    """

    upto: int
    hash: str
    epoch: str
    commit_ms: int = 0


class ReceiptGate:
    """Proves receipts. Keys may come later than the first receipt, which the broker retains."""

    def __init__(self, terminal: str, epoch: str) -> None:
        self._terminal = terminal
        self._epoch = epoch
        self._keys: tuple[PublicKey, ...] | None = None
        self._latest: bytes | None = None

    def set_keys(self, keys: Iterable[PublicKey]) -> ReceiptArrived | None:
        """From now on these keys count; the receipt that waited for them, if there is one.

        Raises:
            NoReceiptError: the latest receipt does not count under them.
        """
        self._keys = tuple(keys)
        return None if self._latest is None else self.admit(self._latest)

    def admit(self, payload: bytes) -> ReceiptArrived | None:
        """The receipt in ``payload``; None while no ledger key is known yet.

        Raises:
            NoReceiptError: it does not count: malformed, unknown_key, other_terminal or
                other_epoch.
        """
        self._latest = payload
        if self._keys is None:
            return None
        receipt = self._proven(payload, self._keys)
        if receipt.terminal != self._terminal:
            raise NoReceiptError("other_terminal")
        if receipt.epoch != self._epoch:
            # A new SD card meets the receipts of the old one.
            raise NoReceiptError("other_epoch")
        return ReceiptArrived(receipt.upto, receipt.hash, receipt.epoch, receipt.commit_ms)

    def _proven(self, payload: bytes, keys: tuple[PublicKey, ...]) -> Receipt:
        try:
            return receipt_of(verify(RECEIPT, payload, keys))
        except SignatureInvalid as error:
            raise NoReceiptError("unknown_key") from error
        except Malformed as error:
            raise MalformedReceiptError("malformed") from error
