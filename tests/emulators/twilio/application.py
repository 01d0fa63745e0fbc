"""An application on the phone, as plain as can be: webhooks by h11, streams by websockets."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import h11
from websockets.asyncio.server import ServerConnection, serve


@dataclass
class Application:
    """Answers each webhook with the next document, and each stream with the next behaviour."""

    documents: list[str | int]
    """TwiML, or a status. `{stream}` stands for the address of streams, `{url}` for its own."""
    behave: Callable[["Stream"], Any] | None = None
    url: str = ""
    stream_url: str = ""
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Path, form and signature of each webhook."""
    streams: list["Stream"] = field(default_factory=list)


class Stream:
    """One Media Stream, from the application's side."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.messages: list[dict[str, Any]] = []

    @property
    def events(self) -> list[str]:
        """What came, without the sound."""
        return [each["event"] for each in self.messages if each["event"] != "media"]

    @property
    def sound(self) -> bytes:
        return b"".join(
            base64.b64decode(each["media"]["payload"])
            for each in self.messages
            if each["event"] == "media"
        )

    async def next(self, event: str) -> dict[str, Any]:
        """Wait for a message of this kind."""
        async for message in self.socket:
            self.messages.append(json.loads(message))
            if self.messages[-1]["event"] == event:
                return self.messages[-1]
        raise AssertionError(f"the stream ended without {event}")

    async def send(self, event: str, **fields: object) -> None:
        sid = next(each["streamSid"] for each in self.messages if each["event"] == "start")
        await self.socket.send(json.dumps({"event": event, "streamSid": sid, **fields}))

    async def play(self, sound: bytes, mark: str = "") -> None:
        await self.send("media", media={"payload": base64.b64encode(sound).decode()})
        if mark:
            await self.send("mark", mark={"name": mark})


@contextlib.asynccontextmanager
async def application(
    *documents: str | int, behave: Callable[[Stream], Any] | None = None
) -> AsyncIterator[Application]:
    """Run one on loopback."""
    app = Application(list(documents), behave)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _answer(app, reader, writer)

    async def stream(socket: ServerConnection) -> None:
        app.streams.append(Stream(socket))
        await app.streams[-1].next("start")
        if app.behave is not None:
            await app.behave(app.streams[-1])

    async with serve(stream, "127.0.0.1", 0) as streams:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            app.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            app.stream_url = f"ws://127.0.0.1:{next(iter(streams.sockets)).getsockname()[1]}/s"
            yield app


async def _answer(
    app: Application, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    peer = h11.Connection(h11.SERVER)
    target, given, body = "", "", b""
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            peer.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            target = event.target.decode()
            given = dict(event.headers)[b"x-twilio-signature"].decode()
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    app.asked.append((target, form, given))
    document = app.documents.pop(0)
    status = document if isinstance(document, int) else 200
    text = "" if isinstance(document, int) else document
    text = text.replace("{stream}", app.stream_url).replace("{url}", app.url)
    head = h11.Response(status_code=status, headers=[("Content-Length", str(len(text.encode())))])
    for part in (head, h11.Data(data=text.encode()), h11.EndOfMessage()):
        writer.write(peer.send(part) or b"")
    await writer.drain()
    writer.close()
