"""paho's client as the link uses it: our TLS, our limits, none of its thread.

TLS 1.2 or newer, the town's CA and no other, the server's name checked, our certificate shown.
Client id and user name are the terminal's id, which is its certificate's CN.
"""

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from terminal.wire.topics import site_id, terminal_id

_STEP_S = 5.0
"""How long reaching one address, or one step of the TLS handshake, may take."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """Where the broker is and who we are.

    ``server_name`` is what the broker's certificate must carry ("" is ``host``); ``ca``,
    ``certificate`` and ``key`` are PEM files; ``keepalive_s`` is how long a dead peer may go
    unnoticed, at most by half more; ``protocol`` "3.1.1" only where the town asks for it, because
    it hides what the broker refuses. The first connection waits up to ``first_delay_s``.
    """

    host: str
    port: int
    server_name: str
    ca: Path
    certificate: Path
    key: Path
    site: str
    terminal: str
    keepalive_s: int = 15
    protocol: str = "5"
    first_delay_s: float = 3.0

    def __post_init__(self) -> None:
        """Refuse names that no topic can carry (ValueError)."""
        site_id(self.site)
        terminal_id(self.terminal)
        if self.protocol not in {"5", "3.1.1"}:
            raise ValueError(f'the protocol {self.protocol!r} must be "5" or "3.1.1"')


class Pipe(Client):
    """paho's client with our TLS, and a look at what a hostile broker could pile up in it."""

    def __init__(self, settings: LinkSettings, *, fresh: bool, five: bool) -> None:
        protocol = MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=settings.terminal,
            clean_session=None if five else True,
            protocol=protocol,
            reconnect_on_failure=False,
        )
        self.fresh = fresh
        self._server_name = settings.server_name or settings.host
        self._tls = _tls(settings)
        self.tls_set_context(self._tls)
        self.username_pw_set(settings.terminal)
        # Our own window holds; paho's would only slow it down.
        self.max_inflight_messages_set(0)
        self.connect_timeout = _STEP_S

    def announced(self) -> int:
        """Bytes that the packet being received says it has."""
        return int(self._in_packet["remaining_length"])

    def held(self) -> int:
        """Messages that wait inside paho for the second half of QoS 2."""
        return len(self._in_messages)

    def buffered(self) -> bool:
        """Whether TLS has read more from the socket than paho has taken."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def let_go(self) -> None:
        """Close the socket without a word; idempotent."""
        self._sock_close()
        self._reset_sockets()

    def _ssl_wrap_socket(self, tcp_sock: socket.socket) -> ssl.SSLSocket:
        # Small packets must not wait for the last one's acknowledgement (Nagle's algorithm).
        tcp_sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # paho would hold the certificate against the address, and leak the socket on failure.
        secured = self._tls.wrap_socket(
            tcp_sock, server_hostname=self._server_name, do_handshake_on_connect=False
        )
        try:
            secured.settimeout(_STEP_S)
            secured.do_handshake()
        except BaseException:
            secured.close()
            raise
        return secured


def _tls(settings: LinkSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(settings.ca)
    context.load_cert_chain(settings.certificate, settings.key)
    return context


def properties(packet: int, **values: int) -> Properties:
    """MQTT 5 properties of one packet type."""
    described = Properties(packet)  # type: ignore[no-untyped-call]  # paho names no types there
    for name, value in values.items():
        setattr(described, name, value)
    return described
