"""The errand thread: fetches publications, has them verified, activates them between taps.

received -> verified (python-tuf's client, all signatures and hashes) -> staged (every document
read as values, everything synced) -> active (one rename; then the loop is told). Whatever goes
wrong on the way leaves the active set as it was and is told once, as a code of ``Refusal``; a disk
that refuses is one of them, is tried again, and is told to work again.

Never an older publication, also after a restart: the verifier starts from the active set's own
metadata, and the number is held against the active one and the newest that the journal names.
Roster, permits and trust never go back. Only this terminal's own settings are on trial
(``updater_trial``): if it was well before they changed and is not after, the former ones hold
again, until the town publishes others or the terminal restarts and the next publication comes.

How often attempts are made and refusals told is ``updater_pace``: a hostile broker fills no
journal.

tuf is imported here and in the ``updater_`` rooms only. Its HTTP fetcher is never made.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tuf.api.metadata import Targets

from terminal.core.events import PublicationAged, PublicationRefused, RulesActivated
from terminal.core.moment import Stamp
from terminal.core.rules import Rules, TerminalSettings
from terminal.updater_active import (
    Active,
    UpdaterSettings,
    expired_in,
    read_active,
    with_settings,
)
from terminal.updater_attempt import Attempt, Outcome
from terminal.updater_pace import Pace, Told
from terminal.updater_reasons import Interrupted, Refusal, Refused
from terminal.updater_road import Road, Subscribe
from terminal.updater_store import Store
from terminal.updater_trial import Trial, Verdict
from terminal.wire.messages import CfgState
from terminal.wire.topics import Name, row, topic_filter

log = logging.getLogger(__name__)

REFRESH_S = 3600.0
LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Activated:
    """For the shell, before the RulesActivated of the same publication: what is not the core's."""

    active: Active


Emitted = Activated | CfgState | RulesActivated | PublicationRefused | PublicationAged


def _always() -> bool:
    return True


def _nothing() -> None:
    pass


