"""The server's end of a client's WebSocket: messages by plain calls, written at once."""

import asyncio
import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, cast

from loguru import logger
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from crossfade.providers.websocket_frames import FrameCutter, plain_frame

from .message_rate import MessageRate
from .websocket_messages import LARGEST_MESSAGE_BYTES, CloseCode

MOST_UNREAD_BYTES = 4 * LARGEST_MESSAGE_BYTES
"""What may wait before the call takes it; the line of a client that sends more is closed."""
MOST_UNREAD_MESSAGES = 4096
"""As many, however short they are."""
MOST_PARTS_A_SECOND, MOST_PARTS_AT_ONCE = 500, 2000
"""Of parts of messages, and of signs of life; the line of a client that sends more is closed."""
MOST_UNSENT_BYTES = 256 * 1024
"""What may wait for a client that does not read; its line is closed then, and it re-attaches."""
OPEN_S = 5.0
"""How long the handshake may take."""
PING_S = 5.0
"""How often a client is asked for a sign of life; one that gives none until the next is dropped."""
CLOSE_S = 1.0
LONGEST_REASON_BYTES = 123
"""Of a close (RFC 6455, 5.5); what is beyond is cut off."""
RETRY_AFTER_S = 5
"""When a client that is told that the server is busy may ask again."""
_INTERNAL_ERROR = 1011
_END_OF_HEAD = b"\r\n\r\n"
_DATA = frozenset((Opcode.TEXT, Opcode.BINARY, Opcode.CONT))

# At DEBUG the library logs what is said, and tokens with it.
_websocket_logger = logging.getLogger(f"{__name__}.websocket")
_websocket_logger.setLevel(logging.WARNING)

Message = tuple[bytes, bool]
"""What came, and whether it is text."""
Refusal = tuple[HTTPStatus, str]


