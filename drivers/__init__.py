"""The devices: one third-party library per file, each behind a port of the terminal's.

A driver translates its library's errors to ``terminal.ports.DeviceError`` and emits values; it
knows nothing of decisions, records or the network. ``simulated`` and ``virtual_cards`` are part of
the product: they are the demonstration's panel and tray, and the tests' world.
"""
