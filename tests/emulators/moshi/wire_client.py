"""A Moshi client that knows nothing but the wire, and speech that needs no speech engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import sphn
from websockets.asyncio.client import ClientConnection, connect

from crossfade.emulators.backends import ScriptedBackend
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import Fault
from crossfade.emulators.moshi import MoshiEmulator, Server, Timing
from tests.emulators.openai.wire_client import loudness_scorer

RATE_HZ = 24_000
FRAME = 1920
Sound = np.ndarray[Any, np.dtype[np.float32]]


def tone(ms: int) -> Sound:
    samples = np.arange(ms * RATE_HZ // 1000)
    return np.asarray(0.3 * np.sin(samples * 0.1), dtype=np.float32)


def quiet(ms: int) -> Sound:
    return np.zeros(ms * RATE_HZ // 1000, dtype=np.float32)


UTTERANCE = np.concatenate([tone(640), quiet(720)])


class WireClient:
    """One connection; keeps what it receives, with its time."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[bytes] = []
        self.times_s: list[float] = []
        self.others: list[str] = []
        self._encoder = sphn.OpusStreamWriter(RATE_HZ)
        self._decoder = sphn.OpusStreamReader(RATE_HZ)
        self.sound: list[Sound] = []

    async def receive(self) -> bytes:
        async with asyncio.timeout(600):
            message = await self.connection.recv()
        if isinstance(message, str):
            self.others.append(message)
            return b""
        self.messages.append(message)
        self.times_s.append(asyncio.get_running_loop().time())
        if message[0] == 1:
            self.sound.append(self._decoder.append_bytes(message[1:]))
        return message

    async def until(self, kind: int) -> bytes:
        """What follows the next kind byte of this kind."""
        while True:
            message = await self.receive()
            if message[:1] == bytes((kind,)):
                return message[1:]

    async def listen(self, seconds: float) -> None:
        """Receive for a while."""
        with_end = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(with_end):
                while True:
                    await self.receive()
        except TimeoutError:
            return

    def pages(self, frame: Sound) -> bytes:
        return b"\x01" + bytes(self._encoder.append_pcm(frame))

    async def stream(self, sound: Sound, *, pace_s: float = 0.08) -> None:
        """Sound as a microphone gives it, while listening."""
        for at in range(0, len(sound) - FRAME + 1, FRAME):
            await self.connection.send(self.pages(sound[at : at + FRAME]))
            await self.listen(pace_s)

    @property
    def kinds(self) -> list[int]:
        return [message[0] for message in self.messages]

    @property
    def words(self) -> str:
        return b"".join(m[1:] for m in self.messages if m[0] == 2).decode()

    def loud_frames(self) -> list[bool]:
        """Of each message with sound, whether it is more than silence."""
        return [bool(len(s)) and float(np.abs(s).max()) > 0.02 for s in self.sound]


@asynccontextmanager
async def client_of(emulator: MoshiEmulator, *, shaken: bool = True) -> AsyncIterator[WireClient]:
    """A client of a running emulator that has seen the handshake."""
    async with connect(emulator.url, compression=None) as connection:
        client = WireClient(connection)
        if shaken:
            await client.until(0)
        yield client


def emulator_of(
    *turns: Turn,
    server: Server = Server.PYTHON,
    greeting: str = "",
    timing: Timing | None = None,
    faults: Sequence[Fault] = (),
) -> MoshiEmulator:
    """An emulator that answers by `turns`, or with one sentence."""
    turns = turns or (Turn(on=None, say=("Herons eat fish and frogs.",)),)
    return MoshiEmulator(
        ScriptedBackend(Scenario(turns=turns)),
        server=server,
        greeting=greeting,
        timing=timing,
        faults=faults,
        scorer=loudness_scorer,
    )
