"""A WebSocket client that sees every frame, and does only what it is told to."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from websockets.frames import Frame, Opcode

from crossfade.emulators.openai import OpenAIEmulator

KEY = base64.b64encode(bytes(16)).decode()


def handshake(emulator: OpenAIEmulator, *headers: str) -> bytes:
    """The request of a WebSocket."""
    lines = [
        "GET /v1/realtime?model=gpt-realtime HTTP/1.1",
        f"Host: 127.0.0.1:{emulator.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
        "Authorization: Bearer sk-test",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One frame of the server."""

    opcode: Opcode
    data: bytes
    at_s: float

    @property
    def event(self) -> dict[str, Any]:
        body: dict[str, Any] = orjson.loads(self.data)
        return body

    @property
    def type(self) -> str:
        """Of its event; else what it is."""
        if self.opcode is not Opcode.TEXT:
            return self.opcode.name
        try:
            return str(self.event["type"])
        except orjson.JSONDecodeError:
            return "no JSON"


class RawClient:
    """One connection. Answers pings only when asked to, and a close never."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.arrived: list[Arrival] = []
        self.bytes_seen = b""
        self.answers_pings = False

    def send(self, opcode: Opcode, data: bytes = b"", *, fin: bool = True) -> None:
        self.writer.write(Frame(opcode, data, fin).serialize(mask=True))

    def say(self, type: str, **fields: Any) -> None:
        self.send(Opcode.TEXT, orjson.dumps({"type": type, **fields}))

    def ask(self, text: str | None = None) -> None:
        """Ask for an answer, to `text` if there is one."""
        if text is not None:
            content = [{"type": "input_text", "text": text}]
            item = {"type": "message", "role": "user", "content": content}
            self.say("conversation.item.create", item=item)
        self.say("response.create")

    async def _exactly(self, size: int) -> bytes:
        data = await self.reader.readexactly(size)
        self.bytes_seen += data
        return data

    async def next(self) -> Arrival:
        """The next frame.

        Raises:
            asyncio.IncompleteReadError: The server has ended the connection.
            ConnectionResetError: The connection was reset.
        """
        first, length = await self._exactly(2)
        if length > 125:
            form, size = ("!H", 2) if length == 126 else ("!Q", 8)
            (length,) = struct.unpack(form, await self._exactly(size))
        data = await self._exactly(length)
        now_s = asyncio.get_running_loop().time()
        arrival = Arrival(opcode=Opcode(first & 0x0F), data=data, at_s=now_s)
        self.arrived.append(arrival)
        if self.answers_pings and arrival.opcode is Opcode.PING:
            self.send(Opcode.PONG, data)
        return arrival

    async def until(self, type: str) -> Arrival:
        while (arrival := await self.next()).type != type:
            pass
        return arrival

    async def close_code(self) -> int:
        """The code of the close that comes."""
        return int.from_bytes((await self.until("CLOSE")).data[:2], "big")

    async def close_reason(self) -> str:
        return (await self.until("CLOSE")).data[2:].decode()

    async def comes_within(self, seconds: float) -> bool:
        """Whether anything comes in this time."""
        try:
            async with asyncio.timeout(seconds):
                await self.next()
        except TimeoutError:
            return False
        return True

    async def ended(self) -> None:
        """Read until the server ends the connection.

        Raises:
            ConnectionResetError: The connection was reset.
        """
        try:
            while True:
                await self.next()
        except asyncio.IncompleteReadError:
            pass

    @property
    def types(self) -> list[str]:
        return [arrival.type for arrival in self.arrived]

    def of(self, type: str) -> list[Arrival]:
        return [arrival for arrival in self.arrived if arrival.type == type]


@asynccontextmanager
async def raw(emulator: OpenAIEmulator, *, opened: bool = True) -> AsyncIterator[RawClient]:
    """A client of a running emulator; its WebSocket is open unless `opened` is False."""
    reader, writer = await asyncio.open_connection("127.0.0.1", emulator.port, limit=2**24)
    client = RawClient(reader, writer)
    try:
        if opened:
            writer.write(handshake(emulator))
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 101 " in head, head
        yield client
    finally:
        writer.transport.abort()
        # The transport tells its end in the next turn of the loop.
        await asyncio.sleep(0)
