"""A PIV card as software: the town's staff application, and what PIV clients expect of it.

Follows NIST SP 800-73-4 part 2 for SELECT, GET DATA, VERIFY, GENERAL AUTHENTICATE and GET
RESPONSE. Key 9E (card authentication) signs without a PIN, key 9A after VERIFY. Certificates
come plain or compressed. Answers longer than one piece go out as 61xx and GET RESPONSE, and
RSA challenges come in by command chaining, as with real cards.

Nothing is selected when the card gets power: on an individual number card this would be one
application among several.

Rules: the card never checks that key and certificate belong together, because a copied card
is exactly one where they do not.
"""

import gzip
from collections.abc import Callable

from drivers.virtual_cards import apdu
from drivers.virtual_cards.apdu import Command, RefusedError, read_tlv, tlv
from drivers.virtual_cards.card import BY_NAME, VirtualCard, pupi, reader_answer, type_b_atr
from drivers.virtual_cards.card_key import CardKey
from drivers.virtual_cards.chuid import card_number_object

APPLICATION = bytes.fromhex("A000000308000010000100")
PROVIDER = APPLICATION[:5]
ATR = type_b_atr(bytes.fromhex("000041E0"), bytes.fromhex("B381A1"))

CARD_AUTHENTICATION = 0x9E
PIV_AUTHENTICATION = 0x9A
PIV_KEYS = frozenset({0x9A, 0x9B, 0x9C, 0x9D, 0x9E, *range(0x82, 0x96)})
CERTIFICATE_OBJECTS = {0x5FC101: CARD_AUTHENTICATION, 0x5FC105: PIV_AUTHENTICATION}
CHUID = 0x5FC102
DISCOVERY = 0x7E
PIN_ONLY = b"\x40\x00"

LAST, CHAINED = 0x00, 0x10
INS_VERIFY = 0x20
INS_GENERAL_AUTHENTICATE = 0x87
INS_SELECT = 0xA4
INS_GET_RESPONSE = 0xC0
INS_GET_DATA = 0xCB
INS_GET_VERSION = 0xFD
LONGEST_CHAIN = 1024
TEMPLATE, NO_ANSWER = 0x00, 0x0C
PIN_REFERENCE = 0x80
PIN_LENGTH = 8
PIN_TRIES = 3
VERSION = bytes((4, 3, 5))
"""What cards of Yubico's kind answer to GET VERSION; yubico-piv-tool 2.7 talks to no other."""


