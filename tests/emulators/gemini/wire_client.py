"""A client that knows nothing but the wire, and speech that needs no speech engine."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from crossfade.emulators.backends import Call, ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import Fault
from crossfade.emulators.gemini import GeminiEmulator, Timing

Body = dict[str, Any]

RATE_HZ = 16_000
BYTES_PER_MS = 32
MODEL_2_5 = "gemini-2.5-flash-native-audio-preview-12-2025"
MODEL_3_1 = "gemini-3.1-flash-live-preview"
MODEL_3_8 = "gemini-3.8-live"
MODEL_THINKING = "gemini-3.8-live-extended-thinking"
GET_WEATHER = {
    "name": "get_weather",
    "description": "Tell the weather in a city.",
    "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
}
TOKYO = Call(name="get_weather", arguments='{"city":"Tokyo"}')
GREETING = Turn(on=None, say=("Hello there.",))
LONG = Turn(on=None, say=("This is a rather long answer. It goes on for a while. And on, and on.",))
INVALID_ARGUMENT = (1007, "Request contains an invalid argument.")
NOT_IMPLEMENTED = (1008, "Operation is not implemented, or supported, or enabled.")


def loudness_scorer() -> Callable[[NDArray[np.float32]], float]:
    """Takes every sound for speech and every silence for none."""
    return lambda window: float(np.abs(window).max() > 0.05)


def tone(ms: int, rate_hz: int = RATE_HZ) -> bytes:
    """What the loudness scorer takes for speech."""
    samples = np.arange(ms * rate_hz // 1000)
    wave = np.asarray(10_000 * np.sin(samples * 0.1), dtype="<i2")
    return wave.tobytes()


def quiet(ms: int, rate_hz: int = RATE_HZ) -> bytes:
    return bytes(ms * rate_hz // 1000 * 2)


UTTERANCE = tone(600) + quiet(700)


class WireClient:
    """One connection; keeps every message that it receives."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.messages: list[Body] = []
        self.times_s: list[float] = []
        self._seen = 0

    async def send(self, **fields: Any) -> None:
        await self.socket.send(orjson.dumps(fields).decode())

    async def set_up(self, model: str = MODEL_2_5, **setup: Any) -> None:
        """Send a setup and wait until it is complete."""
        await self.send(setup={"model": f"models/{model}", **setup})
        await self.until("setupComplete")

    async def realtime(self, **fields: Any) -> None:
        await self.send(realtimeInput=fields)

    async def say(self, text: str, *, role: str = "user", complete: bool = True) -> None:
        """A typed turn."""
        turns = [{"role": role, "parts": [{"text": text}]}]
        await self.send(clientContent={"turns": turns, "turnComplete": complete})

    async def append(self, pcm: bytes, rate_hz: int = RATE_HZ) -> None:
        data = base64.b64encode(pcm).decode()
        await self.realtime(audio={"data": data, "mimeType": f"audio/pcm;rate={rate_hz}"})

    async def stream(self, pcm: bytes, rate_hz: int = RATE_HZ) -> None:
        """Sound as a microphone gives it, in chunks of 20 ms."""
        size = rate_hz // 50 * 2
        for at in range(0, len(pcm), size):
            await self.append(pcm[at : at + size], rate_hz)
            await asyncio.sleep(0.02)

    async def respond(self, id: str, response: Body, **fields: Any) -> None:
        """The answer to a call."""
        answer = {"id": id, "name": "get_weather", "response": response, **fields}
        await self.send(toolResponse={"functionResponses": [answer]})

    async def receive(self) -> Body:
        async with asyncio.timeout(3000):
            message: Body = orjson.loads(await self.socket.recv())
        self.messages.append(message)
        self.times_s.append(asyncio.get_running_loop().time())
        return message

    async def until(self, kind: str) -> Body:
        """The next message of a kind that no `until` has returned or passed over."""
        while True:
            while self._seen < len(self.messages):
                message = self.messages[self._seen]
                self._seen += 1
                if kind in kinds(message):
                    return message
            await self.receive()

    async def calls(self) -> list[Body]:
        """The functions of the next toolCall."""
        calls: list[Body] = (await self.until("toolCall"))["toolCall"]["functionCalls"]
        return calls

    async def rest(self, seconds: float) -> None:
        """Take what comes for so long."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.receive()
        except TimeoutError:
            return

    async def closed(self) -> tuple[int, str]:
        """How the service closes the connection, whatever it sends before."""
        try:
            while True:
                await self.receive()
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                return 1006, ""
            return closed.rcvd.code, closed.rcvd.reason

    def of(self, kind: str) -> list[Any]:
        """What stands under a field of serverContent, or at the top, in order."""
        return [
            message["serverContent"].get(kind) if kind not in message else message[kind]
            for message in self.messages
            if kind in kinds(message)
        ]

    def order(self, *leave_out: str) -> list[str]:
        """The kinds received since setupComplete, several of a kind in a row as one."""
        steps: list[str] = []
        for message in self.messages:
            for kind in kinds(message):
                if kind not in (*leave_out, "setupComplete") and steps[-1:] != [kind]:
                    steps.append(kind)
        return steps

    def sound(self) -> bytes:
        """All speech that came."""
        parts = [part for turn in self.of("modelTurn") for part in turn["parts"]]
        return b"".join(
            base64.b64decode(part["inlineData"]["data"]) for part in parts if "inlineData" in part
        )

    def words(self) -> str:
        """All words of the speech that came."""
        return "".join(entry["text"] for entry in self.of("outputTranscription"))


def kinds(message: Body) -> list[str]:
    """The fields of a message; those of serverContent instead of itself. A thought is its own."""
    found: list[str] = []
    for name, value in message.items():
        found += value if name == "serverContent" else [name]
    turn = message.get("serverContent", {}).get("modelTurn", {"parts": []})
    if any(part.get("thought") for part in turn["parts"]):
        found[found.index("modelTurn")] = "thought"
    return found


@asynccontextmanager
async def client_of(
    emulator: GeminiEmulator, *, key: str = "test", path: str | None = None
) -> AsyncIterator[WireClient]:
    """A client of a running emulator that has sent nothing."""
    url = emulator.url if path is None else emulator.url.replace(emulator.path, path)
    headers = {"x-goog-api-key": key} if key else {}
    async with connect(url, additional_headers=headers, compression=None) as socket:
        yield WireClient(socket)


@asynccontextmanager
async def emulator_of(
    *turns: Turn,
    timing: Timing | None = None,
    faults: Sequence[Fault] = (),
    refuse_audio_while_calling: bool = False,
) -> AsyncIterator[GeminiEmulator]:
    """An emulator that answers by `turns`, or always with one greeting."""
    scenario = Scenario(turns=turns or (GREETING,), repeat=not turns)
    async with GeminiEmulator(
        ScriptedBackend(scenario),
        timing=timing,
        faults=faults,
        scorer=loudness_scorer,
        refuse_audio_while_calling=refuse_audio_while_calling,
    ) as emulator:
        yield emulator


@asynccontextmanager
async def session(
    *turns: Turn,
    model: str = MODEL_2_5,
    timing: Timing | None = None,
    faults: Sequence[Fault] = (),
    refuse_audio_while_calling: bool = False,
    **setup: Any,
) -> AsyncIterator[WireClient]:
    """A client that has set up a session."""
    running = emulator_of(
        *turns,
        timing=timing,
        faults=faults,
        refuse_audio_while_calling=refuse_audio_while_calling,
    )
    async with running as emulator, client_of(emulator) as client:
        await client.set_up(model, **setup)
        yield client
