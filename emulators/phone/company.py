"""A phone company on loopback: who dials, and its REST API."""

import asyncio
import contextlib
import itertools
import ssl
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Self

from ..http_exchange import HttpExchange, HttpRequest, HttpResponse
from .phone_call import PhoneCall
from .stream import Wire
from .verbs import Verb

_MOST_BYTES = 256 * 1024


class PhoneCompany(ABC):
    """Makes calls to an application, and takes its REST requests at `url`.

    Args:
        tls: For applications behind TLS.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.calls: dict[str, PhoneCall] = {}
        self.url = ""
        """Of the REST API, without a path."""
        self._tls = tls
        self._numbers = itertools.count(1)
        self._server: asyncio.Server | None = None

    # What a company is

    @abstractmethod
    def name(self, number: int) -> str:
        """Of a call."""

    @abstractmethod
    def form(self, phone: PhoneCall) -> Mapping[str, str]:
        """What a webhook says of a call."""

    @abstractmethod
    def sign(self, url: str, form: Mapping[str, str], body: bytes) -> Mapping[str, str]:
        """The headers of a webhook."""

    @abstractmethod
    def sign_stream(self, url: str) -> Mapping[str, str]:
        """The headers of a stream."""

    @abstractmethod
    def read(self, document: str | bytes) -> Sequence[Verb]:
        """The verbs of a document.

        Raises:
            CallerError: It is none.
        """

    @abstractmethod
    def wire(self, call_id: str, number: int, parameters: Mapping[str, str]) -> Wire:
        """The messages of a stream."""

    @abstractmethod
    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answer a REST request."""

    # What there is to all

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def call(
        self,
        url: str,
        *,
        fallback_url: str = "",
        caller: str = "+15550100",
        called: str = "+15550199",
    ) -> PhoneCall:
        """A call to a number whose webhook is this."""
        phone = PhoneCall(
            self,
            sid=self.name(next(self._numbers)),
            url=url,
            fallback_url=fallback_url,
            caller=caller,
            called=called,
            tls=self._tls,
        )
        self.calls[phone.sid] = phone
        return phone

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        exchange = HttpExchange(self)
        answer, taken = None, 0
        with contextlib.suppress(OSError):
            while answer is None and taken < _MOST_BYTES and (data := await reader.read(65536)):
                taken += len(data)
                answer = exchange.receive(data)
            if answer is not None:
                writer.write(answer)
                await writer.drain()
        writer.close()


def problem(status: HTTPStatus, code: int, message: str) -> HttpResponse:
    """An answer that refuses."""
    return HttpResponse(
        status=status, body={"code": code, "message": message, "status": status.value}
    )


__all__ = ["PhoneCompany", "problem"]
