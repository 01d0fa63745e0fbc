"""HTTP beside the WebSocket: the services' small REST calls, one exchange a connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import responses
from typing import Any, Protocol

import h11
import orjson

BODY_LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request that is no WebSocket."""

    method: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """The answer to one, in JSON."""

    status: int = 200
    body: Any = None

    def encoded(self) -> bytes:
        """As it goes over the wire; the connection ends behind it."""
        body = orjson.dumps(self.body)
        head = (
            f"HTTP/1.1 {int(self.status)} {responses.get(self.status, '')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + body


class HttpService(Protocol):
    """Answers requests."""

    def respond(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request."""


class HttpExchange:
    """One request and its answer. Does no I/O.

    Args:
        service: Who answers.
    """

    def __init__(self, service: HttpService) -> None:
        self._service = service
        self._parser = h11.Connection(h11.SERVER)
        self._head: h11.Request | None = None
        self._body = bytearray()

    def receive(self, data: bytes) -> bytes | None:
        """Take bytes of the client; returns the whole answer once there is one, and then ends."""
        try:
            self._parser.receive_data(data)
            response = self._proceed()
        except h11.RemoteProtocolError as error:
            response = _problem(HTTPStatus(error.error_status_hint), str(error))
        return None if response is None else response.encoded()

    def _proceed(self) -> HttpResponse | None:
        while True:
            event = self._parser.next_event()
            if isinstance(event, h11.Request):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > BODY_LIMIT_BYTES:
                    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                    return _problem(status, "the body is too long")
            elif isinstance(event, h11.EndOfMessage):
                return self._service.respond(self._request())
            else:
                return None

    def _request(self) -> HttpRequest:
        assert self._head is not None, "a body comes behind its head"
        return HttpRequest(
            method=self._head.method.decode(),
            path=self._head.target.decode(),
            headers={name.decode(): value.decode("latin-1") for name, value in self._head.headers},
            body=bytes(self._body),
        )


def _problem(status: HTTPStatus, message: str) -> HttpResponse:
    return HttpResponse(status=status, body={"error": {"message": message, "code": status.value}})
