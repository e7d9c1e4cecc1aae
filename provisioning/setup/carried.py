"""What goes along onto a fresh system: the checkout, and how this machine reaches its packages.

The person's own mirrors, proxies and certificates are in pip's and apt's configuration; without
them a fresh system behind a company's proxy could fetch nothing.
"""

import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

from provisioning.setup import venv

_HOME = "root"
# Not in a home: tests that become another user must be able to read it.
_PLACE = "srv/kazasu"
_LEFT_OUT = {".git", ".venv", ".kazasu", "__pycache__"}
_ENVIRONMENT = re.compile(r"^(PIP_\w+|\w+_proxy|\w+_PROXY|CI|KAZASU_LANG)$")
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
# Not at the machine's own place: there the fresh system's certificates would replace it.
_BUNDLE = "srv/certificates.pem"
_RESOLVER = "etc/resolv.conf"
# apt fetches as a user of its own; everything else is for root, who may find a password in it.
_FOR_ALL = {_BUNDLE, _RESOLVER}


def pack(root: Path, luggage: Path) -> None:
    """Writes the archive ``luggage``: the checkout under /srv/kazasu, and the configuration."""
    settings = {key: value for key, value in os.environ.items() if _ENVIRONMENT.match(key)}
    settings |= {"HOME": f"/{_HOME}", "LANG": "C.UTF-8", "TERM": "dumb"}
    configuration = _configuration(root)
    certificates = _certificates(configuration)
    if certificates:
        settings |= dict.fromkeys(_CERTIFICATES, f"/{_BUNDLE}")
    settings["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    # The configuration may hold a proxy's password: nobody else may read it from the first byte.
    luggage.unlink(missing_ok=True)
    with (
        os.fdopen(os.open(luggage, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as archive,
        tarfile.open(fileobj=archive, mode="w", dereference=False) as tar,
    ):
        for name in _files(root):
            tar.add(root / name, f"{_PLACE}/{name}", recursive=False, filter=_roots)
        _add(tar, f"{_HOME}/environment", _quoted(settings))
        _add(tar, _BUNDLE, certificates)
        for path in configuration:
            _add(tar, str(path).lstrip("/"), path.read_bytes())
        resolver = Path("/") / _RESOLVER
        if resolver.exists():
            _add(tar, _RESOLVER, resolver.read_bytes())


def apt_options() -> list[str]:
    """The machine's proxy settings for apt, as options of mmdebstrap."""
    told = subprocess.run(
        ["apt-config", "dump"],  # noqa: S607 - Debian's
        capture_output=True,
        text=True,
        check=True,
    )
    lines = re.findall(r"^Acquire::\w+::Proxy(?:::\S+)? \".+\";$", told.stdout, re.MULTILINE)
    return [f"--aptopt={line}" for line in lines]


def _files(root: Path) -> list[str]:
    """The checkout's files: what git tracks or would track; without git all but what is made."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - the person's own git
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        names = set(listed.stdout.split("\0")) - {""}
    else:
        found = (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())
        names = {str(path) for path in found if not _LEFT_OUT & set(path.parts)}
    return sorted(name for name in names if os.path.lexists(root / name))


def _configuration(root: Path) -> list[Path]:
    """The files that pip is configured by."""
    told = subprocess.run(
        [str(venv.python(root)), "-m", "pip", "config", "debug"],
        capture_output=True,
        text=True,
        check=False,
    )
    named = re.findall(r"^\s+(/\S+), exists: True", told.stdout, re.MULTILINE)
    return [Path(path) for path in named]


def _certificates(configuration: list[Path]) -> bytes:
    """The certificates that pip's configuration or the environment name; empty for none."""
    texts = "\n".join(path.read_text() for path in configuration)
    named = set(re.findall(r"^\s*cert\s*=\s*(\S+)", texts, re.MULTILINE))
    named |= {os.environ[key] for key in _CERTIFICATES if key in os.environ}
    return b"\n".join(Path(path).read_bytes() for path in sorted(named) if Path(path).is_file())


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = 0o644 if name in _FOR_ALL else 0o600
    tar.addfile(entry, io.BytesIO(content))


def _roots(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Files belong to root there, whoever runs this."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def _quoted(settings: dict[str, str]) -> bytes:
    """NAME=value words as ``env --split-string`` reads them."""
    return " ".join(
        "'" + f"{key}={value}".replace("\\", "\\\\").replace("'", "\\'") + "'"
        for key, value in settings.items()
    ).encode()
