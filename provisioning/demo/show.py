"""The demo as the page plays it: taps of a second, the 8:25 queue, switches, and what was tried.

Rules: every call returns at once; what takes time runs in a thread and is told by ``shown``. A
fault of a part is said on the page in words and goes to the log, and the page goes on.
"""

import logging
import threading
import time
from collections.abc import Callable

from provisioning.demo.hand import NoReaderError, Presence
from provisioning.demo.samples import RUSH_PEOPLE
from provisioning.demo.shown import Proposal, Shown, Switch
from provisioning.demo.stage import Stage
from terminal.core.reasons import Note
from terminal.core.rules import Language

log = logging.getLogger(__name__)

TAP_S = 1.0
LONGEST_TAP_S = 7.0
TAKEN_WITHIN_S = 4.0
BETWEEN_PEOPLE_S = 0.25
AFTER_BUTTON_S = 0.15
"""How long a hand takes from a button to the reader."""
LISTED = 60
LOOK_S = 0.05
TAPPED, OFFLINE, BACK, PERMIT, RUSH = range(5)


class Show:
    """What the page shows and does. Any thread may call."""

    def __init__(self, stage: Stage, *, real_reader: bool = False) -> None:
        self.real_reader = real_reader
        self._stage = stage
        self._done: set[int] = set()
        self._said = (0, "", "")
        self._reader = True
        self._laid = ""
        self._pressed_s = 0.0
        self._publishing = False
        self._rush_left = 0
        self._stop = threading.Event()
        self._offline_from = 0
        self._publish_lock = threading.Lock()
        threading.Thread(target=self._observe, name="observer", daemon=True).start()

    def close(self) -> None:
        """Stop looking and playing."""
        self._rush_left = 0
        self._stop.set()

    def shown(self) -> Shown:
        """What is to be seen now."""
        stage = self._stage
        return Shown(
            panel=stage.panel.state,
            lying=stage.hand.lying,
            lan=stage.cable.plugged,
            broker=stage.broker.running,
            permitted=stage.town.permitted,
            publishing=self._publishing,
            rush_left=self._rush_left,
            rows=stage.rows(LISTED),
            counts=stage.counts(),
            done=frozenset(self._done),
            reader=self._reader,
            said=self._said,
        )

    def payload(self, seq: int) -> bytes:
        """The wire bytes of one record, b"" where there is none."""
        return self._stage.payload(seq)

    def edges_after(self, number: int) -> tuple[int, list[tuple[int, float]]]:
        """The buzzer's edges after edge ``number``."""
        return self._stage.panel.buzzer_after(number)

    def tap(self, card: str) -> None:
        """Hold a card to the reader for about a second; one that was laid there is taken away."""
        if card == self._laid == self._stage.hand.lying:
            self.take(card)
        elif card in self._stage.cards:
            self._laid = ""
            self._run(lambda: self._hold(card, stay=False))

    def lay(self, card: str) -> None:
        """Lay a card on the reader and leave it there."""
        if card in self._stage.cards:
            self._laid = card
            self._run(lambda: self._hold(card, stay=True))

    def take(self, card: str) -> None:
        """Take that card away."""
        if self._stage.hand.lying == card:
            self._run(self._stage.hand.take)

    def press(self, button: int) -> None:
        """Press one of the terminal's buttons, counted from 1."""
        self._pressed_s = time.monotonic()
        self._stage.panel.press(f"button-{button}")

    def flip(self, switch: Switch) -> None:
        """Turn a switch over."""
        self._run(
            {
                Switch.LAN: self._flip_lan,
                Switch.BROKER: self._flip_broker,
                Switch.POWER: self._flip_power,
                Switch.RUSH: self._rush,
            }.get(switch, lambda: None)
        )

    def proposal(self) -> Proposal:
        """The change of the sample permit that could be signed now."""
        with self._publish_lock:
            return self._stage.town.proposal()

    def publish(self) -> None:
        """Sign that change and send it."""
        town = self._stage.town

        def change() -> None:
            town.permitted = not town.permitted

        self._run(lambda: self._send(change))

    def speak(self, language: Language) -> None:
        """Publish that the terminal's screens speak ``language``."""
        town = self._stage.town

        def change() -> None:
            town.language = language

        if town.language is not language:
            self._run(lambda: self._send(change, step=None))

    def _run(self, act: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                act()
            except NoReaderError:
                self._say("no_power")
            except Exception as error:
                log.exception("the demo could not do what was asked")
                self._say("failed", str(error))

        threading.Thread(target=guarded, name="act", daemon=True).start()

    def _say(self, key: str, detail: str = "") -> None:
        self._said = (self._said[0] + 1, key, detail)

    def _hold(self, card: str, *, stay: bool) -> None:
        stage = self._stage
        if not stage.terminal.running:
            self._say("no_power")
            return
        self._stop.wait(max(0.0, self._pressed_s + AFTER_BUTTON_S - time.monotonic()))
        presence = stage.hand.hold(card, stage.cards[card])
        if stay:
            return
        self._until_recorded(presence, TAP_S)
        stage.hand.take(presence)

    def _until_recorded(self, presence: Presence, least_s: float) -> None:
        """Wait until the tap has made its record, but at least ``least_s``."""
        begun = time.monotonic()
        before = begun * 1000 - 50
        while presence.present and not self._stop.wait(LOOK_S):
            held = time.monotonic() - begun
            recorded = any(row.kind != "terminal" for row in self._stage.since(int(before)))
            if held >= least_s and (recorded or held >= LONGEST_TAP_S):
                return

    def _flip_lan(self) -> None:
        cable = self._stage.cable
        if cable.plugged:
            self._offline_from = int(time.monotonic() * 1000)
            cable.pull()
        else:
            cable.plug()

    def _flip_broker(self) -> None:
        stage = self._stage
        if stage.broker.running:
            stage.kill_broker()
        else:
            stage.start_broker()

    def _flip_power(self) -> None:
        stage = self._stage
        if stage.terminal.running:
            stage.cut_power()
        else:
            stage.power_on()

    def _send(self, change: Callable[[], None], step: int | None = PERMIT) -> None:
        with self._publish_lock:
            self._publishing = True
            begun = time.monotonic()
            town = self._stage.town
            before = town.permitted, town.language
            try:
                change()
                number = town.sign()
                if self._stage.broker.running:
                    town.send()
            except Exception as error:
                log.exception("a publication could not be made or sent")
                town.permitted, town.language = before
                self._say("publish_failed", str(error))
                return
            finally:
                self._publishing = False
            if step is None:
                return
            if self._taken(number):
                self._done.add(step)
                self._say("taken", f"{time.monotonic() - begun:.1f}")
            else:
                self._say("published", str(number))

    def _taken(self, number: int) -> bool:
        """Wait until the terminal has recorded that publication ``number`` is in force."""

        def active() -> bool:
            rows = self._stage.rows(LISTED)
            return any(
                row.reason == Note.PUBLICATION_ACTIVE and row.detail == str(number) for row in rows
            )

        end = time.monotonic() + TAKEN_WITHIN_S
        while not self._stop.wait(LOOK_S) and time.monotonic() < end:
            if active():
                return True
        return False

    def _rush(self) -> None:
        """The 8:25 queue; pressing the switch again stops it."""
        if self._rush_left:
            self._rush_left = 0
            return
        self._rush_left = RUSH_PEOPLE
        for person in self._stage.town.people:
            if not self._rush_left or not self._stage.terminal.running:
                break
            self.press(1)
            self._stop.wait(AFTER_BUTTON_S)
            presence = self._stage.hand.hold(person.key, self._stage.town.staff_card(person))
            self._until_recorded(presence, BETWEEN_PEOPLE_S)
            self._stage.hand.take(presence)
            self._rush_left = max(0, self._rush_left - 1)
            if self._stop.wait(BETWEEN_PEOPLE_S):
                return
        else:
            self._done.add(RUSH)
        self._rush_left = 0

    def _note_reader(self) -> None:
        for row in self._stage.rows(LISTED):
            if row.reason in {Note.READER_LOST, Note.READER_BACK, Note.STARTED}:
                self._reader = row.reason != Note.READER_LOST
                return

    def _observe(self) -> None:
        """Follow the records and tick off what has been tried."""
        while not self._stop.wait(LOOK_S):
            try:
                self._stage.look()
            except Exception:
                log.exception("journal or ledger could not be read")
                continue
            self._note_reader()
            taps = [row for row in self._stage.rows(LISTED) if row.kind != "terminal"]
            if taps:
                self._done.add(TAPPED)
            if not self._offline_from:
                continue
            if any(row.mono_ms > self._offline_from for row in taps):
                self._done.add(OFFLINE)
            plugged = self._stage.cable.plugged
            if plugged and OFFLINE in self._done and self._stage.counts().waiting == 0:
                self._done.add(BACK)
