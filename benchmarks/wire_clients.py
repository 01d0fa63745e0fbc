"""The floor and our session, each behind the two verbs that are measured."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

import orjson
import pybase64
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial

from crossfade.providers import (
    AudioChunk,
    RealtimeSession,
    ResponseDone,
    SessionConfig,
    SessionOpened,
    connect,
)

from .wire_server import ANSWER_MESSAGES


class Client(Protocol):
    """One open session."""

    async def hear(self) -> None:
        """Ask for a minute of speech and take all the audio of it."""
        ...

    async def speak(self, pcm: bytes) -> None:
        """Send 20 ms of audio."""
        ...

    async def flush(self) -> None:
        """Return when all that was sent is with the socket."""
        ...


Opener = Callable[[int], AbstractAsyncContextManager[Client]]
"""Opens a session with the service at this port of this machine."""


class _Floor:
    """websockets, orjson and pybase64, and nothing that knows what a session is."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket

    async def _ask(self) -> None:
        await self._websocket.send(b'{"type":"response.create"}', text=True)

    def _audio(self, message: dict[str, Any]) -> str | None:
        if message["type"] != "response.output_audio.delta":
            return None
        delta: str = message["delta"]
        return delta

    def _append(self, audio: bytes) -> bytes:
        return b'{"type":"input_audio_buffer.append","audio":"' + audio + b'"}'

    async def hear(self) -> None:
        await self._ask()
        count = 0
        while count < ANSWER_MESSAGES:
            audio = self._audio(orjson.loads(await self._websocket.recv(decode=False)))
            if audio is not None:
                pybase64.b64decode(audio, validate=True)
                count += 1

    async def speak(self, pcm: bytes) -> None:
        await self._websocket.send(self._append(pybase64.b64encode(pcm)), text=True)

    async def flush(self) -> None:
        """Nothing waits anywhere."""


class _GeminiFloor(_Floor):
    async def _ask(self) -> None:
        await self._websocket.send(b'{"clientContent":{"turnComplete":true}}', text=True)

    def _audio(self, message: dict[str, Any]) -> str | None:
        turn = message.get("serverContent", {}).get("modelTurn")
        if turn is None:
            return None
        audio: str = turn["parts"][0]["inlineData"]["data"]
        return audio

    def _append(self, audio: bytes) -> bytes:
        head = b'{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":"'
        return head + audio + b'"}}}'


@asynccontextmanager
async def floor(port: int) -> AsyncIterator[Client]:
    url = f"ws://127.0.0.1:{port}/openai"
    async with dial(url, compression=None, max_size=None) as websocket:
        await websocket.recv()
        yield _Floor(websocket)


@asynccontextmanager
async def gemini_floor(port: int) -> AsyncIterator[Client]:
    url = f"ws://127.0.0.1:{port}/gemini"
    async with dial(url, compression=None, max_size=None) as websocket:
        await websocket.send(b'{"setup":{}}', text=True)
        await websocket.recv()
        yield _GeminiFloor(websocket)


class _Session:
    """Ours."""

    def __init__(self, session: RealtimeSession) -> None:
        self._session = session

    async def hear(self) -> None:
        await self._session.send_text("Go on.")
        async for event in self._session:
            match event:
                case AudioChunk():
                    pass
                case ResponseDone():
                    return

    async def speak(self, pcm: bytes) -> None:
        self._session.send_audio_nowait(pcm)

    async def flush(self) -> None:
        # Nothing tells that a queue ran empty.
        while self._session.statistics().waiting_messages:  # noqa: ASYNC110
            await asyncio.sleep(0)


def session(spec: str, path: str) -> Opener:
    """A RealtimeSession."""

    @asynccontextmanager
    async def opened(port: int) -> AsyncIterator[Client]:
        url = f"ws://127.0.0.1:{port}/{path}"
        async with connect(spec, SessionConfig(), base_url=url, api_key="none") as session:
            async for event in session:
                if isinstance(event, SessionOpened):
                    break
            yield _Session(session)

    return opened


__all__ = ["Client", "Opener", "floor", "gemini_floor", "session"]
