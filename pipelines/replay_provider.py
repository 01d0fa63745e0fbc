"""The provider's side of a captured call, played to whoever runs the call again."""

import asyncio
import contextlib
import http
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from crossfade.observability.capture_file import CapturedCall, Record
from crossfade.observability.divergence import message_of
from crossfade.providers.tap import ConnectionTap, ConnectionTaps, WireDirection

from .replay_services import ReplayedService

PATIENCE_S = 2.0
"""So long the provider waits for a message that the captured call's client had sent by then."""
_AUDIO = "audio"
_NO_CLOSE_FRAME = 1006
_MOST_MISSES = 3
_UNAVAILABLE = 503


class _Line:
    """One connection of the captured call, or one service of a cascade."""

    def __init__(self) -> None:
        self.service: ReplayedService | None = None
        self.socket: ServerConnection | None = None
        self.made = asyncio.Event()
        """Whether the captured call has made it by now."""
        self.open = asyncio.Event()
        self.news = asyncio.Event()
        self.due: Counter[str] = Counter()
        """What the captured client has sent by now: messages by kind, and bytes of audio."""
        self.came: Counter[str] = Counter()
        self.played = 0
        self.delivered = 0
        self.misses = 0

    @property
    def behind(self) -> list[str]:
        """What did not come yet."""
        return [kind for kind, count in self.due.items() if self.came[kind] < count]

    def stir(self) -> None:
        self.news.set()

    def count(self, data: str | bytes, counter: Counter[str]) -> None:
        kind, _ = message_of(data)
        counter[_AUDIO if kind is None else kind] += len(data) if kind is None else 1

    async def until(self, what: str) -> bool:
        """Wait until the client is as far as in the captured call, or has got all; whether it is.

        Who was waited for in vain a few times is not waited for any more.
        """
        if self.misses >= _MOST_MISSES:
            return False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self.behind if what == "sent" else self.delivered < self.played:
                    self.news.clear()
                    await self.news.wait()
                return True
        self.misses += 1
        self.due = Counter({kind: min(n, self.came[kind]) for kind, n in self.due.items()})
        return False


