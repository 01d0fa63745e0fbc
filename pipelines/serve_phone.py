"""Phone calls by Twilio: webhooks that say what a call does next, and streams that carry it.

Twilio signs both with the account's secret. A call bears the CallSid as its name: whichever server
is asked goes on with it.
"""

import asyncio
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from loguru import logger
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from websockets.http11 import Request as LineRequest

from crossfade.errors import CallerError, CrossfadeError
from crossfade.transports.client_socket import ClientSocket, Refusal
from crossfade.transports.twilio_call import (
    TwilioAccount,
    busy_document,
    check_number,
    connect_document,
    dial_document,
    hang_up_document,
)
from crossfade.transports.twilio_messages import StreamStart
from crossfade.transports.twilio_signature import HEADER, is_signed
from crossfade.transports.twilio_socket import TwilioSocket
from crossfade.transports.websocket_messages import CloseCode, Hello, read_message

from .serve_begin import AttachmentRefused
from .serve_call import Ending
from .serve_calls import Calls
from .serve_phone_tools import phone_tools

WEBHOOK_PATH = "/twilio"
STREAM_PATH = "/twilio/stream"
TICKET_S = 60.0
"""So long after the webhook the stream may begin."""
MOST_STREAMS = 50
"""Of one call, one after the other; a call that needs more does not work."""
BUSY_WORDS = "All lines are busy. Please call again later."
FAILED_WORDS = "The call cannot go on. Please call again later."
_START_S = 5.0
_MOST_REMEMBERED = 1024
_REST_S = 15.0
_GOODBYE_S = 1.5
_ALIVE = frozenset({"queued", "ringing", "in-progress"})
_LOST_FOR_GOOD = frozenset({CloseCode.UNKNOWN, CloseCode.REFUSED})


