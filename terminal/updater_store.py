"""Publications on the terminal's disk: whole sets, switched in one step.

A set is a folder with the verifier's ``metadata/`` and the plain ``documents/``. The next one
grows as ``draft``, is synced file by file, gets its number and only then becomes the active one by
renaming a symbolic link. Whoever pulls the plug finds the old set or the new one, never none and
never a mixture. The verifier writes without syncing, so it only ever works in the draft. Whose
settings hold is part of the set, so the same renaming switches both.

::

    sets/00000007/metadata/  sets/00000007/documents/
    sets/00000007/settings -> ../00000006   while the terminal's settings of this set are on trial,
                             or after they failed it: the set whose settings hold instead
    draft/                   left over from a cut: removed at the next attempt
    active -> sets/00000007
"""

import logging
import os
import secrets
import shutil
from pathlib import Path

log = logging.getLogger(__name__)

METADATA, DOCUMENTS = "metadata", "documents"
_ACTIVE, _SETTINGS, _SETS, _DRAFT = "active", "settings", "sets", "draft"


class Store:
    """The sets under ``folder``. Used by one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def active(self) -> Path | None:
        """The folder of the active set; None before the first."""
        return self._pointed(self._folder / _ACTIVE)

    def settings(self) -> Path | None:
        """The folder of the set whose settings hold instead of the active one's, if any."""
        active = self.active()
        return None if active is None else self._pointed(active / _SETTINGS)

    def draft(self) -> Path:
        """A fresh draft that starts with the active set's metadata and no documents.

        Raises:
            OSError: the disk refused.
        """
        self._tidy()
        draft = self._folder / _DRAFT
        if draft.exists():
            shutil.rmtree(draft)
        active = self.active()
        if active is not None and (active / METADATA).is_dir():
            # Links cost no space; the verifier replaces files and never writes into one.
            shutil.copytree(active / METADATA, draft / METADATA, symlinks=True, copy_function=_link)
        else:
            (draft / METADATA).mkdir(parents=True)
        (draft / DOCUMENTS).mkdir()
        return draft

    def keep(self, draft: Path, name: str) -> None:
        """Take a document of the active set over into the draft.

        Raises:
            OSError: there is none, or the disk refused.
        """
        active = self.active()
        if active is None:
            raise FileNotFoundError(name)
        _link(active / DOCUMENTS / name, draft / DOCUMENTS / name)

    def activate(self, draft: Path, *, on_trial: bool) -> Path:
        """Make the draft the active set; returns its folder.

        With ``on_trial`` the settings of the set before hold on after the next start, until
        ``confirm``; without it every set's own settings hold.

        Raises:
            OSError: the disk refused; the active set is the old one, or the new one whole.
        """
        held = (self.settings() or self.active()) if on_trial else None
        if held is not None:
            (draft / _SETTINGS).symlink_to(Path("..", held.name))
        _sync_tree(draft)
        place = self._folder / _SETS / f"{self._newest() + 1:08d}"
        place.parent.mkdir(exist_ok=True)
        draft.rename(place)
        _sync(place.parent)
        _sync(self._folder)
        fresh = self._folder / f".{_ACTIVE}.{secrets.token_hex(4)}"
        fresh.symlink_to(place.relative_to(self._folder))
        fresh.replace(self._folder / _ACTIVE)
        _sync(self._folder)
        self._tidy()
        return place

    def confirm(self) -> None:
        """Let the active set's own settings hold from now on.

        Raises:
            OSError: the disk refused.
        """
        active = self.active()
        if active is not None:
            (active / _SETTINGS).unlink(missing_ok=True)
            _sync(active)
        self._tidy()

    def _pointed(self, link: Path) -> Path | None:
        try:
            folder = self._folder / _SETS / link.readlink().name
        except OSError:
            return None
        return folder if folder.is_dir() else None

    def _newest(self) -> int:
        numbers = [path.name for path in (self._folder / _SETS).glob("*") if path.name.isdigit()]
        return max((int(number) for number in numbers), default=0)

    def _tidy(self) -> None:
        """Remove sets and half-made links that nothing points to any more, as far as possible."""
        active, settings = self.active(), self.settings()
        try:
            for place in (self._folder / _SETS).glob("*"):
                # A link that cannot be read must not cost the sets.
                if active is not None and place not in {active, settings}:
                    shutil.rmtree(place)
            for fresh in self._folder.glob(f".{_ACTIVE}.*"):
                fresh.unlink()
        except OSError as error:
            log.warning("what is no longer needed could not be removed: %s", error)


def _link(source: str | Path, target: str | Path) -> None:
    os.link(source, target)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    """Make a file's content, or a folder's names, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
