"""The server of calls: a WebSocket for each client, and the pages."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from socket import socket as Connection
from urllib.parse import urlsplit

from starlette.routing import BaseRoute
from starlette.types import ASGIApp
from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request

from crossfade.errors import CallerError
from crossfade.transports.client_socket import ClientSocket, Refusal
from crossfade.transports.websocket_messages import CloseCode, Hello, read_message, write_message

from .http_server import Certificate, Take, answering, listening
from .serve_access import NOT_OWN, Access, from_own_page
from .serve_begin import AttachmentRefused
from .serve_calls import Calls
from .serve_dashboard import Dashboard
from .serve_limits import UNLIMITED, ClientLimits
from .serve_pages import bearer, pages
from .serve_phone import Phone

CALL_PATH = "/ws"
_HELLO_S = 5.0
_REASON_CHARACTERS = 100


class CallServer:
    """Answers clients.

    Args:
        calls: What they are attached to.
        access: Who may begin calls.
        limits: How many, of one address.
        phones: Each answers a phone company.
        dashboard: What those who run the server may look at.
        more: Routes of others.
    """

    def __init__(
        self,
        calls: Calls,
        access: Access | None = None,
        limits: ClientLimits | None = None,
        phones: Sequence[Phone] = (),
        dashboard: Dashboard | None = None,
        more: Sequence[BaseRoute] = (),
    ) -> None:
        self.calls = self._calls = calls
        self._dashboard = dashboard
        self._access = access or Access()
        self._limits = limits or ClientLimits(UNLIMITED)
        self._phones = {phone.stream_path: phone for phone in phones}
        self._more = more

    @contextlib.asynccontextmanager
    async def listening(
        self, host: str, port: int, certificate: Certificate | None = None
    ) -> AsyncIterator[int]:
        """Listen for as long as the block runs; gives the port.

        Raises:
            SettingsError: The address cannot be listened on, or the certificate cannot be used.
        """
        async with listening(
            self._app(), self._line, host=host, port=port, certificate=certificate
        ) as found:
            yield found

    @contextlib.asynccontextmanager
    async def answering(self, certificate: Certificate | None = None) -> AsyncIterator[Take]:
        """Answer connections that another process accepts, for as long as the block runs.

        Raises:
            SettingsError: The certificate cannot be used.
        """
        async with answering(self._app(), self._line, certificate=certificate) as take:
            yield take

    async def adopt(self, connection: Connection, came: bytes) -> None:
        """Answer a line that another worker has passed on.

        Args:
            connection: The line.
            came: What came over it there.
        """
        line = self._line()
        line.replay(came)
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().connect_accepted_socket(lambda: line, connection)

    def _app(self) -> ASGIApp:
        more = [*self._more, *(each for phone in self._phones.values() for each in phone.routes)]
        if self._dashboard is not None:
            more += self._dashboard.routes
        return pages(self._calls, self._access, self._limits, more=more)

    def _line(self) -> ClientSocket:
        return ClientSocket(self._opened, refuse=self._refuse)

    def _refuse(self, request: Request) -> Refusal | None:
        try:
            # What is looked at later may not come twice either.
            request.headers.get("Authorization")
            return self._refusal(request)
        except (MultipleValuesError, ValueError):
            return HTTPStatus.BAD_REQUEST, "a header comes twice, or an address in it is none\n"

    def _refusal(self, request: Request) -> Refusal | None:
        path = urlsplit(request.path).path
        if (phone := self._phones.get(path.rstrip("/"))) is not None:
            return phone.refuse(request)
        if path != CALL_PATH:
            return HTTPStatus.NOT_FOUND, "nothing here\n"
        if not from_own_page(request.headers, self._access):
            return HTTPStatus.FORBIDDEN, NOT_OWN
        if self._calls.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, "this server ends\n"
        return None

    async def _opened(self, socket: ClientSocket) -> None:
        assert socket.request is not None
        path = urlsplit(socket.request.path).path
        if (phone := self._phones.get(path.rstrip("/"))) is not None:
            await phone.opened(socket)
            return
        try:
            hello = self._shown(await _hello(socket), socket)
            if self._passed_on(hello, socket):
                return
            self._admit(hello, socket)
            served = await self._calls.attach(socket, hello, client=socket.client)
        except AttachmentRefused as refusal:
            reason = str(refusal)
            socket.write(write_message("error", code=int(refusal.code), message=reason), text=True)
            socket.deliver_to(None)
            await socket.close(refusal.code, reason[:_REASON_CHARACTERS])
            return
        await socket.wait_closed()
        served.transport.detach(socket)

    def _shown(self, hello: Hello, socket: ClientSocket) -> Hello:
        """What the client said, with what stands in its Authorization header: the token of a
        call, or what lets it begin one."""
        assert socket.request is not None
        if shown := bearer(socket.request.headers.get("Authorization")):
            if self._access.needed and self._access.knows(shown):
                return hello.with_access(shown)
            if hello.token is None:
                return hello.with_token(shown)
        return hello

    def _passed_on(self, hello: Hello, socket: ClientSocket) -> bool:
        if hello.token is None:
            return self._calls.pass_on(socket, None)
        call_id = self._calls.call_of(hello.token)
        return call_id is not None and self._calls.pass_on(socket, call_id)

    def _admit(self, hello: Hello, socket: ClientSocket) -> None:
        """Let a client begin a call; who comes back needs nothing more.

        Raises:
            AttachmentRefused: It may not.
        """
        if hello.token is not None:
            return
        if not self._limits.asks(socket.client, "call"):
            raise AttachmentRefused(
                CloseCode.BUSY, "too many calls from your address; wait a minute"
            )
        if not self._access.admits(hello.access, time.time()):
            raise AttachmentRefused(
                CloseCode.REFUSED, "the server's access token is needed to begin a call"
            )


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
