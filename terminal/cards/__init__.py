"""The card's side: conversations with card applications over a channel of APDUs.

``apdu`` knows short APDUs and data objects, ``piv`` one card application, ``profile`` which
applications a town reads and which commands those may ever need, ``identify`` tries them and says
what a card proved. Nothing here knows a reader, a clock or the roster.
"""
