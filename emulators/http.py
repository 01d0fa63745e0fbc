"""HTTP beside the WebSocket: the services' small REST calls, one exchange a connection."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
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
        """Take bytes of the client; returns the whole answer once there is one."""
        try:
            self._parser.receive_data(data)
            return self._proceed()
        except h11.RemoteProtocolError as error:
            return self._encoded(_problem(HTTPStatus(error.error_status_hint), str(error)))

    def _proceed(self) -> bytes | None:
        while True:
            event = self._parser.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Request):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > BODY_LIMIT_BYTES:
                    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                    return self._encoded(_problem(status, "the body is too long"))
            elif isinstance(event, h11.EndOfMessage):
                return self._encoded(self._service.respond(self._request()))
            else:
                return b""

    def _request(self) -> HttpRequest:
        assert self._head is not None, "a body comes behind its head"
        return HttpRequest(
            method=self._head.method.decode(),
            path=self._head.target.decode(),
            headers={name.decode(): value.decode("latin-1") for name, value in self._head.headers},
            body=bytes(self._body),
        )

    def _encoded(self, response: HttpResponse) -> bytes:
        body = orjson.dumps(response.body)
        head = h11.Response(
            status_code=response.status,
            headers=[
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ],
        )
        parser = h11.Connection(h11.SERVER) if self._head is None else self._parser
        if parser.our_state is not h11.SEND_RESPONSE and parser.our_state is not h11.IDLE:
            return b""
        return b"".join(
            parser.send(event) or b"" for event in (head, h11.Data(data=body), h11.EndOfMessage())
        )


def _problem(status: HTTPStatus, message: str) -> HttpResponse:
    return HttpResponse(status=status, body={"error": {"message": message, "code": status.value}})
