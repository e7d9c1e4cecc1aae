"""Who may call the page: a browser on this machine, showing this page, and nobody else's page.

The page has no login and listens on loopback only. That does not keep out another web page in the
same browser: it may open a socket to us, or give its own name our address. So the name that is
called (Host) must be this machine's own, and the page that calls (Origin, which every browser adds
to a socket) must be the one at that name.

Rules: ASGI 3.0, HTTP and WebSocket; a call without Origin (a link, a program) is taken.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_POLICY_VIOLATION = 1008
_FORBIDDEN = 403


class OnlyThisPage:
    """Lets calls through to ``app`` that come from the page itself."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Take one call, or turn it away."""
        if scope["type"] not in {"http", "websocket"} or may_call(scope["headers"]):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        else:
            await send({"type": "http.response.start", "status": _FORBIDDEN, "headers": []})
            await send({"type": "http.response.body", "body": b"not from this page\n"})


def may_call(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a call with these headers (names in lower case) is one of this page's own."""
    hosts = [value for name, value in headers if name == b"host"]
    origins = [value for name, value in headers if name == b"origin"]
    if len(hosts) != 1 or len(origins) > 1:
        return False
    host = hosts[0].decode("latin-1")
    try:
        name = urlsplit(f"//{host}").hostname
        origin = urlsplit(origins[0].decode("latin-1")) if origins else None
    except ValueError:
        return False
    if name not in OWN_NAMES:
        return False
    return origin is None or (origin.scheme == "http" and origin.netloc == host)
