"""The rules of the house, as functions over a folder of sources; each returns what breaks it.

The table ``ROOMS`` says which of our own packages a room may import, ``LIBRARIES`` in which rooms a
third-party library has its place. A module is matched by its dotted name; the first fitting row
counts. The rules are held against this checkout, and against small planted trees that break them,
in ``test_architecture.py``.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PACKAGES = ("terminal", "drivers", "provisioning")
LONGEST_FILE = 350
# A table of cases may be long; it is read row by row.
LONGEST_TEST_FILE = 500
LONGEST_FUNCTION = 40
# Long, and better in one piece: each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}

PURE = "dataclasses datetime enum zoneinfo collections.abc typing"
QUIET = f"{PURE} base64 collections contextlib functools hashlib itertools json math re struct"
ANYTHING = "*"


@dataclass(frozen=True)
class Room:
    """What the modules named by ``name`` may import of ours and of the standard library."""

    name: str
    ours: str
    standard: str = ANYTHING


ROOMS = (
    Room("terminal.core terminal.core.*", "terminal.core terminal.core.*", PURE),
    Room(
        "terminal.wire terminal.wire.*",
        "terminal.core terminal.core.* terminal.wire terminal.wire.*",
        QUIET,
    ),
    Room(
        "terminal.cards terminal.cards.*",
        "terminal.core terminal.core.* terminal.ports terminal.wire.x509 "
        "terminal.cards terminal.cards.*",
        # Profiles are TOML, some cards zip their certificate, and a strange card is worth a line.
        f"{QUIET} logging tomllib zlib",
    ),
    # A port may be something to be entered and left.
    Room("terminal.ports", "terminal.core terminal.core.*", f"{PURE} contextlib"),
    Room("terminal.compose terminal.compose_*", "terminal terminal.* drivers drivers.*"),
    Room("terminal terminal.*", "terminal terminal.*"),
    # Written from the cards' standards alone, so that no misreading is made twice.
    Room("drivers.virtual_cards drivers.virtual_cards.*", "drivers.virtual_cards*"),
    Room("drivers drivers.*", "drivers drivers.* terminal.ports terminal.core terminal.core.*"),
    # These run on a bare python3, before any library is there.
    Room("provisioning", ""),
    Room("provisioning.parts", ""),
    Room("provisioning.setup provisioning.setup.*", "provisioning.setup provisioning.setup.*"),
    Room(
        "provisioning.card_desk provisioning.card_desk.*",
        "provisioning provisioning.* terminal.core* terminal.wire* terminal.cards* terminal.ports "
        "drivers.pcsc",
    ),
    # What the town signs is first read as the terminals will read it.
    Room(
        "provisioning.publication",
        "provisioning provisioning.* terminal.core* terminal.wire* terminal.cards.profile",
    ),
    Room(
        "provisioning.demo.plants provisioning.demo.plants.*",
        "provisioning provisioning.* terminal.core* terminal.wire* terminal.compose "
        "drivers.simulated drivers.virtual_cards*",
    ),
    Room(
        "provisioning.demo provisioning.demo.*",
        "provisioning provisioning.* terminal.core* terminal.wire* "
        "drivers.simulated drivers.virtual_cards*",
    ),
    Room("provisioning.*", "provisioning provisioning.* terminal.core* terminal.wire*"),
)

LIBRARIES = {
    "PIL": "drivers.screens* provisioning.demo.*",
    "cryptography": "terminal.identity* terminal.journal* terminal.updater* terminal.wire.* "
    "terminal.cards.* drivers.virtual_cards.* provisioning.*",
    "gpiozero": "drivers.*",
    "luma": "drivers.oled*",
    "nicegui": "provisioning.demo.* provisioning.dashboard.*",
    "paho": "terminal.link* provisioning.mqtt*",
    "securesystemslib": "terminal.updater* provisioning.signing*",
    "smartcard": "drivers.pcsc*",
    "tinydb": "terminal.store* provisioning.storage* provisioning.registry*",
    "tuf": "terminal.updater* provisioning.publication* provisioning.signing*",
}

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "base", "misc"}

TOP_LEVEL = re.compile(
    r"\..*|pyproject\.toml|README(\..+)?\.md|terminal|drivers|provisioning|image|tests|kazasu|"
    r"requirements(-[a-z]+)?\.lock|LICENSE|CONTRIBUTING\.md|SECURITY\.md|CHANGELOG\.md"
)

# What tools leave in a checkout, where git cannot be asked.
MADE = re.compile(
    r"(^|/)(\.venv|\.kazasu|\.git|\.hypothesis|[^/]*_cache|__pycache__|build|dist|[^/]*\.egg-info)(/|$)"
)

# Spelt so that this file does not say them itself.
FORBIDDEN_WORDS = (
    r"pypi\.(org|python)|python[h]osted|registry\.np[m]js|deb\.debia[n]|crates\.i[o]",
    r"/wor[k]/|\.librar[y]/|facts/\w+\.m[d]|DESIGN\.m[d]|BRIEF\.m[d]",
    # Other projects' threads, which are worth a number, have long ones.
    r"(?i)\bissue #?\d{1,3}\b",
)


def files(root: Path) -> list[Path]:
    """Every file that belongs to the tree: what git knows or would add, else all there is."""
    asked = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and (root / ".git").exists():
        found = [root / name for name in listed.stdout.split("\0") if name]
    else:
        found = [path for path in root.rglob("*") if not MADE.search(str(path.relative_to(root)))]
    return sorted(path for path in found if path.is_file())


def broken_arrows(root: Path) -> list[str]:
    """Imports of ours that ``ROOMS`` does not allow, and imports of theirs not in their place."""
    return [wrong for path in _sources(root) for wrong in _wrong_imports(root, path)]


def mixed_drivers(root: Path) -> list[str]:
    """Files in drivers/ that use more than one third-party library."""
    wrong = []
    for path in _sources(root):
        tops = {name.split(".")[0] for name, _ in _imports(path)}
        theirs = sorted(tops - set(sys.stdlib_module_names) - set(PACKAGES))
        if path.relative_to(root).parts[0] == "drivers" and len(theirs) > 1:
            wrong.append(f"{path.relative_to(root)}: {', '.join(theirs)}; one library per file")
    return wrong


def long_rooms(root: Path) -> list[str]:
    """Files and functions that have grown past one idea."""
    wrong = []
    for path in (path for path in files(root) if path.suffix == ".py"):
        name = path.relative_to(root)
        lines = len(path.read_text().splitlines())
        limit = LONGEST_TEST_FILE if name.parts[0] == "tests" else LONGEST_FILE
        if lines > limit:
            wrong.append(f"{name}: {lines} lines, more than {limit}")
        if name.parts[0] != "tests":
            wrong += [f"{name}: {wide}" for wide in _long_functions(path)]
    return wrong


def forbidden_names(root: Path) -> list[str]:
    """Modules and folders whose name says nothing."""
    named = (path.relative_to(root) for path in files(root) if path.suffix == ".py")
    return [str(path) for path in named if FORBIDDEN_NAMES & {*path.parts, path.stem}]


def forbidden_words(root: Path) -> list[str]:
    """Lines that name a package registry's host or the place where this was written."""
    wrong = []
    pattern = re.compile("|".join(f"(?:{word})" for word in FORBIDDEN_WORDS[:2]))
    spoken = re.compile(FORBIDDEN_WORDS[2])
    for path in files(root):
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if pattern.search(line) or spoken.search(line):
                wrong.append(f"{path.relative_to(root)}:{number}: {line.strip()[:80]}")
    return wrong


