"""Cards as software: the demo's tray and the tests' cards.

A virtual card is laid on a reader over a socket: on pcscd's through the vpcd driver, or on a
`slot` where no pcscd runs. It answers as the real one would, counts every command and every
presence, and can be made faulty.

    card         what all cards are: power, counters, `MuteError` and `TornError`
    apdu         commands, status words and TLV as a card reads them
    piv          the town's card application, on `card_key` and `chuid`
    others       cards that are not the town's
    faults       wrappers that spoil a good card
    frames       the bytes on the socket, for both sides
    vpcd         the card's side: `insert` and `Presence`
    slot         the reader's side, for the demo
    tray         sample cards from a folder of keys and certificates

Everything here is written from the standards and never imports the terminal's card layer: an
error in the reading of a standard would otherwise be made on both sides and seen by no test.
Virtual cards hold test keys only; they protect nothing.
"""
