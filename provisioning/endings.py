"""What in a town ends soon: told at each command, while there is still time to act.

Past its end a certificate lets nobody in and a publication is taken by no terminal, all at once
and on a day on which nobody has changed anything. The timestamp of the week is left out: it
always ends soon, and its daily renewal is what keeps it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from provisioning import authority_files as files
from provisioning import publication
from provisioning.town import CLIENTS, Town

SOON = timedelta(days=30)


def ending_soon(town: Town, now: datetime | None = None) -> list[str]:
    """One sentence for each thing that ends within SOON.

    Raises:
        TownError: a file that is to be looked at cannot be read.
    """
    at = now or datetime.now(UTC)
    return [
        f"{what} {_in_days(ends - at)}: {remedy}"
        for what, ends, remedy in (*_certificates(town), *_publication(town))
        if ends - at <= SOON
    ]


def _certificates(town: Town) -> Iterator[tuple[str, datetime, str]]:
    again = f"remove that file and run ./kazasu town init {town.folder} --site {town.site}"
    server = town.broker / "server.crt"
    for path in (server, *(town.client(name) / "client.crt" for name in CLIENTS)):
        restart = ", then start the broker again" if path == server else ""
        yield str(path), files.read_certificate(path).not_valid_after_utc, again + restart
    for terminal in town.terminal_ids():
        path = town.terminal(terminal) / "device.crt"
        ends = files.read_certificate(path).not_valid_after_utc
        yield str(path), ends, f"terminal {terminal} needs a new certificate before then"


def _publication(town: Town) -> Iterator[tuple[str, datetime, str]]:
    for role, ends in publication.ends(town).items():
        if role == "root":
            yield "the root of publications", ends, "make the following one"
        else:
            yield f"the signature of the {role}", ends, f"run ./kazasu town publish {town.folder}"


def _in_days(left: timedelta) -> str:
    if left <= timedelta(0):
        return "has ended"
    return f"ends in {left.days} days"
