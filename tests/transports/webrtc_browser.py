"""A browser by WebRTC for tests, as pipecat's client behaves: aiortc on this machine's loopback."""

import asyncio
import contextlib
import fractions
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame
from av.audio.resampler import AudioResampler

from crossfade.audio.energy import rms_dbfs

MICROPHONE_HZ = 16000
_FRAME = MICROPHONE_HZ // 50
LOUD_DBFS = -50.0

Signal = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Makes an offer, and gives the answer."""


class Microphone(MediaStreamTrack):
    """Says what is put into it, at the pace of sound."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pcm = b""
        self._sent = 0
        self._began = time.monotonic()

    def say(self, pcm: bytes) -> None:
        self._pcm += pcm

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(max(0.0, self._began + self._sent / MICROPHONE_HZ - time.monotonic()))
        chunk, self._pcm = self._pcm[: 2 * _FRAME], self._pcm[2 * _FRAME :]
        samples = np.frombuffer(chunk.ljust(2 * _FRAME, b"\0"), "<i2")
        frame = AudioFrame.from_ndarray(samples[None, :], layout="mono")
        frame.sample_rate, frame.pts = MICROPHONE_HZ, self._sent
        frame.time_base = fractions.Fraction(1, MICROPHONE_HZ)
        self._sent += _FRAME
        return frame


class Browser:
    """One, with one page.

    Args:
        signal: Makes its offers.
    """

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.pc_id: str | None = None
        self.messages: list[dict[str, Any]] = []
        self.heard: list[tuple[float, bytes]] = []
        """The agent's sound at 16 kHz, and when each piece came."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._new_connection()

    def _new_connection(self) -> None:
        self.pc = RTCPeerConnection()
        self.microphone = Microphone()
        self.pc.addTrack(self.microphone)
        self._channel = self.pc.createDataChannel("chat", ordered=True)
        self._channel.on("message", lambda text: self.messages.append(json.loads(text)))
        self.pc.on("track", lambda track: self._keep(self._listen(track)))

    async def connect(self, *, restart: bool = False) -> None:
        """Make an offer, and wait until the way is found."""
        if restart:
            self._new_connection()
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self._signal(
            {
                "sdp": self.pc.localDescription.sdp,
                "type": "offer",
                "pc_id": self.pc_id,
                "restart_pc": restart,
            }
        )
        self.pc_id = answer["pc_id"]
        await self.pc.setRemoteDescription(RTCSessionDescription(answer["sdp"], "answer"))
        await self.until(lambda: self._channel.readyState == "open")
        self._keep(self._pings(self._channel))

    async def lose_the_way(self) -> None:
        """Nothing comes or goes any more, and nobody says so."""
        await self.freeze(self.pc)

    @staticmethod
    async def freeze(pc: RTCPeerConnection) -> None:
        """Cut a connection's sockets."""
        for sender in pc.getSenders():
            await sender.transport.transport._connection.close()

    def send(self, type: str, data: dict[str, Any]) -> None:
        self.say({"label": "rtvi-ai", "type": type, "id": "1", "data": data})

    def say(self, message: Any) -> None:
        self._channel.send(json.dumps(message))

    def of(self, type: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("type") == type]

    def loud_since(self, at_s: float) -> bytes:
        """What was heard of the agent after a moment, without what is silent."""
        return b"".join(
            pcm for when, pcm in self.heard if when >= at_s and rms_dbfs(pcm) > LOUD_DBFS
        )

    async def hears(self, at_s: float = 0.0, *, timeout_s: float = 15) -> None:
        """Wait until the agent sounds, after a moment."""
        await self.until(lambda: self.loud_since(at_s), timeout_s=timeout_s)

    async def until(self, true: Callable[[], object], *, timeout_s: float = 15) -> None:
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pc.close()

    def _keep(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler("s16", "mono", 16000)
        with contextlib.suppress(Exception):
            while True:
                came = await track.recv()
                assert isinstance(came, AudioFrame)
                for frame in resampler.resample(came):
                    self.heard.append((time.monotonic(), frame.to_ndarray().tobytes()))

    async def _pings(self, channel: Any) -> None:
        while channel.readyState == "open":
            channel.send(f"ping: {time.time():.0f}")
            await asyncio.sleep(1)


@contextlib.asynccontextmanager
async def browser(signal: Signal) -> AsyncIterator[Browser]:
    made = Browser(signal)
    try:
        yield made
    finally:
        await made.close()


def on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for ways on this machine alone."""
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda *_, **__: ["127.0.0.1"])