class ClientSocket(asyncio.Protocol):
    """One connection, for `loop.create_server` or any HTTP server that hands upgrades on.

    Its first messages come by `first`, all others by the function given to `deliver_to`, within
    the turn of the loop in which they arrive.

    Args:
        opened: Awaited when the WebSocket is open; the line is closed with an error if it raises.
        refuse: Looks at the request before; gives why it is refused, or None.
    """

    def __init__(
        self,
        opened: Callable[["ClientSocket"], Coroutine[Any, Any, None]],
        *,
        refuse: Callable[[Request], Refusal | None] = lambda request: None,
    ) -> None:
        self.request: Request | None = None
        """What asked for the WebSocket; None before."""
        self._client = ""
        self._opened = opened
        self._refuse = refuse
        self._protocol = ServerProtocol(max_size=LARGEST_MESSAGE_BYTES, logger=_websocket_logger)
        self._transport: asyncio.Transport | None = None
        self._head_tail = b""
        self._frames = FrameCutter(LARGEST_MESSAGE_BYTES, masked=True)
        self._messages: deque[Message] = deque()
        self._unread_bytes = 0
        self._parts = MessageRate(a_second=MOST_PARTS_A_SECOND, at_once=MOST_PARTS_AT_ONCE)
        self._fragments = bytearray()
        self._text = False
        """Whether the fragments are."""
        self._came = asyncio.Event()
        self._gone = asyncio.Event()
        self._deliver: Callable[[bytes, bool], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pinged = False
        self._closing = False
        self._handling: asyncio.Task[None] | None = None
        self._so_far: bytearray | None = bytearray()
        """All that came, until a call takes the messages or it is too much; None then."""
        self._replayed = b""

    # What the call uses

    @property
    def is_open(self) -> bool:
        """Whether anybody may still hear what is written."""
        return self._protocol.state is State.OPEN and not self._gone.is_set()

    @property
    def client(self) -> str:
        """The address of who connected; empty if it is not known."""
        return self._client

    async def first(self, timeout_s: float) -> Message | None:
        """The next message; None if none came in time, or the line died. May be asked again."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._came.wait()
        except TimeoutError:
            return None
        message = self._take() if self._messages else None
        if not self._messages and not self._gone.is_set():
            self._came.clear()
        return message

    @property
    def given(self) -> bool:
        """Whether another process gave the line away to this one."""
        return bool(self._replayed)

    def give_away(self) -> tuple[socket.socket, bytes] | None:
        """Let another process have the line, before a call takes its messages; here it is dead.

        Returns:
            The connection, and all that came over it, for `replay` there; None if it cannot be:
            it is encrypted, too much came, or something is still to be sent.
        """
        transport, came = self._transport, self._so_far
        if transport is None or came is None or not self.is_open:
            return None
        if transport.get_extra_info("ssl_object") or transport.get_write_buffer_size():
            return None
        transport.pause_reading()
        line = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        # Nobody hangs up: the other process has the connection open.
        transport.abort()
        return line, bytes(came)

    def replay(self, came: bytes) -> None:
        """Take a line that another process gave away, before it is connected.

        Args:
            came: All that came there. What is to be answered was answered there.
        """
        self._replayed = came

    def deliver_to(self, deliver: Callable[[bytes, bool], None] | None) -> None:
        """Have each message given to a function, with whether it is text; None drops them."""
        self._so_far = None
        self._deliver = deliver or _drop
        while self._messages:
            self._deliver(*self._take())

    def write(self, message: bytes, *, text: bool) -> None:
        """Send a message; one to a dead line, or to a client that does not read, is lost."""
        transport = self._transport
        if transport is None or self._protocol.state is not State.OPEN or transport.is_closing():
            return
        # No extension is ever agreed upon, and no message is cut: the frame is plain.
        transport.write(plain_frame(message, text=text))
        _cut_if_unread(transport)

    def close_soon(self, code: int, reason: str = "") -> None:
        """Close the line, without waiting for the client's word."""
        if self._protocol.state is State.OPEN:
            short = reason.encode()[:LONGEST_REASON_BYTES].decode(errors="ignore")
            self._protocol.send_close(code, short)
            self._flush()

    async def close(self, code: int, reason: str = "") -> None:
        """Close the line, and wait until it is."""
        self.close_soon(code, reason)
        await self.wait_closed()

    def abort(self) -> None:
        """Cut the line without a word."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Wait for its end."""
        await self._gone.wait()

    # The event loop's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Those of uvloop are of no class of asyncio's.
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, tuple) else ""
        self._after(OPEN_S, transport.abort)
        if self._replayed:
            self._take_bytes(self._replayed)
            self._protocol.data_to_send()

    def data_received(self, data: bytes) -> None:
        if self._take_bytes(data):
            self._flush()

    def _take_bytes(self, data: bytes) -> bool:
        """Take what came; whether the library has had any of it, and may answer."""
        if self._so_far is not None:
            self._so_far += data
            if len(self._so_far) > MOST_UNREAD_BYTES:
                # Too much to be given away: the line is answered here.
                self._so_far = None
        asked = False
        if self._protocol.state is State.CONNECTING:
            data, asked = self._shake_hands(data), True
        for text, cut in self._frames.cut(data):
            if text is None:
                asked = True
                self._take_part(cut)
            elif self._protocol.state is State.OPEN:
                self._receive(cut, text)
        return asked

    def _take_part(self, data: bytes) -> None:
        """Take what is no whole message; of too much nothing is read."""
        if self._parts.passes(asyncio.get_running_loop().time()):
            self._ask(data)
        else:
            self._send_away("too many pings, or parts of messages")

    def _shake_hands(self, data: bytes) -> bytes:
        """Let the library read the request; gives what has come behind it, if it was granted."""
        head = self._head_tail + data
        end = head.find(_END_OF_HEAD)
        behind = len(data) if end < 0 else end + len(_END_OF_HEAD) - len(self._head_tail)
        self._head_tail = head[1 - len(_END_OF_HEAD) :]
        self._ask(data[:behind])
        if self._protocol.state is State.OPEN:
            return data[behind:]
        if behind < len(data):
            self._ask(data[behind:])
        return b""

    def _ask(self, data: bytes) -> None:
        """Let the library read what is out of the ordinary."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._process(event)

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._after(None)
        self._transport = None
        self._protocol.receive_eof()
        self._came.set()
        self._gone.set()

    def _process(self, event: Event) -> None:
        if isinstance(event, Request):
            self._answer(event)
        elif isinstance(event, Frame):
            if event.opcode in _DATA:
                self._take_frame(event)
            elif event.opcode is Opcode.PONG:
                self._pinged = False

    def _answer(self, request: Request) -> None:
        self.request = request
        refusal = self._refuse(request)
        response: Response
        if refusal is not None:
            response = self._protocol.reject(*refusal)
            if refusal[0] is HTTPStatus.SERVICE_UNAVAILABLE:
                response.headers["Retry-After"] = str(RETRY_AFTER_S)
        else:
            response = self._protocol.accept(request)
        self._protocol.send_response(response)
        if self._protocol.state is State.OPEN:
            self._after(PING_S, self._ping)
            self._handling = asyncio.create_task(self._handle(), name="client")

    async def _handle(self) -> None:
        try:
            await self._opened(self)
        except Exception:
            logger.exception("a client's line ends by an error of the server")
            self.close_soon(_INTERNAL_ERROR, "the server failed")

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        # How long a message may become in all is checked by the protocol.
        if frame.fin and frame.opcode is not Opcode.CONT:
            self._receive(bytes(frame.data), self._text)
            return
        self._fragments += frame.data
        if frame.fin:
            message = bytes(self._fragments)
            self._fragments.clear()
            self._receive(message, self._text)

    def _receive(self, message: bytes, text: bool) -> None:
        if self._deliver is not None:
            self._deliver(message, text)
            return
        self._messages.append((message, text))
        self._unread_bytes += len(message)
        self._came.set()
        if self._unread_bytes > MOST_UNREAD_BYTES or len(self._messages) > MOST_UNREAD_MESSAGES:
            self._messages.clear()
            self._send_away("too much before the call was ready")

    def _send_away(self, reason: str) -> None:
        self.deliver_to(None)
        self.close_soon(CloseCode.MALFORMED, reason)

    def _take(self) -> Message:
        message = self._messages.popleft()
        self._unread_bytes -= len(message[0])
        return message

    def _flush(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()
        # What answers pings is not read by everybody who sends them.
        _cut_if_unread(transport)
        if self._protocol.close_expected() and not self._closing:
            # Once: who goes on sending does not put it off.
            self._closing = True
            self._after(CLOSE_S, transport.abort)

    def _ping(self) -> None:
        assert self._transport is not None
        # A line that is closing and hangs is cut as well.
        if self._pinged or self._protocol.state is not State.OPEN:
            self._transport.abort()
            return
        self._pinged = True
        self._protocol.send_ping(b"")
        self._flush()
        self._after(PING_S, self._ping)

    def _after(self, delay_s: float | None, do: Callable[[], object] = lambda: None) -> None:
        """The one timer: another takes its place, None stops it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if delay_s is not None:
            self._timer = asyncio.get_running_loop().call_later(delay_s, do)


def _cut_if_unread(transport: asyncio.Transport) -> None:
    if transport.get_write_buffer_size() > MOST_UNSENT_BYTES:
        transport.abort()


def _drop(message: bytes, text: bool) -> None:
    """Nobody wants it."""


__all__ = ["RETRY_AFTER_S", "ClientSocket", "Refusal"]
