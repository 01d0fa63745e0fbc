"""The server of calls: a WebSocket for each client, and the pages."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.http11 import Request

from crossfade.errors import CallerError
from crossfade.providers.address import is_loopback
from crossfade.transports.client_socket import ClientSocket, Refusal
from crossfade.transports.websocket_messages import CloseCode, Hello, read_message, write_message

from .http_server import Certificate, listening
from .serve_access import Access
from .serve_begin import AttachmentRefused
from .serve_calls import Calls
from .serve_limits import UNLIMITED, ClientLimits
from .serve_pages import bearer, pages
from .serve_phone import STREAM_PATH, Phone

CALL_PATH = "/ws"
_HELLO_S = 5.0
_REASON_CHARACTERS = 100


class CallServer:
    """Answers clients.

    Args:
        calls: What they are attached to.
        access: Who may begin calls.
        limits: How many, of one address.
        phone: Answers Twilio; None is no phone.
        public_host: Under which the pages are known besides this machine's own names.
    """

    def __init__(
        self,
        calls: Calls,
        access: Access | None = None,
        limits: ClientLimits | None = None,
        phone: Phone | None = None,
        public_host: str = "",
    ) -> None:
        self._calls = calls
        self._access = access or Access()
        self._limits = limits or ClientLimits(UNLIMITED)
        self._phone = phone
        self._public_host = public_host

    @contextlib.asynccontextmanager
    async def listening(
        self, host: str, port: int, certificate: Certificate | None = None
    ) -> AsyncIterator[int]:
        """Listen for as long as the block runs; gives the port.

        Raises:
            SettingsError: The address cannot be listened on, or the certificate cannot be used.
        """
        more = () if self._phone is None else self._phone.routes
        app = pages(self._calls, self._access, self._limits, more=more)
        async with listening(
            app, self._line, host=host, port=port, certificate=certificate
        ) as found:
            yield found

    def _line(self) -> ClientSocket:
        return ClientSocket(self._opened, refuse=self._refuse)

    def _refuse(self, request: Request) -> Refusal | None:
        path = urlsplit(request.path).path
        if self._phone is not None and path.rstrip("/") == STREAM_PATH:
            return self._phone.refuse(request)
        if path != CALL_PATH:
            return HTTPStatus.NOT_FOUND, "nothing here\n"
        if not self._own_page(request):
            return HTTPStatus.FORBIDDEN, "not from this page\n"
        if self._calls.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, "this server ends\n"
        return None

    def _own_page(self, request: Request) -> bool:
        """Whether no page of another site asks, whose user does not know of it."""
        origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
        if origin is None:
            return True
        if urlsplit(origin).netloc != host:
            return False
        # Another site's name may be made to lead to this machine; then nothing but it tells.
        return self._access.needed or host == self._public_host or is_loopback(f"ws://{host}")

    async def _opened(self, socket: ClientSocket) -> None:
        assert socket.request is not None
        if self._phone is not None and urlsplit(socket.request.path).path != CALL_PATH:
            await self._phone.opened(socket)
            return
        try:
            hello = self._admitted(await _hello(socket), socket)
            served = await self._calls.attach(socket, hello, client=socket.client)
        except AttachmentRefused as refusal:
            reason = str(refusal)
            socket.write(write_message("error", code=int(refusal.code), message=reason), text=True)
            socket.deliver_to(None)
            await socket.close(refusal.code, reason[:_REASON_CHARACTERS])
            return
        await socket.wait_closed()
        served.transport.detach(socket)

    def _admitted(self, hello: Hello, socket: ClientSocket) -> Hello:
        """What the client said, with what stands in its Authorization header: the token of a
        call, or what lets it begin one.

        Raises:
            AttachmentRefused: It is to begin a call, and may not.
        """
        assert socket.request is not None
        if shown := bearer(socket.request.headers.get("Authorization")):
            if self._access.needed and self._access.knows(shown):
                hello = hello.with_access(shown)
            elif hello.token is None:
                hello = hello.with_token(shown)
        if hello.token is not None:
            return hello
        if not self._limits.asks(socket.client, "call", asyncio.get_running_loop().time()):
            raise AttachmentRefused(
                CloseCode.BUSY, "too many calls from your address; wait a minute"
            )
        if not self._access.admits(hello.access, time.time()):
            raise AttachmentRefused(
                CloseCode.REFUSED, "the server's access token is needed to begin a call"
            )
        return hello


async def _hello(socket: ClientSocket) -> Hello:
    """What a client says first.

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
    return hello


__all__ = ["CALL_PATH", "CallServer"]
