"""Phone calls: webhooks that say what a call does next, and streams that carry it.

A call bears the phone company's name of it: whichever server is asked goes on with it.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from loguru import logger
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from websockets.http11 import Request as LineRequest

from crossfade.errors import CallerError
from crossfade.transports.client_socket import ClientSocket, Refusal
from crossfade.transports.phone_carrier import (
    Answer,
    Carrier,
    HangUp,
    PutThrough,
    Refuse,
    Talk,
    Webhook,
)
from crossfade.transports.phone_messages import StreamStart, is_name
from crossfade.transports.phone_socket import PhoneSocket
from crossfade.transports.websocket_messages import CloseCode, Hello, read_message

from .serve_begin import AttachmentRefused
from .serve_call import Ending, ServedCall
from .serve_calls import Calls
from .serve_phone_leave import Leaving
from .serve_phone_tickets import StreamTickets
from .serve_phone_tools import phone_tools
from .serve_workers_peers import ALONE, Peers

MOST_STREAMS = 50
"""Of one call, one after the other; a call that needs more does not work."""
BUSY_WORDS = "All lines are busy. Please call again later."
FAILED_WORDS = "The call cannot go on. Please call again later."
STOPPED_S = 3.0
"""A call whose stream was stopped is over, unless another stream of it begins until then."""
_START_S = 5.0
_MOST_FIELDS = 256
_OVER = frozenset({"completed", "busy", "failed", "no-answer", "canceled", "cancel", "timeout"})
_LOST_FOR_GOOD = frozenset({CloseCode.UNKNOWN, CloseCode.REFUSED})


class Phone:
    """Answers one phone company.

    Args:
        calls: What phones are attached to.
        carrier: The company, and whose numbers they are.
        public_url: `https://…`, under which the company knows the server; empty takes it from the
            request.
        destinations: Whom callers may be put through to: name → number.
        secure: Whether the server itself speaks TLS.
        secret: Of all processes of the server, for a company whose account has none.
        peers: The other workers of the server, any of which the company may ask.
    """

    def __init__(
        self,
        calls: Calls,
        carrier: Carrier,
        *,
        public_url: str = "",
        destinations: Mapping[str, str] | None = None,
        secure: bool = False,
        secret: bytes = b"",
        peers: Peers = ALONE,
    ) -> None:
        self._calls = calls
        self._carrier = carrier
        self._public_url = public_url.rstrip("/")
        self._destinations = dict(destinations or {})
        self._scheme = "https" if secure else "http"
        self._asked_at = self._public_url
        """The address under which the company asked last."""
        self._tickets = StreamTickets(carrier.secret or secret, carrier.path, peers)
        self._leaving = Leaving(
            calls, carrier, self._destinations, lambda: self._asked_at + carrier.path, peers
        )
        self._peers = peers
        peers.on(f"over {carrier.path}", lambda told: self._hung_up(told["call"]))

    @property
    def carrier(self) -> Carrier:
        """Whom it answers."""
        return self._carrier

    @property
    def stream_path(self) -> str:
        """Where its streams come in."""
        return f"{self._carrier.path}/stream"

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """Of the webhook."""
        return [Route(self._carrier.path, self._webhook, methods=["POST"])]

    # The webhook: the company asks what a call does next

    async def _webhook(self, request: Request) -> Response:
        body = await request.body()
        base = self._base(request.headers.get("host", ""))
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            # Reading a whole body of them takes 12 ms of the loop, before anybody has signed it.
            form = parse_qs(
                body.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            return PlainTextResponse(f"more than {_MOST_FIELDS} fields\n", 400)
        webhook = Webhook(
            url=base + self._carrier.path + query, headers=request.headers, body=body, form=form
        )
        if not self._carrier.signed(webhook, time.time()):
            return PlainTextResponse(f"the signature is not {self._carrier.name}'s\n", 403)
        call_id = self._carrier.call_of(webhook)
        if not is_name(call_id):
            return PlainTextResponse("a call has no name\n", 400)
        self._asked_at = base
        if webhook.of("CallStatus") in _OVER:
            self._hung_up(call_id)
            self._peers.tell(f"over {self._carrier.path}", call=call_id)
            answer: Answer | None = HangUp()
        else:
            answer = self._answer(base, call_id, request.query_params)
        if answer is None:
            return PlainTextResponse("this server ends\n", 503)
        return Response(self._carrier.document(answer), media_type="text/xml")

    def _answer(self, base: str, call_id: str, query: Mapping[str, str]) -> Answer | None:
        again, to = query.get("again", "0"), query.get("to", "")
        streams = int(again) if again.isascii() and again.isdigit() and len(again) < 4 else 0
        if to in self._destinations:
            return PutThrough(name=to, number=self._destinations[to])
        if (answer := self._leaving.next(call_id)) is not None:
            return answer
        if self._calls.draining:
            return None
        if streams >= MOST_STREAMS:
            return Refuse(words=FAILED_WORDS)
        if not streams and self._calls.full and self._calls.served(call_id) is None:
            return Refuse(words=BUSY_WORDS)
        return Talk(
            stream_url="ws" + base.removeprefix("http") + self.stream_path,
            next_url=f"{base}{self._carrier.path}?again={streams + 1}",
            ticket=self._tickets.give(call_id, time.time(), new=not streams),
        )

    def _hung_up(self, call_id: str) -> None:
        """The company tells that a call is over, whose stream may have gone without a word."""
        if (served := self._calls.served(call_id)) is not None:
            served.finish(Ending.OVER)

    def _base(self, host: str) -> str:
        return self._public_url or f"{self._scheme}://{host}"

    # The stream

    def refuse(self, request: LineRequest) -> Refusal | None:
        """Why a WebSocket for a stream is refused; None if the company asks for it."""
        base = self._base(request.headers.get("Host", ""))
        url = "ws" + base.removeprefix("http") + self.stream_path
        query = urlsplit(request.path).query
        if not self._carrier.opens(f"{url}?{query}" if query else url, request.headers):
            return HTTPStatus.FORBIDDEN, f"the signature is not {self._carrier.name}'s\n"
        if self._calls.draining:
            return HTTPStatus.SERVICE_UNAVAILABLE, "this server ends\n"
        return None

    async def opened(self, socket: ClientSocket) -> None:
        """Attach a phone to its call."""
        line = PhoneSocket(socket, self._carrier.dialect())
        start: StreamStart | None = None
        try:
            start = await line.started(_START_S)
            if start is None:
                raise AttachmentRefused(CloseCode.TIMEOUT, "the stream did not start")
            ticket = start.parameters.get("ticket", "")
            new = self._tickets.begins(start.call_id, ticket, time.time())
            if self._calls.pass_on(socket, start.call_id, new=new):
                return
            if new:
                self._tickets.use(ticket)
            hello = read_message(line.hello(call_id=start.call_id))
            assert isinstance(hello, Hello)
            tools = phone_tools(self._leaving, start.call_id, self._destinations)
            served = await self._calls.attach_phone(line, hello, new=new, tools=tools)
        except (AttachmentRefused, CallerError) as error:
            code = error.code if isinstance(error, AttachmentRefused) else CloseCode.MALFORMED
            logger.warning("a phone is not attached: {}", error)
            if start is not None and code in _LOST_FOR_GOOD:
                self._leaving.then(start.call_id, Refuse(words=FAILED_WORDS))
            await socket.close(code, str(error)[:100])
            return
        await socket.wait_closed()
        served.transport.detach(line)
        if line.stopped:
            since_s = served.transport.detached_since_s
            loop = asyncio.get_running_loop()
            loop.call_later(STOPPED_S, self._give_up, served, since_s)
        gone = served.ending in (Ending.OVER, Ending.UNBORN)
        if gone and not self._leaving.knows(start.call_id):
            self._leaving.then(start.call_id, HangUp())

    def _give_up(self, served: ServedCall, since_s: float | None) -> None:
        """The call of a stream that was stopped is over, if it was not sent here or elsewhere."""
        if since_s is not None and served.transport.detached_since_s == since_s:
            served.finish(Ending.OVER)


__all__ = ["Phone"]
