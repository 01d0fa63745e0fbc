"""An HTTP server in the running loop: pages by an ASGI application, WebSockets by our own lines."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11

from crossfade.errors import SettingsError

try:
    import uvicorn
    from starlette.requests import ClientDisconnect
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ModuleNotFoundError as error:
    raise SettingsError(
        f"the server needs a package that is not installed ({error.name}); install "
        "'crossfade[serve]'"
    ) from error
from crossfade.transports.client_socket import ClientSocket

LARGEST_HEAD_BYTES = 16 * 1024
"""Of a request: its line and its headers."""
KEEP_ALIVE_S = 5
ASK_S = 10.0
"""How long a client may take for the head of its first request; twice that for any other head, or
a body."""
READ_S = 20.0
"""How long a client may read nothing of an answer that waits for it."""
_ACCEPTED_AT_ONCE = 4
"""In a turn of the loop; each handshake takes 0.5 ms of it."""
_MOST_QUEUED = 1024
"""Connections that wait to be accepted; the system may allow fewer."""
_LEAVE_S = 1

# It logs addresses, which may hold what a client put there.
logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the server shows of itself, in PEM files."""

    chain: Path
    key: Path


class _Http(H11Protocol):
    """Drops who connects and then asks nothing, asks very slowly, or does not read the answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._seen: tuple[object, object] = (None, h11.IDLE)
        self._asking = self.loop.call_later(ASK_S, self._look)
        self._unread: asyncio.TimerHandle | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking.cancel()
        self._stop_unread()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._asking.cancel()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        # Nothing more can be sent: whoever is answering is told that the client is gone.
        cycle: Any = self.cycle
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        # Where an answer has begun, or may have no body, as that to HEAD.
        try:
            super().send_400_response(msg)
        except h11.LocalProtocolError:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_unread()
        super().resume_writing()

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _look(self) -> None:
        """Drop who has come no further with a request since the last look."""
        now = (self.cycle, self.conn.their_state)
        if now == self._seen and self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self.transport.abort()
            return
        self._seen = now
        self._asking = self.loop.call_later(ASK_S, self._look)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serves = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serves.set()
        # asyncio takes one number for both; what waits is the system's.
        for each in sockets or ():
            each.listen(_MOST_QUEUED)

    async def take(self, connection: socket.socket) -> None:
        """Answer who was accepted by somebody else; one that breaks in its handshake is gone."""
        loop = asyncio.get_running_loop()

        def http() -> _Http:
            return _Http(self.config, self.server_state, self.lifespan.state, loop)

        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(http, connection, ssl=self.config.ssl)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business: calls are handed over first."""
        yield


Line = Callable[[], ClientSocket]
Take = Callable[[socket.socket], Coroutine[Any, Any, None]]
"""Answers a connection that somebody else has accepted."""


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp, line: Line, *, host: str, port: int, certificate: Certificate | None = None
) -> AsyncIterator[int]:
    """Listen for as long as the block runs; gives the port.

    Args:
        app: Answers what is no WebSocket.
        line: Makes the server's end of each WebSocket.
        host: The address to listen on.
        port: The port; 0 is any free one.
        certificate: For TLS; None is plain TCP.

    Raises:
        SettingsError: The address cannot be listened on, or the certificate cannot be used.
    """
    server = _Server(_config(app, line, certificate))
    with listener(host, port) as found:
        async with _serving(server, found):
            # Who connects now waits in the backlog until it serves.
            yield int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def answering(
    app: ASGIApp, line: Line, *, certificate: Certificate | None = None
) -> AsyncIterator[Take]:
    """Answer connections that another process accepts, for as long as the block runs.

    Raises:
        SettingsError: The certificate cannot be used.
    """
    server = _Server(_config(app, line, certificate))
    async with _serving(server):
        await server.serves.wait()
        yield server.take


@contextlib.asynccontextmanager
async def _serving(server: _Server, *listeners: socket.socket) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve(sockets=list(listeners)), name="http")
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _config(app: ASGIApp, line: Line, certificate: Certificate | None) -> uvicorn.Config:
    def upgraded(**_: Any) -> ClientSocket:
        return line()

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        # Who leaves in the middle of a body gets no answer, and is no error of ours.
        with contextlib.suppress(ClientDisconnect):
            await app(scope, receive, send)

    config = uvicorn.Config(
        answered,
        http=_Http,
        ws=upgraded,  # type: ignore[arg-type]  # called, whatever it is
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=LARGEST_HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=_LEAVE_S,
        backlog=_ACCEPTED_AT_ONCE,
        ssl_certfile=None if certificate is None else certificate.chain,
        ssl_keyfile=None if certificate is None else certificate.key,
    )
    try:
        config.load()
    except OSError as error:
        raise SettingsError(
            f"the certificate {config.ssl_certfile} with the key {config.ssl_keyfile} cannot be "
            f"used ({error.strerror or error}); give two PEM files that belong together"
        ) from error
    return config


@contextlib.contextmanager
def listener(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, for as long as the block runs.

    Raises:
        SettingsError: The address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_MOST_QUEUED)
    except OSError as error:
        found.close()
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --port"
        ) from error
    with found:
        yield found


__all__ = ["Certificate", "Take", "answering", "listener", "listening"]
