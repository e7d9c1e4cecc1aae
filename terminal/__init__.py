"""The service on the wall.

The walk of one tap
    1.  ``drivers.pcsc``: a card comes into the field; its child process opens a channel to it.
    2.  ``reader`` (a thread) runs ``cards.identify`` over the channel: our challenge, the card's
        signature, its certificate's chain, validity and revocation. The verdict is a credential
        or the reason why there is none.
    3.  ``inbox`` -> ``service`` (the loop) -> ``core.controller.step``: one arm for each event.
    4.  ``core.access`` or ``core.attendance``: granted or denied, with a reason; whose card it is
        the published roster says.
    5.  ``core.feedback``: the reason becomes a signal and a screen.
    6.  ``service`` performs the effects in order: the record first, and only once it is synced
        to disk the strike, the tone, the screen.
    7.  ``journal``: record n, chained to n-1 and signed with the device key.
    8.  ``link`` drains the journal to the town hall's broker; there is no other way out, so a day
        without network is the same road, later.
    9.  The town hall's ledger commits the record and signs a receipt.
    10. ``link`` -> inbox -> ``journal``: the receipt counts only if its hash is the journal's own.

The threads
    main    the loop in ``service``: owns all state, the journal's pen, the timers
    reader  ``reader``: blocks in card conversations
    link    ``link``: drains the journal; paho's own thread only hands on
    errand  ``updater``: fetches and verifies publications
    drivers each output has a worker that plays or draws the latest value
    All of them only put into ``inbox``; nothing else crosses.

The arrows of import are kept by a test: ``core`` imports nothing but itself and a short list of
the standard library, drivers know ports and values, and only ``compose`` knows both sides.
Read next: ``core/__init__`` (the words), ``core/controller``, ``service``, ``compose``.
"""
