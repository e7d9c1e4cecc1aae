"""Setting a machine up, before the virtual environment exists.

Everything in this package runs on Debian's bare python3 (standard library only) and is started by
the launcher ``kazasu`` at the top of the checkout. It leaves a machine as it found it: what apt
installs starts nothing, and daemons are only unpacked into ``.kazasu/`` beside the sources.

What the parts are and where they lie, for those who start them, is told by
``provisioning.parts``.
"""
