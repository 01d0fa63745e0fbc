"""A service that costs the client nothing to wait for: canned messages from a process of its own.

It speaks just enough of OpenAI's and Gemini's wires to stream audio down as fast as it is read,
and to swallow what comes up.
"""

import asyncio
import base64
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import orjson
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ANSWER_MESSAGES = 600
"""Audio messages of one answer, 100 ms each: a minute."""
DELTA = bytes(range(240)) * 20
"""100 ms at 24 kHz."""

_AUDIO = base64.b64encode(DELTA).decode()
_SHORTER_THAN_AUDIO = 800
_RESPONSE = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": []}
_ITEM = {"id": "item_1", "object": "realtime.item", "type": "message", "role": "assistant"}
_PLACE = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}


def _openai(kind: str, **fields: object) -> str:
    return orjson.dumps({"type": kind, "event_id": "event_1", **fields}).decode()


def _openai_session(kind: str) -> str:
    session = {"type": "realtime", "id": "sess_1", "model": "gpt-realtime", "expires_at": 1}
    return _openai(kind, session=session)


def openai_answer(number: int) -> Iterator[str]:
    """One spoken response, all of it."""
    response = _RESPONSE | {"id": f"resp_{number}"}
    place = _PLACE | {"response_id": f"resp_{number}", "item_id": f"item_{number}"}
    item = _ITEM | {"id": f"item_{number}", "status": "in_progress", "content": []}
    part = {"type": "audio", "transcript": ""}
    yield _openai("response.created", response=response)
    yield _openai("response.output_item.added", item=item, **_without(place, "item_id"))
    yield _openai("response.content_part.added", part=part, **place)
    delta = _openai("response.output_audio.delta", delta=_AUDIO, **place)
    for _ in range(ANSWER_MESSAGES):
        yield delta
    yield _openai("response.output_audio.done", **place)
    done = item | {"status": "completed", "content": [{"type": "output_audio", "transcript": ""}]}
    yield _openai("response.output_item.done", item=done, **_without(place, "item_id"))
    yield _openai("response.done", response=response | {"status": "completed", "output": [done]})


def _without(fields: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in fields.items() if key not in (name, "content_index")}


def gemini_answer() -> Iterator[str]:
    """One spoken turn, all of it."""
    part = {"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": _AUDIO}}
    audio = orjson.dumps({"serverContent": {"modelTurn": {"parts": [part]}}}).decode()
    for _ in range(ANSWER_MESSAGES):
        yield audio
    yield '{"serverContent":{"generationComplete":true}}'
    yield '{"serverContent":{"turnComplete":true}}'


async def _serve_openai(websocket: ServerConnection) -> None:
    await websocket.send(_openai_session("session.created"))
    answers = 0
    async for message in websocket:
        # Longer ones are audio.
        if len(message) < _SHORTER_THAN_AUDIO and '"response.create"' in message:
            answers += 1
            for piece in openai_answer(answers):
                await websocket.send(piece)
        elif '"session.update"' in message[:200]:
            await websocket.send(_openai_session("session.updated"))


async def _serve_gemini(websocket: ServerConnection) -> None:
    await websocket.recv()
    await websocket.send('{"setupComplete":{}}')
    async for message in websocket:
        head = str(message[:80]).replace("_", "").lower()
        if "clientcontent" in head or '"text"' in head:
            for piece in gemini_answer():
                await websocket.send(piece)


async def _handle(websocket: ServerConnection) -> None:
    assert websocket.request is not None
    serve_wire = _serve_gemini if "gemini" in websocket.request.path.lower() else _serve_openai
    with contextlib.suppress(ConnectionClosed):
        await serve_wire(websocket)


async def _main() -> None:
    async with serve(
        _handle, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        # Whoever started it closes its end.
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def served() -> AsyncIterator[int]:
    """Run the service in a process of its own; gives its port."""
    process = subprocess.Popen(  # noqa: ASYNC220 (before anything is measured)
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(await asyncio.to_thread(process.stdout.readline))
    finally:
        process.communicate()


if __name__ == "__main__":
    asyncio.run(_main())
