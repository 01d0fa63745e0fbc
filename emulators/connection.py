"""One client's TCP connection: HTTP or WebSocket on the same port, with the network's faults.

WebSocket is spoken by websockets' Sans-I/O protocol, so that pings, pongs and the TCP connection
are in our hands: https://websockets.readthedocs.io/en/stable/howto/sansio.html
"""

import asyncio
import socket
import struct
from http import HTTPStatus
from typing import Protocol, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from .http import HttpExchange, HttpService
from .message import Message

ROOM_BYTES = 256 * 1024
"""Speech waits while more than this is unsent; everything else is sent at once."""
UNSENT_LIMIT_BYTES = 16 * 1024 * 1024
"""A client that has left this much unread is disconnected."""
HANDSHAKE_S = 10
CLOSE_S = 5
PONG_S = 20
_NOT_TEXT = 1007
_GOING_DEAD = 1011
# A WebSocket's request begins so; the REST calls are all of other methods.
_GET = b"GET "
# The first byte of an unfragmented pong from a server.
_PONG_HEAD = 0x8A


class Refusal(Exception):
    """The request is refused by HTTP, before it is a WebSocket.

    Args:
        status: Of the response.
        text: Its body.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Listener(Protocol):
    """Who hears what comes over a connection."""

    def opened(self) -> None:
        """The WebSocket is open; messages may be sent."""

    def receive(self, message: str | bytes) -> None:
        """The client sent a message."""

    def roomy(self) -> None:
        """More speech may follow: little is unsent now."""

    def closed(self) -> None:
        """The connection is gone."""


class Reception(HttpService, Protocol):
    """The server, as a connection sees it."""

    ping_interval_s: float | None
    max_message_bytes: int

    def protocol(self) -> ServerProtocol:
        """The WebSocket protocol of a new connection."""

    def admit(self, connection: "Connection", request: Request) -> Listener:
        """Who shall hear the connection that this request opens.

        Raises:
            Refusal: Nobody shall.
        """

    def made(self, connection: "Connection") -> None:
        """The connection is there."""

    def left(self, connection: "Connection") -> None:
        """The connection is gone."""


class Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        reception: The server.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._loop = asyncio.get_running_loop()
        self._protocol = reception.protocol()
        self._http = HttpExchange(reception)
        self._is_websocket: bool | None = None
        self._head = b""
        self._listener: Listener | None = None
        self._fragments: list[bytes] = []
        self._kind = Opcode.TEXT
        self._flushing = False
        self._writable = True
        self._dead = False
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone."""
        self._ping: asyncio.TimerHandle | None = None
        self._pong_awaited: bytes | None = None
        self._pong_delay_s: float | None = 0.0
        self._given_up = self._loop.call_later(HANDSHAKE_S, self.abort)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=ROOM_BYTES, low=ROOM_BYTES // 2)
        self._reception.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._given_up.cancel()
        if self._ping is not None:
            self._ping.cancel()
        self._dead = True
        self.gone.set_result(None)
        self._reception.left(self)
        if self._listener is not None:
            self._listener.closed()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._listener is not None:
            self._listener.roomy()

    @property
    def has_room(self) -> bool:
        """Whether little enough is unsent that more speech may follow."""
        return self._writable or self._dead

    def data_received(self, data: bytes) -> None:
        if self._is_websocket is None:
            self._head += data
            if len(self._head) < len(_GET):
                return
            self._is_websocket = self._head.startswith(_GET)
            data, self._head = self._head, b""
        if self._is_websocket:
            self._protocol.receive_data(data)
            self._react()
        else:
            self._converse(data)

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._react()

    def _converse(self, data: bytes) -> None:
        answer = self._http.receive(data)
        if answer is not None:
            self._transport.write(answer)
            self._transport.close()

    def _react(self) -> None:
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._open(event)
            else:
                self._hear(cast(Frame, event))
        self._flush()

    def _open(self, request: Request) -> None:
        listener = None
        try:
            listener = self._reception.admit(self, request)
        except Refusal as refusal:
            response = self._protocol.reject(HTTPStatus(refusal.status), refusal.text)
        else:
            response = self._protocol.accept(request)
        self._protocol.send_response(response)
        self._flush()
        if self._protocol.state is not State.OPEN or listener is None:
            return
        self._given_up.cancel()
        self._listener = listener
        if self._reception.ping_interval_s is not None:
            self._ping = self._loop.call_later(self._reception.ping_interval_s, self._send_ping)
        listener.opened()

    def _hear(self, frame: Frame) -> None:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._kind = frame.opcode
        elif frame.opcode is Opcode.PONG:
            if bytes(frame.data) == self._pong_awaited:
                self._pong_awaited = None
            return
        elif frame.opcode is not Opcode.CONT:
            return
        if not frame.fin:
            self._fragments.append(bytes(frame.data))
            return
        data = bytes(frame.data)
        if self._fragments:
            data = b"".join((*self._fragments, data))
            self._fragments.clear()
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        assert self._listener is not None, "frames come after the handshake"
        if self._kind is Opcode.BINARY:
            self._listener.receive(data)
            return
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._protocol.fail(_NOT_TEXT, "a text message was no UTF-8")
        else:
            self._listener.receive(text)

    def send(self, message: Message) -> None:
        """Send a message, with what else is sent in this turn of the loop.

        A client that leaves `UNSENT_LIMIT_BYTES` unread is disconnected.
        """
        if self._protocol.state is not State.OPEN or self._dead:
            return
        if message.binary:
            self._protocol.send_binary(message.data)
        else:
            self._protocol.send_text(message.data)
        self._flush_soon()

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket behind all that was sent."""
        if self._protocol.state is State.OPEN and not self._dead:
            self._protocol.send_close(code, reason)
            self._flush()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def reset(self) -> None:
        """Drop the connection with a TCP RST."""
        self._flush()
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def go_dead(self) -> None:
        """Read, send and close nothing from now on."""
        self._flush()
        self._dead = True
        self._transport.pause_reading()

    def delay_pongs(self, seconds: float | None) -> None:
        """Answer pings late from now on; None is never."""
        self._pong_delay_s = seconds

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._dead:
            self._protocol.data_to_send()
            return
        out = self._protocol.data_to_send()
        if self._pong_delay_s != 0.0:
            out = [data for data in out if not self._held_back(data)]
        if out:
            ends = not out[-1]
            self._transport.write(b"".join(out))
            if ends:
                self._end()
        if self._transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            self._dead = True
            self._transport.abort()
        elif self._protocol.close_expected():
            self._given_up.cancel()
            self._given_up = self._loop.call_later(CLOSE_S, self.abort)

    def _end(self) -> None:
        """The protocol has nothing more to say."""
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.close()

    def _held_back(self, data: bytes) -> bool:
        """Whether this is a pong that is not to go out now."""
        if not data or data[0] != _PONG_HEAD:
            return False
        if self._pong_delay_s is not None:
            self._loop.call_later(self._pong_delay_s, self._write_late, data)
        return True

    def _write_late(self, data: bytes) -> None:
        if not self._dead and self._protocol.state is State.OPEN:
            self._transport.write(data)

    def _send_ping(self) -> None:
        assert self._reception.ping_interval_s is not None
        self._pong_awaited = struct.pack("!d", self._loop.time())
        self._protocol.send_ping(self._pong_awaited)
        self._flush()
        self._ping = self._loop.call_later(PONG_S, self._check_pong)

    def _check_pong(self) -> None:
        assert self._reception.ping_interval_s is not None
        if self._pong_awaited is not None:
            self._protocol.fail(_GOING_DEAD, "keepalive ping timeout")
            self._flush()
            return
        wait_s = max(0.0, self._reception.ping_interval_s - PONG_S)
        self._ping = self._loop.call_later(wait_s, self._send_ping)
