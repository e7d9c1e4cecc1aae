"""Cards that are not the town's: what else staff and citizens hold over a reader.

A FeliCa card and a Type A tag have only a number, which the reader tells. A Type B card has a
random one and refuses every application. An individual number card without the town's
application looks the same from outside; its `forbidden_selects` must stay zero.

Rules: these cards know no key and no person.
"""

from drivers.virtual_cards import apdu
from drivers.virtual_cards.apdu import Command, RefusedError
from drivers.virtual_cards.card import (
    SELECT,
    VirtualCard,
    contactless_atr,
    pupi,
    reader_answer,
    type_b_atr,
)

IDM_LENGTH = 8
UID_LENGTHS = (4, 7, 10)
# PC/SC part 3, 3.1.3.2.3.2: storage card, by the registered id of the PC/SC workgroup, then
# the standard (11 FeliCa, 03 ISO/IEC 14443 Type A) and the name of the card.
FELICA_ATR = contactless_atr(bytes.fromhex("804F0CA00000030611003B00000000"))
TYPE_A_ATR = contactless_atr(bytes.fromhex("804F0CA00000030603000100000000"))
TYPE_B_ATR = type_b_atr(bytes(4), bytes.fromhex("9181C1"))
INDIVIDUAL_NUMBER_ATR = type_b_atr(bytes.fromhex("000005E0"), bytes.fromhex("B381A1"))


class NumberCard(VirtualCard):
    """A card of which a reader learns a number and nothing else."""

    def __init__(self, atr: bytes, number: bytes) -> None:
        super().__init__(atr)
        self.number = number

    def answer(self, command: bytes) -> bytes:
        """Tell the number when asked for it; no command reaches a storage card as such."""
        for_reader = reader_answer(command, self.number)
        return for_reader or apdu.status(apdu.UNKNOWN_INSTRUCTION)


def felica(idm: bytes) -> NumberCard:
    """Make a FeliCa card with an IDm of 8 bytes."""
    if len(idm) != IDM_LENGTH:
        raise ValueError(f"an IDm has {IDM_LENGTH} bytes, not {len(idm)}")
    return NumberCard(FELICA_ATR, idm)


def type_a_tag(uid: bytes) -> NumberCard:
    """Make a Type A tag with a UID of 4, 7 or 10 bytes."""
    if len(uid) not in UID_LENGTHS:
        raise ValueError(f"a UID has 4, 7 or 10 bytes, not {len(uid)}")
    return NumberCard(TYPE_A_ATR, uid)


class TypeBCard(VirtualCard):
    """A Type B card with applications of its own, none of which it names to us."""

    def __init__(self, atr: bytes = TYPE_B_ATR) -> None:
        super().__init__(atr)
        self.forget()

    def forget(self) -> None:
        """Draw a new number: Type B cards call themselves anew with every power-on."""
        self._pupi = pupi()

    def answer(self, command: bytes) -> bytes:
        """Find no application, whatever its name."""
        for_reader = reader_answer(command, self._pupi)
        if for_reader is not None:
            return for_reader
        try:
            return apdu.status(self._refuse(apdu.parse(command)))
        except RefusedError as refused:
            return apdu.status(refused.word)

    @staticmethod
    def _refuse(command: Command) -> int:
        return apdu.NOT_FOUND if command.ins == SELECT else apdu.UNKNOWN_INSTRUCTION


def individual_number_card() -> TypeBCard:
    """Make an individual number card on which the town's application was never loaded."""
    return TypeBCard(INDIVIDUAL_NUMBER_ATR)
