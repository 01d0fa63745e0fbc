"""What the server answers besides calls: the page to talk from, its tickets, and its health."""

import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from mimetypes import guess_type
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crossfade.transports.client_socket import RETRY_AFTER_S

from .serve_access import TICKET_LIFETIME_S, Access
from .serve_limits import ClientLimits

_FILES = (
    "base.css",
    "components.js",
    "icon.svg",
    "line.js",
    "microphone-buffer.js",
    "microphone-choice.js",
    "microphone-worklet.js",
    "page.css",
    "page.js",
    "picture.js",
    "sound.js",
    "speaker-worklet.js",
)
LARGEST_BODY_BYTES = 64 * 1024
"""Of any request; pages send nothing, telephones send forms."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(self), display-capture=(self)",
    "Cache-Control": "no-store",
}


class Health(Protocol):
    """What the pages tell of the calls."""

    @property
    def draining(self) -> bool:
        """Whether the server ends."""

    @property
    def full(self) -> bool:
        """Whether it takes no more calls."""


def pages(
    health: Health,
    access: Access,
    limits: ClientLimits,
    *,
    more: Sequence[BaseRoute] = (),
    clock: Callable[[], float] = time.time,
) -> ASGIApp:
    """The application beside the WebSockets.

    Args:
        health: Tells whether calls are taken.
        access: Who may begin calls.
        limits: How many tickets one client has.
        more: Routes of others.
        clock: Unix time.
    """

    async def session(request: Request) -> Response:
        """A ticket for a call, for whoever shows the server's token."""
        if not limits.asks(client_of(request), "ticket"):
            return PlainTextResponse("too many calls from your address; wait a minute\n", 429)
        if not access.knows(bearer(request.headers.get("authorization"))):
            return PlainTextResponse("the server's token is needed\n", 401)
        if health.draining or health.full:
            return _later("the server takes no calls now; try again in some seconds\n")
        return JSONResponse({"access": access.ticket(clock()), "lifetime_s": TICKET_LIFETIME_S})

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        if health.draining:
            return _later("this server ends\n")
        if health.full:
            return _later("as many calls as this server takes\n")
        return PlainTextResponse("ready\n")

    app = Starlette(
        routes=[
            Route("/session", session, methods=["POST"]),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/", _file("index.html")),
            *(Route(f"/{name}", _file(name)) for name in _FILES),
            *more,
        ]
    )
    return _Guarded(app)


def _later(why: str) -> Response:
    return PlainTextResponse(why, 503, {"Retry-After": str(RETRY_AFTER_S)})


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def client_of(request: Request) -> str:
    """Whose request it is."""
    return request.client.host if request.client is not None else ""


def _file(name: str) -> Callable[[Request], Response]:
    content = files("crossfade.pipelines.page").joinpath(name).read_bytes()
    kind = "text/javascript" if name.endswith(".js") else guess_type(name)[0]

    def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


class _Guarded:
    """Sets the headers that keep browsers strict, and bounds what is sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BODY_BYTES:
                raise HTTPException(413, "too much was sent")
            return message

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, bounded, strict)


__all__ = ["HEADERS", "LARGEST_BODY_BYTES", "Health", "bearer", "client_of", "pages"]
