"""What the display must show: the terminal's own rules drawn to the bytes that the panel tells.

A screen is asked for by its reason or its text key; the pictures themselves are held against
reference pictures elsewhere.
"""

from base64 import b64encode
from datetime import datetime

from drivers.screens import Typeface, picture
from provisioning import parts, publication
from provisioning.demo.town import PORTAL, TERMINAL
from terminal.core.feedback import idle_screen, notice_screen, outcome_screen
from terminal.core.reasons import Reason, Result
from terminal.core.records import Entry, RecordKind
from terminal.core.rules import Rules
from terminal.core.signals import Screen
from terminal.wire.documents import rules_of
from tests.terminal.wall import now
from tests.walk.wall import Wall


class Screens:
    """The screens of a wall whose publication does not change meanwhile."""

    def __init__(self, wall: Wall) -> None:
        documents = publication.current_documents(wall.stage.town.town)
        assert documents is not None, "nothing was ever published"
        self._rules: Rules = rules_of(documents, TERMINAL)
        self._typeface = Typeface(parts.font())

    def refusal(self, reason: Reason) -> Screen:
        """The screen for a card that gave no credential, or one that nobody is known by."""
        entry = Entry(RecordKind.TAP, Result.UNREADABLE, reason, now(), portal=PORTAL)
        return outcome_screen(self._rules, entry, None, link_up=True)

    def notice(self, key: str) -> Screen:
        """The screen of a text that needs no tap."""
        return notice_screen(key, self._rules)

    def idle(self, at: datetime) -> Screen:
        """The screen between taps."""
        return idle_screen(self._rules, at, mode=None, link_up=True, clock_known=True)

    def frame(self, screen: Screen) -> str:
        """The panel's frame with that screen: base64 of 1,024 bytes."""
        return b64encode(picture(screen, self._typeface).tobytes()).decode()
