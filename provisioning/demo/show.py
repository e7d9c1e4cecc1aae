"""The demo as the page plays it: taps of a second, the 8:25 queue, switches, and what was tried.

Rules: every call returns at once; what takes time runs in a thread and is told by ``shown``. One
switch is turned at a time, and to what the person saw it would become, so that a double click or a
second page beside the first does nothing twice. A fault of a part is said on the page in words and
goes to the log, and the page goes on.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from provisioning.demo.hand import NoReaderError, Presence
from provisioning.demo.samples import RUSH_PEOPLE
from provisioning.demo.shown import Proposal, Row, Shown, Switch
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
        self._mending = False
        self._signed_number = 0
        self.language = stage.town.language
        """What was last chosen for page and screens; the screens follow with the publication."""
        self._rush_lock = threading.Lock()
        self._rush_end = threading.Event()
        self._switching = threading.Lock()
        threading.Thread(target=self._observe, name="observer", daemon=True).start()

    def close(self) -> None:
        """Stop looking and playing."""
        self._rush_end.set()
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
            mending=self._mending and stage.cable.plugged and stage.broker.running,
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

    def flip(self, switch: Switch, *, on: bool) -> None:
        """Turn a switch on (unplugged, stopped, dark) or off again; one that is so stays so."""
        if switch is Switch.RUSH:
            self._rush_wanted(on=on)
            return
        turn = {Switch.LAN: self._turn_lan, Switch.BROKER: self._turn_broker}
        self._run(lambda: self._turn(turn.get(switch, self._turn_power), on=on))

    def proposal(self) -> Proposal | None:
        """The change of the sample permit that could be signed now; None while a switch turns."""
        if not self._switching.acquire(blocking=False):
            self._say("busy")
            return None
        try:
            return self._stage.town.proposal()
        finally:
            self._switching.release()

    def publish(self, *, permitted: bool) -> None:
        """Sign and send that the sample permit is given, or not; nothing if that is so already."""
        town = self._stage.town

        def change() -> bool:
            if town.permitted is permitted:
                return False
            town.permitted = permitted
            return True

        self._run(lambda: self._send(change, is_permit=True))

    def speak(self, language: Language) -> None:
        """Publish that the terminal's screens speak ``language``."""
        town = self._stage.town
        self.language = language

        def change() -> bool:
            if town.language is language:
                return False
            town.language = language
            return True

        self._run(lambda: self._send(change, is_permit=False))

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

    def _turn(self, turn: Callable[[bool], None], *, on: bool) -> None:
        with self._switching:
            turn(on)

    def _turn_lan(self, pulled: bool) -> None:  # noqa: FBT001 - a switch has just these two
        cable = self._stage.cable
        if not pulled:
            self._mending |= not cable.plugged
            cable.plug()
        elif cable.plugged:
            self._offline_from = int(time.monotonic() * 1000)
            cable.pull()

    def _turn_broker(self, stopped: bool) -> None:  # noqa: FBT001 - as above
        stage = self._stage
        if stage.broker.running is stopped:
            self._mending |= not stopped
            (stage.kill_broker if stopped else stage.start_broker)()

    def _turn_power(self, cut: bool) -> None:  # noqa: FBT001 - as above
        stage = self._stage
        if stage.terminal.running is cut:
            (stage.cut_power if cut else stage.power_on)()

    def _send(self, change: Callable[[], bool], *, is_permit: bool) -> None:
        begun = time.monotonic()
        with self._switching:
            number = self._signed(change)
        if number is None or not is_permit:
            return
        self._signed_number = number
        if self._taken(number):
            self._say("taken", f"{time.monotonic() - begun:.1f}")
        else:
            self._say("published", str(number))

    def _signed(self, change: Callable[[], bool]) -> int | None:
        """Sign what ``change`` changed and send it; the number, None if there was nothing to do."""
        town = self._stage.town
        before = town.permitted, town.language
        self._publishing = True
        try:
            if not change():
                return None
            number = town.sign()
            if self._stage.broker.running:
                town.send()
        except Exception as error:
            log.exception("a publication could not be made or sent")
            town.permitted, town.language = before
            self._say("publish_failed", str(error))
            return None
        finally:
            self._publishing = False
        return number

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

    def _rush_wanted(self, *, on: bool) -> None:
        """Begin the 8:25 queue, unless it walks already, or end it."""
        with self._rush_lock:
            if on and self._rush_left:
                return
            self._rush_end.set()
            self._rush_end = end = threading.Event()
            self._rush_left = RUSH_PEOPLE if on else 0
        if on:
            self._run(lambda: self._rush(end))

    def _rush(self, end: threading.Event) -> None:
        """The 8:25 queue, one person after the other, until ``end``."""
        try:
            for person in self._stage.town.people:
                if end.is_set() or not self._stage.terminal.running:
                    return
                self.press(1)
                self._stop.wait(AFTER_BUTTON_S)
                presence = self._stage.hand.hold(person.key, self._stage.town.staff_card(person))
                self._until_recorded(presence, BETWEEN_PEOPLE_S)
                self._stage.hand.take(presence)
                with self._rush_lock:
                    self._rush_left -= not end.is_set()
                if self._stop.wait(BETWEEN_PEOPLE_S):
                    return
            self._done.add(RUSH)
        finally:
            with self._rush_lock:
                if not end.is_set():
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
            if self._tapped_under_new_permit():
                self._done.add(PERMIT)
            self._note_link(taps)

    def _tapped_under_new_permit(self) -> bool:
        """Whether a card was tapped since a changed permit came into force, whatever the answer."""
        tapped = False
        for row in self._stage.rows(LISTED):
            if row.reason == Note.PUBLICATION_ACTIVE and row.detail.isdecimal():
                return tapped and 0 < self._signed_number <= int(row.detail)
            tapped |= row.kind != "terminal"
        return False

    def _note_link(self, taps: Sequence[Row]) -> None:
        """What was tried with the cable, and whether all is back since it was plugged in."""
        cable, waiting = self._stage.cable, self._stage.counts().waiting
        if cable.carries and not waiting:
            self._mending = False
        if self._offline_from and any(row.mono_ms > self._offline_from for row in taps):
            self._done.add(OFFLINE)
        if cable.plugged and OFFLINE in self._done and not waiting:
            self._done.add(BACK)
