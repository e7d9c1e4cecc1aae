"""The web page of the demo: one screen, Japanese first.

Foreign threads never touch the page: the stage keeps what is to be shown under its lock, and a
timer of each open page takes it from there twenty times a second. What the person does goes to
the stage, whose calls return at once.

Rules: listens on 127.0.0.1 only, because the page has no login, and answers no other web page
(``callers``); fetches nothing from outside, so that it works in a closed network.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nicegui import app, ui

from provisioning.demo.callers import OnlyThisPage
from provisioning.demo.faces import FACES
from provisioning.demo.rows import shown_rows, written
from provisioning.demo.samples import holder_id, name_of
from provisioning.demo.shown import Proposal, Shown, Switch
from provisioning.demo.texts import Words, other, words
from provisioning.demo.tiles import tiles
from provisioning.demo.views import (
    FactsView,
    PanelView,
    RecordsView,
    SwitchesView,
    Told,
    TopView,
    TrayView,
)
from terminal.core.rules import Language

HOST = "127.0.0.1"
REFRESH_S = 0.05
SAY_S = 5.0
OPEN_WITHIN_S = 60.0
STYLES = ("wall.css", "tray.css", "town.css", "records.css", "page.css")


class Stage(Protocol):
    """What the page asks of the running demo; no call waits for anything."""

    real_reader: bool
    language: Language
    """What was last chosen on any page."""

    def shown(self) -> Shown:
        """What is to be seen now."""
        ...

    def payload(self, seq: int) -> bytes:
        """The wire bytes of one record, b"" where there is none."""
        ...

    def edges_after(self, number: int) -> tuple[int, list[tuple[int, float]]]:
        """The buzzer's edges after edge ``number`` (hertz, milliseconds), and the last's number."""
        ...

    def tap(self, card: str) -> None:
        """Hold a card to the reader for about a second."""
        ...

    def lay(self, card: str) -> None:
        """Lay a card on the reader and leave it there."""
        ...

    def take(self, card: str) -> None:
        """Take the card away."""
        ...

    def press(self, button: int) -> None:
        """Press one of the terminal's buttons, counted from 1."""
        ...

    def flip(self, switch: Switch, *, on: bool) -> None:
        """Turn a switch on (as the page says "on": unplugged, stopped, dark) or off again."""
        ...

    def proposal(self) -> Proposal | None:
        """The change of the sample permit that could be signed now; None while one is made."""
        ...

    def publish(self, *, permitted: bool) -> None:
        """Sign and send that the sample permit is given, or not."""
        ...

    def speak(self, language: Language) -> None:
        """Publish that the terminal's screens speak ``language``."""
        ...


