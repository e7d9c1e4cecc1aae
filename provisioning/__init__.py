"""The town hall's side: authority, publications, broker, ledger, and the demonstration of it all.

It shares ``terminal.core`` and ``terminal.wire`` with the terminals and nothing else: a terminal
is always a process of its own, known by what it says on the wire.
"""