class Phone:
    """Answers Twilio.

    Args:
        calls: What phones are attached to.
        account: Whose numbers they are.
        public_url: `https://…`, under which Twilio knows the server; empty takes it from the
            request.
        destinations: Whom callers may be put through to: name → number.
        secure: Whether the server itself speaks TLS.
    """

    def __init__(
        self,
        calls: Calls,
        account: TwilioAccount,
        *,
        public_url: str = "",
        destinations: Mapping[str, str] | None = None,
        secure: bool = False,
    ) -> None:
        self._calls = calls
        self._account = account
        self._public_url = public_url.rstrip("/")
        self._destinations = dict(destinations or {})
        self._scheme = "https" if secure else "http"
        key = b"crossfade twilio stream\0" + account.auth_token.encode()
        self._key = hashlib.sha256(key).digest()
        self._next: OrderedDict[str, str] = OrderedDict()
        """What calls that are over do next; the oldest are forgotten."""
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Of the webhook."""
        return [Route(WEBHOOK_PATH, self._webhook, methods=["POST"])]

    # The webhook: Twilio asks what a call does next

    async def _webhook(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
        base = self._base(request.headers.get("host", ""))
        query = f"?{request.url.query}" if request.url.query else ""
        given = request.headers.get(HEADER)
        if not is_signed(given, base + WEBHOOK_PATH + query, form, self._account.auth_token):
            return PlainTextResponse("the signature is not Twilio's\n", 403)
        call_sid = form.get("CallSid", [""])[-1]
        if not (0 < len(call_sid) <= 64 and call_sid.isalnum()):
            return PlainTextResponse("a call has no CallSid\n", 400)
        again = request.query_params.get("again", "0")
        streams = int(again) if again.isascii() and again.isdigit() and len(again) < 4 else 0
        over = form.get("CallStatus", ["in-progress"])[-1] not in _ALIVE
        document = hang_up_document() if over else self._document(base, call_sid, streams)
        if document is None:
            return PlainTextResponse("this server ends\n", 503)
        return Response(document, media_type="text/xml")

    def _document(self, base: str, call_sid: str, streams: int) -> str | None:
        if (document := self._next.pop(call_sid, None)) is not None:
            return document
        if self._calls.draining:
            return None
        if streams >= MOST_STREAMS:
            return busy_document(FAILED_WORDS)
        if not streams and self._calls.full and self._calls.served(call_sid) is None:
            return busy_document(BUSY_WORDS)
        ticket = self._ticket(call_sid, new=not streams)
        return connect_document(
            "ws" + base.removeprefix("http") + STREAM_PATH,
            f"{base}{WEBHOOK_PATH}?again={streams + 1}",
            {"ticket": ticket},
        )

    def _base(self, host: str) -> str:
        return self._public_url or f"{self._scheme}://{host}"

    # The stream

    def refuse(self, request: LineRequest) -> Refusal | None:
        """Why a WebSocket for a stream is refused; None if Twilio asks for it."""
        url = "ws" + self._base(request.headers.get("Host", "")).removeprefix("http") + STREAM_PATH
        query = urlsplit(request.path).query
        given, told = request.headers.get(HEADER), f"{url}?{query}" if query else url
        if not is_signed(given, told, {}, self._account.auth_token):
            return HTTPStatus.FORBIDDEN, "the signature is not Twilio's\n"
        if self._calls.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, "this server ends\n"
        return None

    async def opened(self, socket: ClientSocket) -> None:
        """Attach a phone to its call."""
        line = TwilioSocket(socket)
        start: StreamStart | None = None
        try:
            start = await line.started(_START_S)
            if start is None:
                raise AttachmentRefused(CloseCode.TIMEOUT, "the stream did not start")
            new = self._admitted(start)
            hello = read_message(line.hello(token=None, call_id=start.call_sid))
            assert isinstance(hello, Hello)
            tools = phone_tools(self, start.call_sid, self._destinations)
            served = await self._calls.attach_phone(line, hello, new=new, tools=tools)
        except (AttachmentRefused, CallerError) as error:
            code = error.code if isinstance(error, AttachmentRefused) else CloseCode.MALFORMED
            logger.warning("a phone is not attached: {}", error)
            if start is not None and code in _LOST_FOR_GOOD:
                self._then(start.call_sid, busy_document(FAILED_WORDS))
            await socket.close(code, str(error)[:100])
            return
        await socket.wait_closed()
        served.transport.detach(line)
        if served.ending in (Ending.OVER, Ending.UNBORN) and start.call_sid not in self._next:
            self._then(start.call_sid, hang_up_document())

    def _admitted(self, start: StreamStart) -> bool:
        """Whether the stream may begin a call that there is not yet.

        Raises:
            AttachmentRefused: No webhook of ours led to it.
        """
        ticket = start.parameters.get("ticket", "")
        told, _, given = ticket.rpartition(".")
        fits = hmac.compare_digest(self._sign(start.call_sid, told).encode(), given.encode())
        new, _, expires = told.partition(".")
        if not fits or time.time() >= float(expires):
            raise AttachmentRefused(CloseCode.TIMEOUT, "the stream's ticket is not for this call")
        return new == "1"

    def _ticket(self, call_sid: str, *, new: bool) -> str:
        told = f"{int(new)}.{time.time() + TICKET_S:.0f}"
        return f"{told}.{self._sign(call_sid, told)}"

    def _sign(self, call_sid: str, told: str) -> str:
        return hmac.new(self._key, f"{call_sid}.{told}".encode(), "sha256").hexdigest()

    # What the agent's tools do

    def end(self, call_sid: str) -> None:
        """Hang up when the agent has said its goodbye."""
        self._leave(call_sid, hang_up_document())

    def transfer(self, call_sid: str, number: str) -> None:
        """Put the caller through when the agent has said so.

        Raises:
            SettingsError: It is no number.
        """
        self._leave(call_sid, dial_document(number))

    def _leave(self, call_sid: str, document: str) -> None:
        task = asyncio.create_task(self._go(call_sid, document), name=f"leave {call_sid}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _go(self, call_sid: str, document: str) -> None:
        await asyncio.sleep(_GOODBYE_S)
        served = self._calls.served(call_sid)
        if served is None:
            return
        await served.come_to_rest(_REST_S)
        if self._account.sid:
            try:
                await self._account.redirect(call_sid, document)
                return
            except CrossfadeError as error:
                logger.warning("call {} is redirected by its stream's end: {}", call_sid, error)
        # Twilio asks what comes next when the stream ends.
        self._then(call_sid, document)
        served.finish(Ending.OVER)

    def _then(self, call_sid: str, document: str) -> None:
        self._next[call_sid] = document
        if len(self._next) > _MOST_REMEMBERED:
            self._next.popitem(last=False)


def destinations_of(given: Sequence[str]) -> dict[str, str]:
    """Whom callers may be put through to: name → number.

    Args:
        given: NAME=NUMBER each.

    Raises:
        SettingsError: One is not so, or its number is none.
    """
    found = {}
    for each in given:
        name, _, number = each.partition("=")
        found[name.strip()] = check_number(number)
    return found


__all__ = ["STREAM_PATH", "WEBHOOK_PATH", "Phone", "destinations_of"]