class PivCard(VirtualCard):
    """A card with the PIV application.

    `card_authentication` is key 9E, `piv_authentication` key 9A, which asks for `pin`.
    `compressed` certificates are gzip data, and say so. `chunk` (1 to 256 bytes) is the
    longest piece of an answer; `filler` adds that many zero bytes to each certificate object,
    as cards with fixed file sizes do. A `strict` card gives no data, only 61xx, to a command
    without Le (ISO/IEC 7816-4, 5.3.4); others, YubiKeys among them, answer as if it had asked.
    """

    def __init__(
        self,
        card_authentication: CardKey,
        *,
        piv_authentication: CardKey | None = None,
        pin: str = "123456",
        compressed: bool = False,
        chunk: int = apdu.LONGEST_ANSWER,
        filler: int = 0,
        strict: bool = True,
    ) -> None:
        super().__init__(ATR)
        if not 1 <= chunk <= apdu.LONGEST_ANSWER:
            raise ValueError(f"chunk is 1 to {apdu.LONGEST_ANSWER} bytes, not {chunk}")
        self.keys = {CARD_AUTHENTICATION: card_authentication}
        if piv_authentication is not None:
            self.keys[PIV_AUTHENTICATION] = piv_authentication
        self.tries_left = PIN_TRIES
        self._pin = pin.encode("ascii").ljust(PIN_LENGTH, b"\xff")
        self._compressed, self._chunk, self._filler = compressed, chunk, filler
        self._strict = strict
        self._instructions: dict[int, Callable[[Command], bytes]] = {
            INS_GET_RESPONSE: self._get_response,
            INS_GET_DATA: self._get_data,
            INS_VERIFY: self._verify,
            INS_GENERAL_AUTHENTICATE: self._general_authenticate,
        }
        if not strict:
            self._instructions[INS_GET_VERSION] = lambda _command: VERSION
        self.forget()

    def forget(self) -> None:
        """Lose selection, PIN, a half-sent chain, a half-read answer and the Type B number."""
        self._selected = self._verified = False
        self._chain = self._pending = b""
        self._pupi = pupi()

    def answer(self, command: bytes) -> bytes:
        """Answer one command as a PIV card does; a refusal is a status word without data."""
        for_reader = reader_answer(command, self._pupi)
        if for_reader is not None:
            return for_reader
        try:
            parsed = apdu.parse(command)
            return self._hand_out(self._perform(parsed), parsed.le)
        except RefusedError as refused:
            self._chain = self._pending = b""
            return apdu.status(refused.word)

    def _perform(self, command: Command) -> bytes:
        chainable = command.ins == INS_GENERAL_AUTHENTICATE
        if command.cla not in ((LAST, CHAINED) if chainable else (LAST,)):
            raise RefusedError(apdu.UNKNOWN_CLASS)
        if not chainable:
            self._chain = b""
        if command.ins == INS_SELECT:
            return self._select(command)
        if not self._selected or command.ins not in self._instructions:
            raise RefusedError(apdu.UNKNOWN_INSTRUCTION)
        return self._instructions[command.ins](command)

    def _hand_out(self, data: bytes, le: int) -> bytes:
        """Give the first piece and keep the rest for GET RESPONSE."""
        size = min(le or (0 if self._strict else apdu.LONGEST_ANSWER), self._chunk)
        piece, self._pending = data[:size], data[size:]
        if not self._pending:
            return piece + apdu.status(apdu.SUCCESS)
        left = min(len(self._pending), apdu.LONGEST_ANSWER)
        return piece + apdu.status(apdu.BYTES_REMAIN | (left & 0xFF))

    def _get_response(self, command: Command) -> bytes:
        """Give what is left of the last answer (ISO/IEC 7816-4, 11.6.1)."""
        if (command.p1, command.p2) != (0, 0):
            raise RefusedError(apdu.WRONG_P1_P2)
        if not self._pending:
            raise RefusedError(apdu.CONDITIONS_NOT_SATISFIED)
        return self._pending

    def _select(self, command: Command) -> bytes:
        """Select by the whole name or a beginning of it (SP 800-73-4 part 2, 3.1.1).

        The application stays as it was selected if another, unknown name is asked for.
        """
        if command.p1 != BY_NAME or command.p2 not in (TEMPLATE, NO_ANSWER):
            raise RefusedError(apdu.WRONG_P1_P2)
        if not APPLICATION.startswith(command.data) or len(command.data) < len(PROVIDER):
            raise RefusedError(apdu.NOT_FOUND)
        self._selected, self._verified = True, False
        if command.p2 == NO_ANSWER:
            return b""
        algorithms = {key.algorithm for key in self.keys.values()}
        return tlv(
            0x61,
            tlv(0x4F, APPLICATION[len(PROVIDER) :])
            + tlv(0x79, tlv(0x4F, PROVIDER))
            + tlv(0x50, b"kazasu virtual card")
            + tlv(
                0xAC,
                b"".join(tlv(0x80, bytes([each])) for each in sorted(algorithms))
                + tlv(0x06, b"\x00"),
            ),
        )

    def _get_data(self, command: Command) -> bytes:
        """Give one data object by its tag (SP 800-73-4 part 2, 3.1.2)."""
        if (command.p1, command.p2) != (0x3F, 0xFF):
            raise RefusedError(apdu.WRONG_P1_P2)
        asked = read_tlv(command.data)
        if list(asked) != [0x5C] or not asked[0x5C]:
            raise RefusedError(apdu.WRONG_DATA)
        tag = int.from_bytes(asked[0x5C], "big")
        if tag == DISCOVERY:
            return tlv(DISCOVERY, tlv(0x4F, APPLICATION) + tlv(0x5F2F, PIN_ONLY))
        if tag == CHUID:
            number = self.keys[CARD_AUTHENTICATION].card_number
            return tlv(0x53, card_number_object(number))
        key = self.keys.get(CERTIFICATE_OBJECTS.get(tag, -1))
        if key is None:
            raise RefusedError(apdu.NOT_FOUND)
        return tlv(0x53, self._certificate(key))

    def _certificate(self, key: CardKey) -> bytes:
        """Make a certificate object's content (SP 800-73-4 part 1, appendix A, table 10)."""
        encoded = key.encoded_certificate
        if self._compressed:
            encoded = gzip.compress(encoded, mtime=0)
        information = bytes([self._compressed])
        return tlv(0x70, encoded) + tlv(0x71, information) + tlv(0xFE, b"") + bytes(self._filler)

    def _verify(self, command: Command) -> bytes:
        """Compare the PIN, or tell the tries left when none comes (part 2, 3.2.1)."""
        if command.p1 != 0:
            raise RefusedError(apdu.WRONG_P1_P2)
        if command.p2 != PIN_REFERENCE:
            raise RefusedError(apdu.REFERENCE_NOT_FOUND)
        if not command.data:
            if self._verified:
                return b""
            raise RefusedError(apdu.TRIES_LEFT | self.tries_left)
        if len(command.data) != PIN_LENGTH:
            raise RefusedError(apdu.WRONG_DATA)
        if not self.tries_left:
            raise RefusedError(apdu.METHOD_BLOCKED)
        self._verified = command.data == self._pin
        self.tries_left = PIN_TRIES if self._verified else self.tries_left - 1
        if not self._verified:
            raise RefusedError(apdu.TRIES_LEFT | self.tries_left)
        return b""

    def _general_authenticate(self, command: Command) -> bytes:
        """Sign a challenge, which may come in several pieces (part 2, 3.2.4)."""
        self._chain += command.data
        if len(self._chain) > LONGEST_CHAIN:
            raise RefusedError(apdu.WRONG_LENGTH)
        if command.cla == CHAINED:
            return b""
        template, self._chain = self._chain, b""
        if command.p2 not in PIV_KEYS:
            raise RefusedError(apdu.WRONG_P1_P2)
        key = self.keys.get(command.p2)
        if key is None:
            raise RefusedError(apdu.REFERENCE_NOT_FOUND)
        if command.p1 != key.algorithm:
            raise RefusedError(apdu.WRONG_P1_P2)
        if command.p2 == PIV_AUTHENTICATION and not self._verified:
            raise RefusedError(apdu.SECURITY_STATUS_NOT_SATISFIED)
        asked = read_tlv(read_tlv(template).get(0x7C, b""))
        if set(asked) != {0x81, 0x82} or asked[0x82]:
            raise RefusedError(apdu.WRONG_DATA)
        return tlv(0x7C, tlv(0x82, key.sign(asked[0x81])))
