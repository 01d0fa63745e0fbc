"""Calls of browsers by WebRTC: the offers that begin them and bring them back."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiortc import RTCIceServer
from loguru import logger
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crossfade.errors import CallerError
from crossfade.observability.redaction import redact
from crossfade.transports.webrtc import WebRtcTransport
from crossfade.transports.webrtc_line import WebRtcLine
from crossfade.transports.websocket_messages import CloseCode, Hello

from .serve_access import Access, shown_in
from .serve_begin import AttachmentRefused
from .serve_call import ServedCall, Setting
from .serve_calls import Calls
from .serve_limits import ClientLimits
from .serve_pages import client_of
from .serve_webrtc_messages import Candidates, Offer, read

BODY_S = 10.0
"""How long the body of a request may take."""
IN_RATE_HZ, OUT_RATE_HZ = 16000, 24000
_STATUS = {
    CloseCode.MALFORMED: 400,
    CloseCode.REFUSED: 403,
    CloseCode.UNKNOWN: 404,
    CloseCode.TIMEOUT: 408,
    CloseCode.TAKEN: 409,
    CloseCode.FAILED: 502,
}
_BUSY_STATUS = 503


@dataclass(slots=True, kw_only=True)
class _Browser:
    """One that is in a call."""

    line: WebRtcLine
    served: ServedCall
    negotiating: asyncio.Lock = field(default_factory=asyncio.Lock)


class Browsers:
    """Answers the offers of browsers.

    What they are given for a name of their connection, `pc_id`, is their call's token: they show
    it when they come back, here or at another server.

    Args:
        calls: What they are attached to.
        access: Who may begin calls.
        limits: How many, of one address.
        ice_servers: By which the way to browsers is found.
        details: Whether they are told of tools and figures.
    """

    def __init__(
        self,
        calls: Calls,
        access: Access,
        limits: ClientLimits,
        *,
        ice_servers: tuple[RTCIceServer, ...] = (),
        details: bool = True,
    ) -> None:
        self._calls = calls
        self._access = access
        self._limits = limits
        self._ice_servers = ice_servers
        self._details = details
        self._adding: set[asyncio.Task[None]] = set()
        calls.peers.on("candidates", self._told_candidates)
        self._browsers: dict[str, _Browser] = {}
        """By each token that they may show."""

    async def offer(self, request: Request) -> Response:
        """An offer of a new browser, or of one that lost its way."""
        try:
            offer = read(Offer, await _body(request))
            browser = self._of(offer.pc_id)
            if browser is not None:
                answer = await self._again(browser, offer)
            else:
                answer = await self._new(request, offer)
        except CallerError as error:
            return _refusal(400, str(error))
        except AttachmentRefused as refusal:
            return _refusal(_STATUS.get(refusal.code, _BUSY_STATUS), str(refusal))
        return JSONResponse(answer)

    async def candidates(self, request: Request) -> Response:
        """More addresses of a browser."""
        try:
            told = read(Candidates, await _body(request))
            browser = self._of(told.pc_id)
            if browser is not None:
                await _add(browser, told)
            elif not self._told_others(told):
                return _refusal(404, "there is no such connection here")
        except CallerError as error:
            return _refusal(400, str(error))
        return JSONResponse({"status": "success"})

    def _told_others(self, told: Candidates) -> bool:
        """Have the worker that has the call told, if there is one."""
        peers, call_id = self._calls.peers, self._calls.call_of(told.pc_id)
        if call_id is None or not peers.holds(call_id):
            return False
        peers.tell("candidates", **told.model_dump())
        return True

    def _told_candidates(self, fields: Mapping[str, Any]) -> None:
        """Another worker was told of more addresses of a browser."""
        told = Candidates(**fields)
        if (browser := self._of(told.pc_id)) is None:
            return

        async def add() -> None:
            with contextlib.suppress(CallerError):
                await _add(browser, told)

        task = asyncio.create_task(add(), name="candidates")
        self._adding.add(task)
        task.add_done_callback(self._adding.discard)

    async def _new(self, request: Request, offer: Offer) -> dict[str, str]:
        """Answer a browser that is not in a call here.

        Raises:
            AttachmentRefused: It may not begin one, or its call cannot go on.
            CallerError: The offer cannot be used.
        """
        client = client_of(request)
        if not self._limits.asks(client, "call"):
            raise AttachmentRefused(
                CloseCode.BUSY, "too many calls from your address; wait a minute"
            )
        if self._calls.draining:
            raise AttachmentRefused(CloseCode.BUSY, "the server ends; try another")
        hello = Hello(input_rate_hz=IN_RATE_HZ, output_rate_hz=OUT_RATE_HZ, token=offer.pc_id)
        if offer.pc_id is None:
            ticket = request.path_params.get("ticket")
            shown = ticket or shown_in(request.headers.get("authorization"))
            if not self._access.admits(shown, time.time()):
                raise AttachmentRefused(
                    CloseCode.REFUSED, "the server's access token is needed to begin a call"
                )
        elif self._calls.call_of(offer.pc_id) is None:
            # A connection costs much to make, also for who has no right to one.
            raise AttachmentRefused(CloseCode.REFUSED, "the call's token is refused; begin anew")
        line = WebRtcLine(self._ice_servers)
        try:
            sdp = await line.answer(offer.sdp)
            made = partial(_transport, line, self._details)
            served = await self._calls.attach(line, hello, client=client, make=made)
            if not isinstance(served.transport, WebRtcTransport):
                served.transport.detach(line)
                raise AttachmentRefused(CloseCode.REFUSED, "the call is none by WebRTC")
        except BaseException:
            line.abort()
            raise
        return self._told(_Browser(line=line, served=served), sdp)

    async def _again(self, browser: _Browser, offer: Offer) -> dict[str, str]:
        """Answer a browser whose call runs here.

        Raises:
            AttachmentRefused: The call is just over.
            CallerError: The offer cannot be used.
        """
        line, transport = browser.line, browser.served.transport
        assert isinstance(transport, WebRtcTransport)
        async with browser.negotiating:
            restart = bool(offer.restart_pc)
            if restart:
                await self._calls.attach(line, Hello(token=line.token))
                logger.info("call {}: its browser comes by another way", browser.served.call_id)
            sdp = await transport.answer_again(offer.sdp, restart=restart)
        # Who shows a token has no use for older ones.
        for token in [t for t, each in self._browsers.items() if each is browser]:
            if token != offer.pc_id:
                del self._browsers[token]
        return self._told(browser, sdp)

    def _told(self, browser: _Browser, sdp: str) -> dict[str, str]:
        self._browsers[browser.line.token] = browser
        return {"sdp": sdp, "type": "answer", "pc_id": browser.line.token}

    def _of(self, token: str | None) -> _Browser | None:
        """Whose token it is; calls that are over are forgotten."""
        self._browsers = {
            token: each
            for token, each in self._browsers.items()
            if self._calls.served(each.served.call_id) is each.served
        }
        return None if token is None else self._browsers.get(token)


async def _add(browser: _Browser, told: Candidates) -> None:
    for each in told.candidates:
        await browser.line.add_candidate(
            each.candidate, each.sdp_mid or "", each.sdp_mline_index or 0
        )


def _transport(line: WebRtcLine, details: bool, setting: Setting, _unsure: Any) -> WebRtcTransport:
    return WebRtcTransport(
        line,
        in_rate_hz=setting.in_rate_hz,
        out_rate_hz=setting.out_rate_hz,
        received_samples=setting.received_samples,
        heard_again=setting.heard_again,
        details=details,
        shown=partial(redact, content=True),
    )


async def _body(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException(408, "the request took too long") from error


def _refusal(status: int, why: str) -> Response:
    """As pipecat's client reads it."""
    return JSONResponse({"info": why}, status_code=status)


__all__ = ["BODY_S", "IN_RATE_HZ", "OUT_RATE_HZ", "Browsers"]
