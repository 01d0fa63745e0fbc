"""One client's TCP connection: HTTP or WebSocket on the same port, with the network's faults.

WebSocket is spoken by websockets' Sans-I/O protocol, so that pings, pongs and the TCP connection
are in our hands: https://websockets.readthedocs.io/en/stable/howto/sansio.html
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from .framing import bounds, server_frame, whole_message
from .http_exchange import HttpExchange, HttpRequest, HttpService
from .message import Message
from .pings import LatePongs, Pings

ROOM_BYTES = 256 * 1024
"""Speech waits while more than this is unsent; everything else is sent at once."""
UNSENT_LIMIT_BYTES = 16 * 1024 * 1024
"""A client that has left this much unread is disconnected."""
HEAD_LIMIT_BYTES = 64 * 1024
"""Of a request."""
HANDSHAKE_S = 10.0
"""A client that has made no request by then is disconnected."""
CLOSE_S = 5.0
"""So long a client may take to end a connection that is being closed."""
_NOT_TEXT = 1007
_GOING_DEAD = 1011
_REASON_LIMIT_BYTES = 123
# A WebSocket's request begins so; most of the REST calls are of other methods.
_GET = b"GET "
_HEAD_END = b"\r\n\r\n"
# A client that floods gets so much done, or for so long, then it is the others' turn.
_FRAMES_A_TURN = 16
_TURN_S = 0.002
# All connections read through one page: what is in it is taken before the loop goes on.
_PAGE = memoryview(bytearray(4096))


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

    def failed(self, error: BaseException) -> None:
        """The emulator itself has failed; the connection ends."""


class Connection(asyncio.BufferedProtocol):
    """One client's connection.

    Args:
        reception: The server.
    """

    def __init__(self, reception: Reception) -> None:
        self._reception = reception
        self._loop = asyncio.get_running_loop()
        self._protocol = reception.protocol()
        self._take: Callable[[bytes], None] = self._recognise
        self._head = b""
        self._http = HttpExchange(reception)
        self._listener: Listener | None = None
        self._longest_bytes = reception.max_message_bytes
        self._unread = bytearray()
        self._fragments = bytearray()
        self._joining = False
        self._is_binary = False
        self._congested = False
        self._flushing = False
        self._writable = True
        self._ending = False
        self._ended = False
        self._dead = False
        self._given_up: asyncio.TimerHandle | None = None
        self._pings = Pings(reception.ping_interval_s, self._send_ping, self._give_up)
        self._pongs = LatePongs(self._write)
        self.gone: asyncio.Future[None] = self._loop.create_future()
        """Done when the connection is gone."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=ROOM_BYTES, low=ROOM_BYTES // 2)
        self._given_up = self._loop.call_later(HANDSHAKE_S, self.abort)
        self._reception.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._dead = True
        self._unread.clear()
        self._pings.stop()
        self._pongs.stop()
        if self._given_up is not None:
            self._given_up.cancel()
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

    def get_buffer(self, sizehint: int) -> memoryview:
        return _PAGE

    def buffer_updated(self, nbytes: int) -> None:
        if self._dead:
            return
        try:
            self._take(bytes(_PAGE[:nbytes]))
        except Exception as error:
            self._fail(error)

    def eof_received(self) -> None:
        # The transport closes itself behind what is unsent.
        if self._dead:
            self._transport.abort()
            return
        if self._take == self._take_frames:
            self._protocol.receive_eof()
        self._expect_end()

    def _fail(self, error: Exception) -> None:
        self._reception.failed(error)
        self.abort()

    def _recognise(self, data: bytes) -> None:
        self._head += data
        if len(self._head) < len(_GET):
            return
        if not self._head.startswith(_GET):
            self._take = self._take_http
            self._take_http(self._head)
            return
        head, end, rest = self._head.partition(_HEAD_END)
        if end:
            self._take = self._take_frames
            self._give_protocol(head + end)
            self._take_frames(rest)
        elif len(self._head) > HEAD_LIMIT_BYTES:
            self._take = self._ignore
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._protocol.send_response(self._protocol.reject(status, "too much of a head\n"))
            self._flush()

    def _take_http(self, data: bytes) -> None:
        answer = self._http.receive(data)
        if answer is not None:
            self._answer(answer)

    def _answer(self, response: bytes) -> None:
        """Answer by HTTP and end."""
        self._take = self._ignore
        self._transport.write(response)
        self._end()

    def _ignore(self, data: bytes) -> None:
        """What comes after the end is nothing to us."""

    def _take_frames(self, data: bytes) -> None:
        if not (self._unread or self._joining) and self._take_sole(data):
            return
        self._unread += data
        if not self._congested:
            self._proceed()

    def _take_sole(self, data: bytes) -> bool:
        """Handle what came, if it is one whole message: so most of them come."""
        found = bounds(data)
        if found is None or found[1] != len(data) or self._protocol.state is not State.OPEN:
            return False
        message = whole_message(data, *found)
        if message is None or len(data) > self._longest_bytes:
            return False
        self._deliver(*message)
        if self._protocol.writes:
            self._flush()
        return True

    def _proceed(self) -> None:
        """Handle what has come, not so much at once that others would have to wait."""
        until_s, taken = self._loop.time() + _TURN_S, 0
        while not self._dead and self._take_frame():
            taken += 1
            if taken == _FRAMES_A_TURN or self._loop.time() > until_s:
                self._congested = True
                self._transport.pause_reading()
                self._loop.call_soon(self._go_on)
                break
        if self._protocol.writes:
            self._flush()

    def _go_on(self) -> None:
        self._congested = False
        # Also of a line that is dead: it must see its client go.
        self._transport.resume_reading()
        if self._dead:
            return
        try:
            self._proceed()
        except Exception as error:
            self._fail(error)

    def _take_frame(self) -> bool:
        """Handle the next frame, if it is all there."""
        unread = self._unread
        found = bounds(unread)
        if found is None:
            return False
        start, end = found
        if self._protocol.state is not State.OPEN or end - start > self._longest_bytes:
            # Nothing more is heard, or ever will be: what comes is the protocol's matter.
            self._unread = bytearray()
            self._give_protocol(bytes(unread))
            return False
        if len(unread) < end:
            return False
        message = None if self._joining else whole_message(unread, start, end)
        if message is None:
            self._give_protocol(bytes(unread[:end]))
        else:
            self._deliver(*message)
        del unread[:end]
        return True

    def _give_protocol(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._hear(event)

    def _open(self, request: Request) -> None:
        response = self._protocol.accept(request)
        if response.status_code == HTTPStatus.UPGRADE_REQUIRED:
            headers = {name.lower(): value for name, value in request.headers.raw_items()}
            plain = HttpRequest(method="GET", path=request.path, headers=headers, body=b"")
            self._answer(self._reception.respond(plain).encoded())
            return
        listener = None
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            try:
                listener = self._reception.admit(self, request)
            except Refusal as refusal:
                response = self._protocol.reject(HTTPStatus(refusal.status), refusal.text)
        self._protocol.send_response(response)
        self._flush()
        if listener is not None:
            self._listener = listener
            if self._given_up is not None:
                self._given_up.cancel()
            self._pings.start()
            listener.opened()

    def _hear(self, frame: Frame) -> None:
        if frame.opcode is Opcode.PONG:
            self._pings.answered(bytes(frame.data))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._join(frame)

    def _join(self, frame: Frame) -> None:
        """Take a part of a message; the protocol has seen to their order and size."""
        if frame.opcode is not Opcode.CONT:
            self._is_binary = frame.opcode is Opcode.BINARY
        self._fragments += frame.data
        self._joining = not frame.fin
        if frame.fin:
            whole, self._fragments = bytes(self._fragments), bytearray()
            self._deliver(whole, self._is_binary)

    def _deliver(self, content: bytes, is_binary: bool) -> None:
        if self._listener is None or self._protocol.state is not State.OPEN:
            return
        if is_binary:
            self._listener.receive(content)
            return
        try:
            text = content.decode()
        except UnicodeDecodeError:
            self._protocol.fail(_NOT_TEXT, "a text message was no UTF-8")
        else:
            self._listener.receive(text)

    def send(self, message: Message, *, at_once: bool = False) -> None:
        """Send a message, with what else is sent in this turn of the loop.

        A client that leaves `UNSENT_LIMIT_BYTES` unread is disconnected.

        Args:
            message: What is sent.
            at_once: Nothing follows in this turn: spare the loop a turn of its own for the writing.
        """
        if self._protocol.state is not State.OPEN or self._dead:
            return
        # Between the frames of the protocol's own making.
        self._protocol.writes.append(server_frame(message.data, binary=message.binary))
        if at_once:
            self._flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def close(self, code: int, reason: str) -> None:
        """Close the WebSocket behind all that was sent; a reason is cut to what fits."""
        if self._protocol.state is State.OPEN and not self._dead:
            fitting = reason.encode()[:_REASON_LIMIT_BYTES].decode(errors="ignore")
            self._protocol.send_close(code, fitting)
            self._flush()

    def drop(self) -> None:
        """End the TCP connection behind all that was sent, without closing the WebSocket."""
        if not self._dead:
            self._flush()
            self._take = self._ignore
            self._end()

    def abort(self) -> None:
        """Drop the connection."""
        self._dead = True
        self._transport.abort()

    def reset(self) -> None:
        """Drop the connection with a TCP RST."""
        self._flush()
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def go_dead(self) -> None:
        """Hear, send and close nothing from now on, until the client itself has gone."""
        self._flush()
        self._dead = True

    def delay_pongs(self, seconds: float | None) -> None:
        """Answer pings late from now on; None is never."""
        self._pongs.delay_s = seconds

    def _flush(self) -> None:
        self._flushing = False
        out = self._protocol.data_to_send()
        if self._dead or self._ended:
            return
        if self._pongs.delay_s != 0.0:
            out = self._pongs.without_pongs(out)
        if out:
            self._write(b"".join(out))
            if not out[-1]:
                self._end()
        if self._protocol.state is State.CLOSING:
            self._expect_end()

    def _write(self, data: bytes) -> None:
        if self._dead or self._ended:
            return
        self._transport.write(data)
        if not self._writable and self._transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            self.abort()

    def _end(self) -> None:
        """Nothing more will be written: end our side, and let the client end its own.

        To close at once would reset the connection of a client that still sends, and it would
        lose what it has not read.
        """
        self._ended = True
        if self._transport.can_write_eof():
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        else:
            self._transport.close()
        self._expect_end()

    def _expect_end(self) -> None:
        """The connection ends within `CLOSE_S`, however busy the client is."""
        if not self._ending:
            self._ending = True
            self._pings.stop()
            if self._given_up is not None:
                self._given_up.cancel()
            self._given_up = self._loop.call_later(CLOSE_S, self.abort)

    def _send_ping(self, payload: bytes) -> None:
        if self._protocol.state is State.OPEN:
            self._protocol.send_ping(payload)
            self._flush()

    def _give_up(self) -> None:
        self._protocol.fail(_GOING_DEAD, "keepalive ping timeout")
        self._flush()
