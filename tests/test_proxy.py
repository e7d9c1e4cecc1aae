"""The bad network does what it says: a test that leans on it must not be fooled by it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.proxy import Proxy, Towards

SILENCE_S = 0.15


class Echo:
    """A server that says everything back, and remembers how each connection ended."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.heard = b""
        self.ends: list[str] = []
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            talk = threading.Thread(target=self._talk, args=(peer,), daemon=True)
            self._threads.append(talk)
            talk.start()

    def _talk(self, peer: socket.socket) -> None:
        with peer:
            try:
                while piece := peer.recv(65536):
                    self.heard += piece
                    peer.sendall(piece)
                self.ends.append("finished")
            except ConnectionResetError:
                self.ends.append("reset")
            except OSError:
                self.ends.append("broken")

    def ended(self, *ways: str) -> None:
        deadline = time.monotonic() + 5
        while not set(self.ends[-1:]) & set(ways):
            assert time.monotonic() < deadline, self.ends
            time.sleep(0.005)

    def close(self) -> None:
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def call(proxy: Proxy) -> Iterator[Callable[[], socket.socket]]:
    calls: list[socket.socket] = []

    def call() -> socket.socket:
        calls.append(socket.create_connection(("127.0.0.1", proxy.port), timeout=5))
        return calls[-1]

    yield call
    for one in calls:
        one.close()


def said_back(line: socket.socket, text: bytes) -> bytes:
    line.sendall(text)
    return exactly(line, len(text))


def exactly(line: socket.socket, length: int) -> bytes:
    got = b""
    while len(got) < length:
        piece = line.recv(length - len(got))
        assert piece, "the connection ended too early"
        got += piece
    return got


def silent(line: socket.socket) -> bool:
    line.settimeout(SILENCE_S)
    try:
        line.recv(1)
    except TimeoutError:
        return True
    finally:
        line.settimeout(5)
    return False


Call = Callable[[], socket.socket]


def test_everything_passes_at_first_in_both_directions(proxy: Proxy, call: Call) -> None:
    line = call()
    much = bytes(range(256)) * 4096
    sender = threading.Thread(target=line.sendall, args=(much,))
    sender.start()
    assert exactly(line, len(much)) == much
    sender.join()
    assert proxy.passed == {Towards.SERVER: len(much), Towards.CLIENT: len(much)}
    assert proxy.accepted == 1


def test_many_connections_pass_side_by_side(call: Call) -> None:
    lines = [call() for _ in range(10)]
    for number, line in enumerate(lines):
        assert said_back(line, b"%d" % number) == b"%d" % number


def test_an_end_in_order_is_passed_on(echo: Echo, call: Call) -> None:
    line = call()
    line.sendall(b"last words")
    line.shutdown(socket.SHUT_WR)
    assert exactly(line, 10) == b"last words"
    assert line.recv(1) == b""
    echo.ended("finished")


def test_held_bytes_go_on_their_way_when_the_hold_ends(
    proxy: Proxy, echo: Echo, call: Call
) -> None:
    line = call()
    said_back(line, b"before")
    proxy.hold()
    line.sendall(b"after")
    assert silent(line)
    assert echo.heard == b"before"
    proxy.pass_on()
    assert exactly(line, 5) == b"after"


def test_who_connects_during_a_hold_is_let_in_when_it_ends(proxy: Proxy, call: Call) -> None:
    proxy.hold()
    line = call()
    line.sendall(b"hello")
    assert silent(line)
    proxy.pass_on()
    assert exactly(line, 5) == b"hello"


def test_a_lost_connection_ends_for_the_server_and_is_silent_for_the_client(
    proxy: Proxy, echo: Echo, call: Call
) -> None:
    line = call()
    said_back(line, b"before")
    proxy.lose()
    echo.ended("finished")
    line.sendall(b"into the void")
    assert silent(line)
    assert echo.heard == b"before"
    assert said_back(call(), b"anew") == b"anew"


def test_finish_closes_both_ends_in_order(proxy: Proxy, echo: Echo, call: Call) -> None:
    line = call()
    said_back(line, b"before")
    proxy.finish()
    assert line.recv(1) == b""
    echo.ended("finished")


def test_reset_resets_both_ends(proxy: Proxy, echo: Echo, call: Call) -> None:
    line = call()
    said_back(line, b"before")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        line.recv(1)
    echo.ended("reset")
    assert said_back(call(), b"anew") == b"anew"


def test_refuse_lets_nobody_in_until_it_passes_on_again(proxy: Proxy, call: Call) -> None:
    line = call()
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        line.recv(1)
    with pytest.raises(ConnectionRefusedError):
        call()
    proxy.pass_on()
    assert said_back(call(), b"back") == b"back"


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 9])
@pytest.mark.parametrize("towards", Towards)
def test_a_cut_lets_exactly_so_many_bytes_through(
    proxy: Proxy, echo: Echo, call: Call, cut: int, towards: Towards
) -> None:
    line = call()
    said_back(line, b"abc")
    proxy.cut_at(cut + 1, towards)
    line.sendall(b"0123456789")
    with pytest.raises(ConnectionResetError):
        exactly(line, 11)
    assert proxy.passed[towards] == 3 + cut + 1
    echo.ended("reset")
    if towards is Towards.SERVER:
        assert echo.heard == b"abc0123456789"[: 3 + cut + 1]


def test_a_cut_can_hold_lose_or_finish_instead(proxy: Proxy, echo: Echo, call: Call) -> None:
    held = call()
    proxy.cut_at(2, Towards.SERVER, "hold")
    held.sendall(b"abcd")
    assert silent(held)
    proxy.pass_on()
    assert exactly(held, 4) == b"abcd"
    proxy.cut_at(2, Towards.SERVER, "finish")
    held.sendall(b"efgh")
    echo.ended("finished", "reset")
    assert echo.heard == b"abcdef"


def test_a_cut_happens_once(proxy: Proxy, call: Call) -> None:
    proxy.cut_at(1, Towards.SERVER)
    line = call()
    line.sendall(b"ab")
    with pytest.raises(ConnectionResetError):
        line.recv(1)
    assert said_back(call(), b"whole again") == b"whole again"


def test_a_throttled_road_is_slow_and_loses_nothing(proxy: Proxy, call: Call) -> None:
    line = call()
    proxy.throttle(20_000)
    began = time.monotonic()
    text = b"x" * 6_000
    assert said_back(line, text) == text
    assert time.monotonic() - began > 0.25
    proxy.throttle(None)
    assert said_back(line, text) == text


def test_when_the_server_is_gone_callers_are_reset(echo: Echo, call: Call) -> None:
    echo.close()
    with pytest.raises(ConnectionResetError):
        call().recv(1)