class ReplayProvider:
    """A server on this machine, to which the captured call's connections are made again, in the
    order in which they were dialled.

    It does nothing by itself: whoever conducts the call says what is due. Connections that were
    refused are refused again, and so is one that the captured call did not make.
    """

    def __init__(self, call: CapturedCall) -> None:
        dialled = list(call.of("dialled"))
        self._lines = [_Line() for _ in dialled]
        self._sockets = [
            record.fields["line"] for record in dialled if not record.fields.get("service")
        ]
        self._services: defaultdict[str, deque[Record]] = defaultdict(deque)
        for record in dialled:
            self._services[record.fields.get("service") or ""].append(record)
        answered = {record.fields["line"] for record in call.of("message")}
        self._refused = {
            record.fields["line"]: int(record.fields["code"])
            for record in call.of("closed")
            if record.fields["line"] not in answered
        }
        self._dialled = 0
        self._server: Server | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._admit,
            select_subprotocol=_first,
            compression=None,
            ping_interval=None,
            max_size=None,
            close_timeout=1.0,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self._closing:
            await asyncio.wait(self._closing)

    async def services_made(self) -> None:
        """Wait until the captured call has made as many cascades as this one has, and another."""
        left = self._services["tts"]
        place = self._lines[left[0].fields["line"] - 1] if left else _Line()
        await place.made.wait()

    def made(self, line: int) -> None:
        """The captured call has dialled this line, or made this service."""
        self._lines[line - 1].made.set()

    def service(self, role: str) -> ReplayedService:
        """The next service of a role, in the order in which they were made.

        One more than the captured call had never answers.
        """
        left = self._services[role]
        record = left.popleft() if left else None
        place = _Line() if record is None else self._lines[record.fields["line"] - 1]

        def came(text: str) -> None:
            place.count(text, place.came)
            place.stir()

        name = role if record is None else record.fields["address"]
        segments = record is not None and bool(record.fields.get("in_segments"))
        place.service = ReplayedService(name, in_segments=segments, came=came, ready=place.open.set)
        return place.service

    def expect(self, line: int, data: str | bytes) -> None:
        """The captured call's client sent this now."""
        place = self._lines[line - 1]
        place.count(data, place.due)

    async def play(self, line: int, data: str | bytes) -> None:
        """Send a message, when the client has sent what came before."""
        place = self._lines[line - 1]
        if place.misses < _MOST_MISSES and not await self._opened(place):
            place.misses = _MOST_MISSES
        if place.service is not None:
            await place.until("sent")
            await place.service.answer(str(data))
            return
        if place.socket is None:
            return
        await place.until("sent")
        place.played += 1
        with contextlib.suppress(ConnectionClosed):
            await place.socket.send(data)

    async def delivered(self) -> None:
        """Wait until all that was sent has arrived."""
        for place in self._lines:
            if place.socket is not None and place.socket.state is State.OPEN:
                await place.until("delivered")

    async def hang_up(self, line: int, code: int, reason: str) -> None:
        """Close a connection as the captured call's provider did."""
        place = self._lines[line - 1]
        if place.socket is None:
            return
        await place.until("sent")
        if code == _NO_CLOSE_FRAME:
            place.socket.transport.abort()
            return
        task = asyncio.create_task(place.socket.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def watch(self, tap: ConnectionTaps) -> "WatchedTap":
        """The tap of the session, through which it is seen what has arrived."""
        return WatchedTap(self, tap)

    def arrived(self, line: int) -> None:
        """The client took a message of its connection of this number, services not counted."""
        if line <= len(self._sockets):
            place = self._lines[self._sockets[line - 1] - 1]
            place.delivered += 1
            place.stir()

    async def _opened(self, place: _Line) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await place.open.wait()
        return place.open.is_set()

    def _admit(self, connection: ServerConnection, _: Request) -> Response | None:
        self._dialled += 1
        if self._dialled > len(self._sockets):
            return connection.respond(http.HTTPStatus(_UNAVAILABLE), "not in the capture\n")
        line = self._sockets[self._dialled - 1]
        status = self._refused.get(line)
        if status is None:
            connection.username = str(line)
            return None
        if not status:
            connection.transport.abort()
            status = _UNAVAILABLE
        return connection.respond(http.HTTPStatus(status), "refused in the captured call, too\n")

    async def _serve(self, socket: ServerConnection) -> None:
        place = self._lines[int(socket.username) - 1]
        place.socket = socket
        place.open.set()
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                place.count(_text(message), place.came)
                place.stir()


class WatchedTap:
    """Hands everything on, and tells the provider what has arrived. Implements `ConnectionTaps`."""

    def __init__(self, provider: ReplayProvider, tap: ConnectionTaps) -> None:
        self._provider = provider
        self._tap = tap
        self._lines = 0

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        """A message of no connection in particular."""
        self._tap.message(direction, message)

    def connection(self, address: str) -> ConnectionTap:
        """Listen to the next connection."""
        self._lines += 1
        return _WatchedLine(self._provider, self._lines, self._tap.connection(address))


class _WatchedLine:
    def __init__(self, provider: ReplayProvider, number: int, tap: ConnectionTap) -> None:
        self._provider = provider
        self._number = number
        self._tap = tap

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        self._tap.message(direction, message)
        if direction is WireDirection.RECEIVED:
            self._provider.arrived(self._number)

    def closed(self, code: int, reason: str) -> None:
        self._tap.closed(code, reason)


def _text(message: str | bytes) -> str | bytes:
    """JSON as text, as the capture has it, though it came in a binary message."""
    return message.decode() if isinstance(message, bytes) and message[:1] == b"{" else message


def _first(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[0] if offered else None


__all__ = ["PATIENCE_S", "ReplayProvider", "WatchedTap"]
