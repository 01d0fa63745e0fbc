"""The server of calls: a WebSocket for each client, and three pages."""

import contextlib
import logging
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import cast
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from crossfade.errors import CallerError, SettingsError
from crossfade.transports.websocket_messages import (
    LARGEST_MESSAGE_BYTES,
    CloseCode,
    Hello,
    read_message,
    write_message,
)
from crossfade.transports.websocket_socket import ClientSocket

from .serve_calls import AttachmentRefused, Calls

CALL_PATH = "/ws"
_HELLO_S = 5.0
_PING_S = 5.0
_REASON_CHARACTERS = 100
_PAGE = (
    "Crossfade serves calls here.\n\n"
    f"Clients speak the protocol of docs/websocket.md at {CALL_PATH}.\n"
    "/healthz tells whether this process lives, /readyz whether it takes calls.\n"
)

# At DEBUG the library logs what is said, and tokens with it.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.setLevel(logging.WARNING)


class CallServer:
    """Answers clients.

    Args:
        calls: What they are attached to.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Listen for as long as the block runs; gives the port.

        Raises:
            SettingsError: The address cannot be listened on.
        """
        try:
            server = await serve(
                self._handle,
                host,
                port,
                process_request=self._page,
                create_connection=ClientSocket,
                compression=None,
                max_size=LARGEST_MESSAGE_BYTES,
                open_timeout=_HELLO_S,
                close_timeout=1.0,
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                server_header=None,
                logger=_websocket_logger,
            )
        except OSError as error:
            raise SettingsError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another --port"
            ) from error
        try:
            yield _port(server)
        finally:
            server.close()
            await server.wait_closed()

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path
        ready = not self._calls.draining
        match path:
            case "/":
                return connection.respond(HTTPStatus.OK, _PAGE)
            case "/healthz":
                return connection.respond(HTTPStatus.OK, "ok\n")
            case "/readyz" if ready:
                return connection.respond(HTTPStatus.OK, "ready\n")
            case "/ws" if not _same_origin(request):
                return connection.respond(HTTPStatus.FORBIDDEN, "not from this page\n")
            case "/ws" if ready:
                return None
            case "/readyz" | "/ws":
                return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "this server ends\n")
        return connection.respond(HTTPStatus.NOT_FOUND, "nothing here\n")

    async def _handle(self, connection: ServerConnection) -> None:
        socket = cast(ClientSocket, connection)
        try:
            served = await self._calls.attach(socket, await _hello(socket))
        except AttachmentRefused as refusal:
            reason = str(refusal)
            socket.write(write_message("error", code=int(refusal.code), message=reason), text=True)
            socket.deliver_to(None)
            await socket.close(refusal.code, reason[:_REASON_CHARACTERS])
            return
        await socket.wait_closed()
        served.transport.detach(socket)


async def _hello(socket: ClientSocket) -> Hello:
    """What a client says first; its token may stand in the Authorization header.

    Raises:
        AttachmentRefused: It says nothing, or something else.
    """
    first = await socket.first(_HELLO_S)
    if first is None:
        raise AttachmentRefused(CloseCode.TIMEOUT, "say hello first")
    message, text = first
    try:
        hello = read_message(message) if text else None
    except CallerError as error:
        raise AttachmentRefused(CloseCode.MALFORMED, str(error)) from error
    if not isinstance(hello, Hello):
        raise AttachmentRefused(CloseCode.MALFORMED, "say hello first, as JSON")
    if hello.token is None and socket.request is not None:
        scheme, _, token = socket.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            return hello.with_token(token.strip())
    return hello


def _same_origin(request: Request) -> bool:
    """Whether no page of another site asks, whose user does not know of it."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("Host")


def _port(server: Server) -> int:
    return int(next(iter(server.sockets)).getsockname()[1])


__all__ = ["CALL_PATH", "CallServer"]
