"""A Moshi server without a model: it listens, and answers what was said once it is quiet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.asyncio.server import ServerConnection, serve

from crossfade.audio.pcm import to_float
from tests.providers.moshi_frames import (
    FRAME_SAMPLES,
    PYTHON_HANDSHAKE,
    RATE_HZ,
    audio,
    silence,
    speech,
    text,
)

sphn = pytest.importorskip("sphn")

# It answers after four quiet frames, by twelve frames with a piece of a word on each of the first.
_QUIET_FRAMES = 4
_ANSWER_FRAMES = 12
_PIECES = (" I", " hear", " yo", "u", ".")


@dataclass(slots=True, kw_only=True)
class MoshiServer:
    """One server, and what it heard."""

    handshake: bytes = PYTHON_HANDSHAKE
    busy: bool = False
    """It serves another session and lets this one wait for its handshake."""
    greets: bool = False
    """It speaks before anybody else does."""
    steps: int | None = None
    """It ends a session after so many frames."""
    first_messages: list[bytes] = field(default_factory=list)
    """What it sends to a new connection, before anything else."""
    heard: list[NDArray[np.float32]] = field(default_factory=list)
    """The frames it listened to: all but the first of a connection."""
    received: list[bytes | str] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    async def handle(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.queries.append(websocket.request.path)
        for message in self.first_messages:
            await websocket.send(message)
        if self.busy:
            self.received += [message async for message in websocket]
            return
        await websocket.send(self.handshake)
        await self._converse(websocket)

    async def _converse(self, websocket: ServerConnection) -> None:
        reader, writer = sphn.OpusStreamReader(RATE_HZ), sphn.OpusStreamWriter(RATE_HZ)
        pending = np.zeros(0, np.float32)
        listening = False
        mind = _Mind(greets=self.greets)
        steps = 0
        async for message in websocket:
            assert isinstance(message, bytes)
            self.received.append(message)
            assert message[0] == 1
            pending = np.concatenate((pending, reader.append_bytes(message[1:])))
            while len(pending) >= FRAME_SAMPLES:
                frame, pending = pending[:FRAME_SAMPLES], pending[FRAME_SAMPLES:]
                if listening:
                    self.heard.append(frame)
                pcm, piece = mind.step(frame if listening else np.zeros_like(frame))
                listening = True
                await websocket.send(audio(writer.append_pcm(to_float(pcm))))
                if piece:
                    await websocket.send(text(piece))
                steps += 1
                if steps == self.steps:
                    return


class _Mind:
    """Frame for frame, what is said when this is heard."""

    def __init__(self, *, greets: bool) -> None:
        self._quiet = 0
        self._answer = _ANSWER_FRAMES if greets else 0
        self._asked = False

    def step(self, frame: NDArray[np.float32]) -> tuple[bytes, str]:
        loud = float(np.abs(frame).max()) > 0.05
        self._quiet = 0 if loud else self._quiet + 1
        self._asked = self._asked or loud
        if self._asked and self._quiet == _QUIET_FRAMES:
            self._asked, self._answer = False, _ANSWER_FRAMES
        if not self._answer:
            return silence(), ""
        self._answer -= 1
        said = _ANSWER_FRAMES - 1 - self._answer
        return speech(), _PIECES[said] if said < len(_PIECES) else ""


@asynccontextmanager
async def serving(server: MoshiServer) -> AsyncIterator[str]:
    """Run the server; gives its address. What it raised is raised on leaving."""
    failures: list[Exception] = []

    async def handle(websocket: ServerConnection) -> None:
        try:
            await server.handle(websocket)
        except Exception as error:
            failures.append(error)

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/api/chat"
    if failures:
        raise failures[0]
