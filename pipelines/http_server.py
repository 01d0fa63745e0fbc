"""An HTTP server in the running loop: pages by an ASGI application, WebSockets by our own lines."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from crossfade.errors import SettingsError
from crossfade.transports.client_socket import ClientSocket

LARGEST_HEAD_BYTES = 16 * 1024
"""Of a request: its line and its headers."""
KEEP_ALIVE_S = 5
ASK_S = 10.0
"""How long a client may take for the head of its first request."""
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
    """Drops who connects and then asks nothing, or very slowly."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._asking = self.loop.call_later(ASK_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._asking.cancel()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._asking.cancel()
        super().handle_websocket_upgrade(event)

    def _give_up(self) -> None:
        asked: object | None = self.cycle
        if asked is None:
            self.transport.abort()


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # asyncio takes one number for both; what waits is the system's.
        for each in sockets or ():
            each.listen(_MOST_QUEUED)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the command's business: calls are handed over first."""
        yield


@contextlib.asynccontextmanager
async def listening(
    app: ASGIApp,
    line: Callable[[], ClientSocket],
    *,
    host: str,
    port: int,
    certificate: Certificate | None = None,
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

    def upgraded(**_: Any) -> ClientSocket:
        return line()

    config = uvicorn.Config(
        app,
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
    with _socket(host, port) as listener:
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="http")
        try:
            # Who connects now waits in the backlog until it serves.
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


@contextlib.contextmanager
def _socket(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_MOST_QUEUED)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --port"
        ) from error
    with listener:
        yield listener


__all__ = ["Certificate", "listening"]