class Page:
    """One open page."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._language = stage, stage.language
        self._words = words(self._language)
        self._paper: Mapping[str, object] | None = None
        self._wanted = True
        self._heard, _ = stage.edges_after(0)
        self._said = stage.shown().said[0]
        self._sound = True
        self._build()
        self._refresh()
        ui.timer(REFRESH_S, self._refresh)

    def _build(self) -> None:
        said = self._words
        with ui.element("div").classes("kz-page").props(f'lang="{self._language}"'):
            self._top = TopView(
                self._top_words(), sound=self._turn_sound, language=self._change_language
            )
            with ui.element("div").classes("kz-left"):
                self._panel = PanelView(said["panel"], self._instead(self._press))
                self._tray = TrayView(
                    self._tray_words(reader=True),
                    self._cards(),
                    tap=self._instead(self._stage.tap),
                    lay=self._instead(self._stage.lay),
                    take=self._stage.take,
                )
            with ui.element("div").classes("kz-right"):
                self._switches = SwitchesView(
                    said["switches"], flip=self._flip, publish=self._publish, drop=self._drop
                )
                self._records = RecordsView(said["records"], self._instead(self._open), self._close)
                FactsView(said["facts"])
            self._line = ui.label("").classes("kz-say").props('role="status"')
            self._line.set_visibility(False)

    def _top_words(self) -> Words:
        """A real reader has no queue, so its step is left out."""
        said = self._words["page"]
        return {**said, "steps": said["steps"][:-1]} if self._stage.real_reader else said

    def _instead(self, act: Told) -> Told:
        """What is done instead of signing: a paper that lies open is put away first."""

        def begun(told: str) -> None:
            self._drop()
            act(told)

        return begun

    def _tray_words(self, *, reader: bool) -> Words:
        if not self._stage.real_reader:
            return self._words["tray"]
        said = self._words["real_reader"]
        return {"tray": said["tray"], "how": said["how" if reader else "missing"]}

    def _cards(self) -> list[Mapping[str, object]]:
        if self._stage.real_reader:
            return []
        said = self._words["cards"]
        return [
            {"key": key, "number": number, **face, **said[key]}
            for number, (key, face) in enumerate(FACES.items(), 1)
        ]

    def _refresh(self) -> None:
        if self._stage.language is not self._language:
            self._turn_page()
        now = self._stage.shown()
        panel = now.panel
        self._panel.put(
            frame=panel.frame,
            power=panel.power,
            ring=panel.ring,
            cross=panel.cross,
            open=panel.strike,
            busy=bool(now.lying),
            queue=now.rush_left,
            guest="" if now.lying in FACES else self._name(holder_id(now.lying)),
            sound=self._sound,
        )
        self._heard, edges = self._stage.edges_after(self._heard)
        if edges:
            self._panel.play(edges)
        self._tray.put(lying=now.lying, words=self._tray_words(reader=now.reader))
        self._records.put(
            rows=shown_rows(now.rows, self._words, datetime.now().astimezone()),
            waiting=now.counts.waiting,
            recorded=now.counts.recorded,
            received=now.counts.received,
        )
        shown_tiles = tiles(now, self._words["tiles"], rush=not self._stage.real_reader)
        self._switches.put(tiles=shown_tiles, paper=self._paper)
        self._top.put(done=sorted(now.done), sound=self._sound)
        self._tell(now.said)

    def _tell(self, said: tuple[int, str, str]) -> None:
        number, key, detail = said
        if number == self._said:
            return
        self._said = number
        self._line.set_text(self._words["say"][key].format(why=detail, number=detail))
        self._line.set_visibility(True)
        ui.timer(SAY_S, lambda: self._hush(number), once=True)

    def _hush(self, number: int) -> None:
        if number == self._said:
            self._line.set_visibility(False)

    def _press(self, button: str) -> None:
        if button.isascii() and button.isdecimal():
            self._stage.press(int(button))

    def _flip(self, told: str) -> None:
        """``told`` is a switch and what it is to become, as "lan:on"."""
        key, _, wanted = told.partition(":")
        if key not in set(Switch) or wanted not in {"on", "off"}:
            return
        if key != Switch.PERMIT:
            self._drop()
            self._stage.flip(Switch(key), on=wanted == "on")
            return
        proposal = None if self._paper else self._stage.proposal()
        self._paper = None if proposal is None else self._written(proposal)
        if proposal is not None:
            self._wanted = proposal.permitted

    def _written(self, proposal: Proposal) -> Mapping[str, object]:
        said = self._words["paper"]
        lines = [
            {"kind": kind, "mark": mark, "text": said[kind].format(name=self._name(holder))}
            for kind, mark, holders in (
                ("gains", "○", proposal.gains),
                ("loses", "×", proposal.loses),
            )
            for holder in holders
        ]
        lines += [
            {"kind": "same", "mark": "＝", "text": said["same"].format(others=proposal.others)},
            {"kind": "road", "mark": "→", "text": said["road"]},
        ]
        return {"title": said["title"].format(number=proposal.number), "lines": lines}

    def _name(self, holder: str) -> str:
        return name_of(holder, self._words)

    def _publish(self) -> None:
        if self._paper is not None:
            self._paper = None
            self._stage.publish(permitted=self._wanted)

    def _open(self, seq: str) -> None:
        payload = self._stage.payload(int(seq)) if seq.isascii() and seq.isdecimal() else b""
        if payload:
            self._records.put(opened={"seq": seq, "lines": written(payload, self._words)})

    def _close(self) -> None:
        self._records.put(opened=None)

    def _drop(self) -> None:
        self._paper = None

    def _turn_sound(self) -> None:
        self._sound = not self._sound

    def _change_language(self) -> None:
        self._stage.speak(other(self._language))

    def _turn_page(self) -> None:
        """Load the page anew, once, because its language was changed, here or on another."""
        self._language = self._stage.language
        ui.navigate.reload()


def serve(
    stage: Stage,
    port: int,
    language: Language,
    *,
    show: bool,
    ready: Callable[[], None],
) -> None:
    """Serve the page on 127.0.0.1 at ``port`` until the process is told to end.

    ``language`` is the first page's; ``show`` opens the machine's browser. ``ready`` is
    called, from a thread, once the page can be opened.
    """
    app.add_middleware(OnlyThisPage)
    threading.Thread(target=_tell_when_open, args=(port, ready), daemon=True).start()

    @ui.page("/", response_timeout=10.0)
    def _page() -> None:
        ui.page_title(words(stage.language)["page"]["title"])
        folder = Path(__file__).parent
        for style in STYLES:
            ui.add_css(folder / style)
        Page(stage)

    ui.run(
        host=HOST,
        port=port,
        show=show,
        reload=False,
        tailwind=False,
        favicon="○",
        language="ja" if language is Language.JA else "en-US",
        show_welcome_message=False,
        binding_refresh_interval=None,
    )


def _tell_when_open(port: int, ready: Callable[[], None]) -> None:
    end = time.monotonic() + OPEN_WITHIN_S
    while time.monotonic() < end:
        try:
            socket.create_connection((HOST, port), timeout=1.0).close()
        except OSError:
            time.sleep(REFRESH_S)
        else:
            ready()
            return