class Updater:
    """Owns the sets on disk and the errand thread.

    ``emit`` puts into the inbox; ``stamp`` gives the present moment; ``healthy`` says whether
    broker and devices are reached; ``beat`` tells the watchdog that the thread lives.
    """

    def __init__(
        self,
        settings: UpdaterSettings,
        subscribe: Subscribe,
        emit: Callable[[Emitted], None],
        stamp: Callable[[], Stamp],
        *,
        healthy: Callable[[], bool] = _always,
        beat: Callable[[], None] = _nothing,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._subscribe = subscribe
        self._emit = emit
        self._stamp = stamp
        self._healthy = healthy
        self._rules_source: Callable[[], Rules] | None = None
        self._beat = beat
        self._now = now
        self._store = Store(settings.folder)
        self._road = Road(settings.site, settings.terminal, settings.seal_key, subscribe, beat, now)
        self._thread = threading.Thread(target=self._run, name="errand", daemon=True)
        self._end_subscription: Callable[[], None] = _nothing
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._index: bytes | None = None
        self._arrivals = 0
        self._active: Active | None = None
        self._trial: Trial | None = None
        self._failed: TerminalSettings | None = None
        self._told = Told(now)
        self._stale: str | None = None
        self._state = ""
        self._pace = Pace(now)
        self._attempted = 0
        self._next_refresh = now() + REFRESH_S

    def set_rules_source(self, source: Callable[[], Rules]) -> None:
        """Say by which rules the loop decides: none other are on trial. Before ``start``.

        Without a source, rules count as taken SETTLE_S after they were handed over.
        """
        self._rules_source = source

    def load_active(self) -> Active | None:
        """The stored publication, proven again without asking for its date; before ``start``.

        Emits PublicationAged, and PublicationRefused where what is stored is not what was signed,
        is older than what the journal names or cannot be read; then there is none, and the next
        one that can be fetched is taken.
        """
        try:
            self._active = self._read_stored()
        except OSError as error:
            self._tell(_not_stored(error))
        except Refused as refused:
            log.warning("the stored publication cannot be used")
            self._tell(refused)
        if self._active is not None:
            self._tell_age()
        return self._active

    def _read_stored(self) -> Active | None:
        settings = self._settings
        # The roster names persons: nobody else on this machine may look.
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._store.active()
        if folder is None:
            return None
        active = read_active(folder, self._store.settings(), settings.pin, settings.terminal)
        if active.number < settings.least:
            detail = f"number {active.number} is stored after {settings.least}"
            raise Refused(Refusal.ROLLBACK, Targets.type, detail)
        return active

    def listen(self) -> None:
        """Subscribe to the index; what comes is looked at by ``turn``."""
        self._end_subscription = self._subscribe(
            topic_filter(Name.INDEX, self._settings.site), self._index_came
        )

    def start(self) -> None:
        """Listen, and let the thread take its turns."""
        self.listen()
        self._thread.start()

    def stop(self) -> None:
        """End the thread, at the latest after the present chunk; idempotent."""
        self._stopping.set()
        self._road.stop()
        self._wake.set()
        self._end_subscription()
        self._end_subscription = _nothing
        if self._thread.is_alive():
            self._thread.join()

    def _index_came(self, _topic: str, payload: bytes) -> None:
        """On the link's thread: keep the newest index only."""
        if len(payload) <= row(Name.INDEX).longest:
            self._index = payload
            self._arrivals += 1
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat()
            try:
                self.turn()
            except Exception:
                # A fault of ours, or of a library on bytes nobody thought of; the set in force
                # stays, and the next index is looked at again.
                log.exception("an attempt to update failed")
            self._wake.wait(LOOK_EVERY_S)
            self._wake.clear()

    def turn(self) -> None:
        """What is due now: the trial, an attempt, the hourly look. Called by the thread."""
        self._judge()
        now = self._now()
        if now >= self._next_refresh:
            self._next_refresh = now + REFRESH_S
            self._attempted = -1
            self._tell_age()
        new = self._index is not None and self._arrivals != self._attempted
        if new and self._pace.due():
            self._fetch()

    def _fetch(self) -> None:
        self._attempted = arrivals = self._arrivals
        index = self._index or b""
        number = 0 if self._active is None else self._active.number
        attempt = Attempt(self._settings, self._store, self._road, number)
        fruitful = False
        try:
            outcome = attempt.run(index, lambda latest: self._report("fetching", latest))
            if outcome is not None:
                self._take(outcome)
                fruitful = True
            self._all_is_well()
        except Interrupted:
            return
        except OSError as error:
            self._attempted = -1
            self._tell(_not_stored(error))
        except Refused as refused:
            self._attempted = -1
            if arrivals == self._arrivals:
                self._tell(refused)
        finally:
            self._pace.ended(fruitful=fruitful)

    def _take(self, outcome: Outcome) -> None:
        """Put the fetched publication into force; only the settings may be tried."""
        active, in_force = outcome.active, self._active
        if in_force is not None and in_force.number == active.number:
            # Only signed anew; settings that failed or are on trial stay what they are.
            self._store.activate(outcome.draft, on_trial=self._store.settings() is not None)
            self._tell_age()
            return
        # A trial that is not yet over has proven nothing: the next is held against the same.
        former = in_force if self._trial is None else self._trial.former
        was_well = self._healthy() if self._trial is None else self._trial.was_well
        tried = former is not None and former.rules.settings != active.rules.settings
        self._store.activate(outcome.draft, on_trial=tried)
        self._trial = None
        if tried and former is not None:
            if active.rules.settings == self._failed:
                active = with_settings(active, former)
            else:
                self._trial = Trial(former, was_well, self._now())
        self._hand_over(active)

    def _judge(self) -> None:
        """Confirm settings on trial once the terminal is well, or go back to the former ones."""
        trial, active = self._trial, self._active
        if trial is None or active is None:
            return
        now = self._now()
        taken = self._rules_source is None or self._rules_source() is active.rules
        verdict = trial.verdict(now, well=taken and self._healthy())
        if verdict is Verdict.KEEP:
            try:
                self._store.confirm()
            except OSError as error:
                # Nothing more is to be judged; only the disk has to take it, some time.
                self._trial = replace(trial, was_well=False, begun=now)
                self._tell(_not_stored(error))
            else:
                self._trial = None
                self._all_is_well()
        elif verdict is Verdict.BACK:
            log.warning("not well with the new settings; the former ones hold again")
            self._failed, self._trial = active.rules.settings, None
            self._hand_over(with_settings(active, trial.former), "settings_failed")

    def _hand_over(self, active: Active, error: str = "") -> None:
        if self._active is None or self._active.number != active.number:
            # Whatever is wrong from now on is wrong with something else.
            self._told.clear()
        self._active = active
        self._emit(Activated(active))
        self._emit(RulesActivated(self._stamp(), active.rules))
        self._report("active", active.number, error)
        self._tell_age()

    def _tell(self, refused: Refused) -> None:
        """Tell a refusal if it is news; the state of configuration names it in any case."""
        log.warning("publication refused: %s", refused)
        if self._told.is_news(refused):
            self._emit(PublicationRefused(self._stamp(), refused.reason, refused.file))
        self._report("refused", 0, refused.reason)

    def _all_is_well(self) -> None:
        """After a refusal, tell that what is in force is what is published and stored."""
        if self._active is None:
            return
        if self._told.forget(Refusal.NOT_STORED):
            # Handed over once more, which ends the alarm.
            self._hand_over(self._active)
        elif self._state == "refused":
            self._report("active", self._active.number)

    def _tell_age(self) -> None:
        """Tell when the active set's time is over, and when it no longer is."""
        folder = self._store.active()
        expired = "" if folder is None else expired_in(folder, datetime.now(UTC))
        if expired != self._stale:
            self._stale = expired
            self._emit(PublicationAged(self._stamp(), stale=bool(expired), detail=expired))

    def _report(self, state: str, latest: int, error: str = "") -> None:
        installed = 0 if self._active is None else self._active.number
        at_ms = self._stamp().at_ms
        self._state = state
        self._emit(CfgState(at_ms, installed, latest or installed, state, error))


def _not_stored(error: OSError) -> Refused:
    return Refused(Refusal.NOT_STORED, "disk", str(error))
