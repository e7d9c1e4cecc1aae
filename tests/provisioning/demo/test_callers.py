"""The page answers to itself, not to other pages in the same browser."""

import asyncio

import pytest

from provisioning.demo.callers import Message, OnlyThisPage, Receive, Send, may_call


def headers(host: str, *origins: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", host.encode()), *((b"origin", one.encode()) for one in origins)]


@pytest.mark.parametrize(
    ("host", "origins"),
    [
        ("127.0.0.1:8080", ()),
        ("localhost:8080", ("http://localhost:8080",)),
        # Through a forwarded port the browser calls us by another number.
        ("127.0.0.1:9000", ("http://127.0.0.1:9000",)),
        ("[::1]:8080", ("http://[::1]:8080",)),
    ],
)
def test_the_page_itself_may_call(host: str, origins: tuple[str, ...]) -> None:
    assert may_call(headers(host, *origins))


@pytest.mark.parametrize(
    ("host", "origins"),
    [
        ("127.0.0.1:8080", ("http://elsewhere.example",)),
        ("127.0.0.1:8080", ("http://127.0.0.1:8081",)),
        ("127.0.0.1:8080", ("null",)),
        ("127.0.0.1:8080", ("http://127.0.0.1:8080", "http://elsewhere.example")),
        ("127.0.0.1:8080", ("http://[",)),
        # Somebody's own name, made to lead to this machine.
        ("elsewhere.example:8080", ("http://elsewhere.example:8080",)),
        ("elsewhere.example", ()),
        ("127.0.0.1.elsewhere.example", ()),
    ],
)
def test_another_page_may_not_call(host: str, origins: tuple[str, ...]) -> None:
    assert not may_call(headers(host, *origins))


@pytest.mark.parametrize(
    ("kind", "first"), [("http", "http.response.start"), ("websocket", "websocket.close")]
)
def test_who_may_not_call_is_turned_away_before_the_page_hears_of_it(kind: str, first: str) -> None:
    told: list[Message] = []

    async def app(_scope: Message, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        told.append(message)

    scope: Message = {
        "type": kind,
        "headers": headers("127.0.0.1:8080", "http://elsewhere.example"),
    }
    asyncio.run(OnlyThisPage(app)(scope, receive, send))
    assert told[0]["type"] == first


def test_who_may_call_is_let_through() -> None:
    heard: list[str] = []

    async def app(scope: Message, _receive: Receive, _send: Send) -> None:
        heard.append(scope["type"])

    async def receive() -> Message:
        raise AssertionError

    async def send(_message: Message) -> None:
        raise AssertionError

    for scope in (
        {"type": "lifespan"},
        {"type": "websocket", "headers": headers("localhost:1", "http://localhost:1")},
    ):
        asyncio.run(OnlyThisPage(app)(scope, receive, send))
    assert heard == ["lifespan", "websocket"]
