"""The cable: carries bytes both ways, and when it is pulled nothing is there any more."""

import socket
import threading
from collections.abc import Iterator

import pytest

from provisioning.demo.wire_cut import HOST, WireCut

PATIENCE_S = 5.0


@pytest.fixture
def echo() -> Iterator[int]:
    """A broker that only repeats what it hears; gives its port."""
    listener = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                link, _ = listener.accept()
            except OSError:
                return
            with link:
                while heard := link.recv(100):
                    link.sendall(heard)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    server.join(PATIENCE_S)
    listener.close()


@pytest.fixture
def cable(echo: int) -> Iterator[WireCut]:
    made = WireCut(echo)
    yield made
    made.close()


def call(cable: WireCut) -> socket.socket:
    return socket.create_connection((HOST, cable.port), timeout=PATIENCE_S)


def test_what_goes_in_comes_out_at_the_broker_and_back(cable: WireCut) -> None:
    with call(cable) as link:
        link.sendall(b"a record")
        assert link.recv(100) == b"a record"
        assert cable.carries


def test_pulling_ends_the_connection_and_refuses_new_ones(cable: WireCut) -> None:
    with call(cable) as link:
        link.sendall(b"before")
        assert link.recv(100) == b"before"
        cable.pull()
        assert link.recv(100) == b""
    assert not cable.plugged
    assert not cable.carries
    with pytest.raises(OSError, match=r"(?i)refused"):
        call(cable)


def test_plugged_in_again_the_same_port_works(cable: WireCut) -> None:
    port = cable.port
    cable.pull()
    cable.pull()
    cable.plug()
    cable.plug()
    assert cable.plugged
    assert cable.port == port
    with call(cable) as link:
        link.sendall(b"after")
        assert link.recv(100) == b"after"


def test_a_broker_that_is_down_ends_the_call(cable: WireCut) -> None:
    with socket.create_server((HOST, 0)) as gone:
        port = gone.getsockname()[1]
    dead = WireCut(port)
    with call(dead) as link:
        assert link.recv(100) == b""
    dead.close()
