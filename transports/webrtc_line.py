"""A browser attached to a call by WebRTC: pipecat's connection, with limits and signs of life."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from aiortc import RTCIceServer
from aiortc.sdp import SessionDescription, candidate_from_sdp
from loguru import logger
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection

from crossfade.errors import CallerError

from .websocket_messages import CloseCode

CONNECT_S = 15
"""How long the way to a browser may be looked for."""
MOST_MESSAGES_A_MINUTE = 300
"""Of a data channel; the page's sign of life each second is one."""
LARGEST_MESSAGE = 64 * 1024
"""Of a data channel, in characters."""
MOST_MEDIA = 6
"""Sections of an offer; pipecat's page has four."""
MOST_CANDIDATES = 64
"""Of a browser's addresses, for each of which packets are sent."""
RTVI_LABEL = "rtvi-ai"
"""Of messages in the words of pipecat's clients."""
_MICROPHONE = 0
_ERROR_CODES = frozenset({CloseCode.FAILED, CloseCode.BUSY, CloseCode.MOVED, CloseCode.TAKEN})


class WebRtcLine:
    """The line of a browser, as the call knows the lines of its clients.

    Args:
        ice_servers: STUN and TURN servers that are asked for the way.
        clock: Seconds, of the loop.
    """

    def __init__(
        self,
        ice_servers: tuple[RTCIceServer, ...] = (),
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.connection = SmallWebRTCConnection(
            ice_servers=list(ice_servers), connection_timeout_secs=CONNECT_S
        )
        self._clock = clock or asyncio.get_running_loop().time
        self.token = ""
        """By which the browser comes back to its call, as it was last told."""
        self.connected = False
        """Whether sound can flow."""
        self.sends_sound = True
        """Whether the browser's microphone is on, as it says."""
        self.alive_at_s = self._clock()
        """When it last sent a word."""
        self.on_hung_up: Callable[[], None] = lambda: None
        """Told that the browser left on purpose."""
        self.on_connected: Callable[[], None] = lambda: None
        """Told that the way to the browser was found."""
        self._lost = self._closing = False
        self._candidates = 0
        self._messages: deque[float] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        for event, handler in (
            ("connected", self._on_connected),
            ("failed", self._on_failed),
            ("closed", self._on_closed),
            ("track-status", self._on_track_status),
        ):
            self.connection.add_event_handler(event, handler)

    # Signalling

    async def answer(self, sdp: str) -> str:
        """Take a browser's first offer, and give the answer.

        Raises:
            CallerError: It is none that can be answered.
        """
        self._check(sdp)
        await self._negotiate(self.connection.initialize(sdp, "offer"))
        self._watch()
        return self._answer()

    async def answer_again(self, sdp: str, *, restart: bool) -> str:
        """Take another offer of the same browser.

        Args:
            sdp: The offer.
            restart: Whether the browser begins anew, because it lost the way to us.

        Raises:
            CallerError: It is none that can be answered.
        """
        self._check(sdp)
        restart = restart or self._lost or not self.is_open
        if restart:
            # The old connection's end is no hanging up.
            self._lost, self.connected = True, False
        await self._negotiate(self.connection.renegotiate(sdp, "offer", restart_pc=restart))
        if restart:
            self._lost, self.alive_at_s = False, self._clock()
            self._watch()
        return self._answer()

    async def add_candidate(self, text: str, mid: str, index: int) -> None:
        """Take one more address of the browser; an empty one ends them.

        Raises:
            CallerError: It is none, or there are too many.
        """
        self._candidates += 1
        if self._candidates > MOST_CANDIDATES:
            raise CallerError("too many candidates")
        try:
            candidate = candidate_from_sdp(text.removeprefix("candidate:")) if text else None
            if candidate is not None:
                candidate.sdpMid, candidate.sdpMLineIndex = mid, index
            await self.connection.add_ice_candidate(candidate)
        except Exception as error:
            raise CallerError("a candidate cannot be used") from error

    def _check(self, sdp: str) -> None:
        self._candidates = sdp.count("\na=candidate:")
        if sdp.count("\nm=") > MOST_MEDIA or self._candidates > MOST_CANDIDATES:
            raise CallerError("the offer has too many sections, or addresses")
        try:
            media = SessionDescription.parse(sdp).media
        except Exception as error:
            raise CallerError("the offer is no session description") from error
        if not media or media[0].kind != "audio":
            raise CallerError("the offer must begin with audio")

    async def _negotiate(self, done: Any) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                await done
        except Exception as error:
            # aiortc raises whatever an offer makes it stumble over.
            logger.debug("an offer cannot be answered: {!r}", error)
            raise CallerError("the offer cannot be answered") from error

    def _answer(self) -> str:
        answer = self.connection.get_answer()
        assert answer is not None
        return str(answer["sdp"])

    # The call's side

    @property
    def is_open(self) -> bool:
        return not self._closing and self.connection.pc.connectionState != "closed"

    def write(self, message: bytes, *, text: bool) -> None:
        """Learn the token for the next attachment; the rest is told by other ways."""
        if text:
            told = orjson.loads(message)
            self.token = told.get("token", self.token)

    def say(self, message: dict[str, Any]) -> None:
        """Send the browser a message; one to a dead line is lost."""
        if not self._closing:
            self.connection.send_app_message(message)

    def deliver_to(self, deliver: Callable[[bytes, bool], None] | None) -> None:
        """Nothing: sound and messages come by pipecat's transport."""

    def close_soon(self, code: int, reason: str = "") -> None:
        if code in _ERROR_CODES:
            error = {"error": reason, "message": reason, "fatal": True}
            self.say({"label": RTVI_LABEL, "type": "error", "data": error})
        self.abort()

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            task = asyncio.create_task(self.connection.disconnect(), name="close a peer connection")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    # The connection's side

    def _watch(self) -> None:
        """Count what comes by the data channels of a connection that is new."""
        self._candidates = 0

        def opened(channel: Any) -> None:
            channel.on("message", self._counted)

        self.connection.pc.on("datachannel", opened)

    def _counted(self, message: str | bytes) -> None:
        now_s = self._clock()
        self.alive_at_s = max(self.alive_at_s, now_s)
        while self._messages and self._messages[0] <= now_s - 60:
            self._messages.popleft()
        self._messages.append(now_s)
        if len(self._messages) > MOST_MESSAGES_A_MINUTE or len(message) > LARGEST_MESSAGE:
            logger.warning("a browser by WebRTC sends too much; its line is closed")
            self.abort()
            self.on_hung_up()

    async def _on_connected(self, _connection: SmallWebRTCConnection) -> None:
        self.connected, self.alive_at_s = True, self._clock()
        self.on_connected()

    async def _on_failed(self, _connection: SmallWebRTCConnection) -> None:
        self._lost, self.connected = True, False

    async def _on_closed(self, _connection: SmallWebRTCConnection) -> None:
        was_connected, self.connected = self.connected, False
        if was_connected and not (self._lost or self._closing):
            self.on_hung_up()

    async def _on_track_status(
        self, _connection: SmallWebRTCConnection, receiver: int, enabled: bool
    ) -> None:
        if receiver == _MICROPHONE:
            self.sends_sound = enabled


__all__ = [
    "CONNECT_S",
    "LARGEST_MESSAGE",
    "MOST_CANDIDATES",
    "MOST_MESSAGES_A_MINUTE",
    "WebRtcLine",
]
