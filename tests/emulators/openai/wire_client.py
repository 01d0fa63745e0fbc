"""A client that knows nothing but the wire, and speech that needs no speech engine."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.openai import OpenAIEmulator

Event = dict[str, Any]

RATE_HZ = 24_000
BYTES_PER_MS = 48
GET_WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ANSWER_START = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
]
ANSWER_END = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
# Many events may come in one burst; those of one kind in a row are one step of an order.
_BURSTS = ("delta",)


def loudness_scorer() -> Callable[[NDArray[np.float32]], float]:
    """Takes every sound for speech and every silence for none."""
    return lambda window: float(np.abs(window).max() > 0.05)


def tone(ms: int) -> bytes:
    """What the loudness scorer takes for speech."""
    samples = np.arange(ms * RATE_HZ // 1000)
    wave = np.asarray(10_000 * np.sin(samples * 0.1), dtype="<i2")
    return wave.tobytes()


def quiet(ms: int) -> bytes:
    return bytes(ms * BYTES_PER_MS)


UTTERANCE = tone(600) + quiet(700)


class WireClient:
    """One connection; keeps every event that it receives."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.events: list[Event] = []
        self.times_s: list[float] = []
        self._seen = 0

    async def send(self, type: str, **fields: Any) -> None:
        await self.connection.send(orjson.dumps({"type": type, **fields}).decode())

    async def update(self, **session: Any) -> None:
        await self.send("session.update", session={"type": "realtime", **session})

    async def say(self, text: str) -> None:
        """A typed user message."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send("conversation.item.create", item=item)

    async def append(self, pcm: bytes) -> None:
        await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    async def stream(self, pcm: bytes) -> None:
        """Sound as a microphone gives it, in chunks of 20 ms."""
        for at in range(0, len(pcm), 20 * BYTES_PER_MS):
            await self.append(pcm[at : at + 20 * BYTES_PER_MS])
            await asyncio.sleep(0.02)

    async def receive(self) -> Event:
        async with asyncio.timeout(600):
            event: Event = orjson.loads(await self.connection.recv())
        self.events.append(event)
        self.times_s.append(asyncio.get_running_loop().time())
        return event

    async def until(self, type: str) -> Event:
        """The next event of a type that no `until` has returned or passed over."""
        while True:
            while self._seen < len(self.events):
                event = self.events[self._seen]
                self._seen += 1
                if event["type"] == type:
                    return event
            await self.receive()

    async def error(self) -> dict[str, Any]:
        """The detail of the next error."""
        detail: dict[str, Any] = (await self.until("error"))["error"]
        return detail

    def order(self, *, after: str = "session.created", without: str = "") -> list[str]:
        """The types received since the first `after`, bursts of deltas as one.

        Args:
            after: Types up to and with this one are left out.
            without: So are types that hold this word.
        """
        types = [event["type"] for event in self.events]
        steps: list[str] = []
        for type in types[types.index(after) + 1 :]:
            if without and without in type:
                continue
            if not (steps and steps[-1] == type and type.endswith(_BURSTS)):
                steps.append(type)
        return steps

    def of(self, type: str) -> list[Event]:
        return [event for event in self.events if event["type"] == type]

    def sound(self, item_id: str) -> bytes:
        """The speech received of one item."""
        deltas = self.of("response.output_audio.delta")
        return b"".join(
            base64.b64decode(event["delta"]) for event in deltas if event["item_id"] == item_id
        )


@asynccontextmanager
async def client_of(
    emulator: OpenAIEmulator,
    *,
    model: str = "gpt-realtime",
    query: str | None = None,
    key: str = "sk-test",
) -> AsyncIterator[WireClient]:
    """A client of a running emulator that has seen session.created."""
    headers = {"Authorization": f"Bearer {key}"}
    url = emulator.url + (f"?model={model}" if query is None else query)
    async with connect(url, additional_headers=headers, compression=None) as connection:
        client = WireClient(connection)
        await client.until("session.created")
        yield client


@asynccontextmanager
async def session(
    *turns: Turn, model: str = "gpt-realtime", **options: Any
) -> AsyncIterator[WireClient]:
    """A client of an emulator that answers by `turns`, or with one greeting."""
    backend = ScriptedBackend(Scenario(turns=turns or (Turn(on=None, say=("Hello there.",)),)))
    async with (
        OpenAIEmulator(backend, scorer=loudness_scorer, **options) as emulator,
        client_of(emulator, model=model) as client,
    ):
        yield client
