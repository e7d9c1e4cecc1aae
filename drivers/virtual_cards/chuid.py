"""The card holder unique identifier (CHUID): the object by which PIV clients name a card.

NIST SP 800-73-4 part 1, 3.1.2: FASC-N, a 16-byte number, an expiry date, a signature. A town
is no American federal agency, so the FASC-N says "not one of those" (agency and system 9999,
NIST SP 800-73-4 part 1, 3.3) and the 16 bytes are the card's random number. The signature is
empty: nobody may trust this object, it can be copied.
"""

from drivers.virtual_cards.apdu import tlv

START, FIELD_SEPARATOR, END = 0b1011, 0b1101, 0b1111
NON_FEDERAL = (9, 9, 9, 9)
NUMBER_LENGTH = 16
FAR_EXPIRY = b"20991231"


def card_number_object(card_number: bytes) -> bytes:
    """Make the CHUID's content for a random `card_number` of 16 bytes."""
    if len(card_number) != NUMBER_LENGTH:
        raise ValueError(f"a card number has {NUMBER_LENGTH} bytes, not {len(card_number)}")
    return b"".join(
        [
            tlv(0x30, fasc_n()),
            tlv(0x34, card_number),
            tlv(0x35, FAR_EXPIRY),
            tlv(0x3E, b""),
            tlv(0xFE, b""),
        ]
    )


def fasc_n() -> bytes:
    """Make the 25 bytes of a non-federal FASC-N: 40 symbols of five bits, parity included.

    The fields: agency, system, credential, series, issue, person, category, organisation,
    person's association; then the end sign and a check over all symbols.
    """
    symbols = [START, *NON_FEDERAL, FIELD_SEPARATOR, *NON_FEDERAL, FIELD_SEPARATOR]
    symbols += [*[9] * 6, FIELD_SEPARATOR, 1, FIELD_SEPARATOR, 1, FIELD_SEPARATOR]
    symbols += [*[0] * 10, 1, *[0] * 4, 1, END]
    check = 0
    for symbol in symbols:
        check ^= symbol
    bits = "".join(_five_bits(symbol) for symbol in [*symbols, check])
    return int(bits, 2).to_bytes(25, "big")


def _five_bits(symbol: int) -> str:
    """Write a symbol as it runs on a magnetic stripe: least bit first, odd parity last."""
    bits = f"{symbol:04b}"[::-1]
    return bits + str((bits.count("1") + 1) % 2)