def strange_top_level(root: Path) -> list[str]:
    """Names at the top of the tree that are not in the agreed layout."""
    names = {path.relative_to(root).parts[0] for path in files(root)}
    return sorted(name for name in names if not TOP_LEVEL.fullmatch(name))


def _sources(root: Path) -> list[Path]:
    ours = [root / package for package in PACKAGES]
    return [p for p in files(root) if p.suffix == ".py" and any(p.is_relative_to(o) for o in ours)]


def _wrong_imports(root: Path, path: Path) -> Iterator[str]:
    module = _module(root, path)
    room = next(room for room in ROOMS if _fits(module, room.name))
    for name, line in _imports(path):
        top = name.split(".")[0]
        if top in PACKAGES:
            fine = _fits(_existing(root, name), room.ours)
        elif top in sys.stdlib_module_names:
            fine = room.standard == ANYTHING or name in room.standard.split()
        else:
            fine = _fits(module, LIBRARIES.get(top, ""))
        if not fine:
            yield f"{path.relative_to(root)}:{line}: {module} must not import {name}"


def _imports(path: Path) -> list[tuple[str, int]]:
    """Each imported module with its line; ``from a import b`` counts as both a.b and a."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            ours = node.module.split(".")[0] in PACKAGES
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name, node.lineno) for name in (names if ours else [node.module])]
    return found


def _existing(root: Path, name: str) -> str:
    """The module of a dotted name whose last part may be a value in it."""
    place = root / Path(*name.split("."))
    return name if place.is_dir() or place.with_suffix(".py").exists() else name.rpartition(".")[0]


def _module(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _fits(module: str, patterns: str) -> bool:
    return any(fnmatchcase(module, pattern) for pattern in patterns.split())


def _long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
            lines = (node.end_lineno or 0) - (told or 0)
            if lines > LONGEST_FUNCTION and node.name not in LONG_FUNCTIONS:
                yield f"{node.name} has {lines} lines, more than {LONGEST_FUNCTION}"
