"""The other side of the bench: pyscard's bare functions in a process of their own.

It waits for a card, connects, sends the commands it was given, cuts the power, and tells when it
had connected and when it had each answer: no thought about what is sent, no check of what comes.
Standard input has one request a line, standard output one answer a line::

    {"apdus": ["00A4...", ...]}   ->   {"connected_ns": ..., "answered_ns": [...], "good": true}

Times are monotonic nanoseconds. `good` says that each answer's status word was 9000 or 61xx.
"""

import json
import sys
import time

from smartcard import scard

PATIENCE_MS = 20_000
GOOD = frozenset({0x90, 0x61})


class BareError(Exception):
    """The library refused; the text is its own."""


def main(reader: str) -> None:
    """Serve requests until standard input ends."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
    _checked(code)
    print("ready", flush=True)
    for line in sys.stdin:
        apdus = [list(bytes.fromhex(apdu)) for apdu in json.loads(line)["apdus"]]
        print(json.dumps(_converse(context, reader, apdus)), flush=True)
        # The next card is another one: see that this one has gone.
        _wait_until(context, reader, present=False)


def _converse(context: int, reader: str, apdus: list[list[int]]) -> dict[str, object]:
    _wait_until(context, reader, present=True)
    protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
    code, card, protocol = scard.SCardConnect(
        context, reader, scard.SCARD_SHARE_EXCLUSIVE, protocols
    )
    _checked(code)
    connected_ns = time.monotonic_ns()
    header = scard.SCARD_PCI_T0 if protocol == scard.SCARD_PROTOCOL_T0 else scard.SCARD_PCI_T1
    answered_ns = []
    good = True
    for apdu in apdus:
        code, answer = scard.SCardTransmit(card, header, apdu)
        answered_ns.append(time.monotonic_ns())
        _checked(code)
        good = good and len(answer) > 1 and answer[-2] in GOOD
    _checked(scard.SCardDisconnect(card, scard.SCARD_UNPOWER_CARD))
    return {"connected_ns": connected_ns, "answered_ns": answered_ns, "good": good}


def _wait_until(context: int, reader: str, *, present: bool) -> None:
    state = scard.SCARD_STATE_UNAWARE
    while True:
        code, states = scard.SCardGetStatusChange(context, PATIENCE_MS, [(reader, state)])
        _checked(code)
        state = states[0][1]
        if bool(state & scard.SCARD_STATE_PRESENT) is present:
            return


def _checked(code: int) -> None:
    if code != scard.SCARD_S_SUCCESS:
        raise BareError(scard.SCardGetErrorMessage(code))


if __name__ == "__main__":
    main(sys.argv[1])
