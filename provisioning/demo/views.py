"""The parts of the page as NiceGUI elements; each has its drawing in the JavaScript file named.

Rules: a part shows what it is given and tells what the person did; it knows no town, no process
and no file. Properties are set only when they changed, so a quiet page sends nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from nicegui.element import Element
from nicegui.events import GenericEventArguments

Told = Callable[[str], None]
"""What a part calls with the key (of a card, a tile) that the person acted on."""


class _Part(Element):
    """An element whose properties may be set over and over."""

    def put(self, **properties: object) -> None:
        """Set the properties that differ from what is shown."""
        changed = {
            k: v for k, v in properties.items() if k not in self._props or self._props[k] != v
        }
        if changed:
            self._props.update(changed)
            self.update()

    def _tell(self, event: str, told: Told) -> None:
        self.on(event, lambda happened: told(_first(happened)))


class PanelView(_Part, component="panel_view.js"):
    """The wall terminal: display, lamps, buttons, reader, door."""

    def __init__(self, words: Mapping[str, object], pressed: Told) -> None:
        super().__init__()
        self.put(words=words, buttons=words["buttons"])
        self._tell("press", pressed)

    def play(self, edges: Sequence[tuple[int, float]]) -> None:
        """Play the buzzer's edges: hertz (0 is silence) and milliseconds, oldest first."""
        self.run_method("tones", [list(edge) for edge in edges])


class TrayView(_Part, component="tray_view.js"):
    """The sample cards; ``tap``, ``lay`` and ``take`` are told the card's key."""

    def __init__(
        self,
        words: Mapping[str, object],
        cards: Sequence[Mapping[str, object]],
        *,
        tap: Told,
        lay: Told,
        take: Told,
    ) -> None:
        super().__init__()
        self.put(words=words, cards=cards, lying="")
        for event, told in (("tap", tap), ("lay", lay), ("take", take)):
            self._tell(event, told)


class RecordsView(_Part, component="records_view.js"):
    """The records, newest first, and the three counts; one may be opened to be read whole."""

    def __init__(
        self, words: Mapping[str, object], opened: Told, closed: Callable[[], None]
    ) -> None:
        super().__init__()
        self.put(words=words, rows=[], waiting=0, recorded=0, received=0, opened=None)
        self._tell("open", opened)
        self.on("close", lambda _: closed())


class SwitchesView(_Part, component="switches_view.js"):
    """The switches, and the paper that a changed permit is signed on."""

    def __init__(
        self,
        words: Mapping[str, object],
        *,
        flip: Told,
        publish: Callable[[], None],
        drop: Callable[[], None],
    ) -> None:
        super().__init__()
        self.put(words=words, tiles=[], paper=None)
        self._tell("flip", flip)
        self.on("publish", lambda _: publish())
        self.on("drop", lambda _: drop())


class FactsView(_Part, component="facts_view.js"):
    """What is recorded and what is not, and what nobody has tried."""

    def __init__(self, words: Mapping[str, object]) -> None:
        super().__init__()
        self.put(words=words)


class TopView(_Part, component="top_view.js"):
    """The page's name, the steps to try, sound and language."""

    def __init__(
        self,
        words: Mapping[str, object],
        *,
        sound: Callable[[], None],
        language: Callable[[], None],
    ) -> None:
        super().__init__()
        self.put(words=words, sound=True, done=[])
        self.on("sound", lambda _: sound())
        self.on("language", lambda _: language())


def _first(happened: GenericEventArguments) -> str:
    """The one thing that an event told; a page is as hostile as any sender, so only text."""
    told = happened.args
    return str(told[0] if isinstance(told, list) and told else told)[:40]
