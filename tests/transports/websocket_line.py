"""A running chain with our WebSocket transport, and a server that attaches every client to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.workers.runner import WorkerRunner

from crossfade.frames.audio import SpeechPlayedFrame
from crossfade.frames.control import Frame
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, Processor
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.transports.client_socket import ClientSocket
from crossfade.transports.websocket import WebSocketTransport
from crossfade.transports.websocket_messages import Hello, read_message, write_message
from tests.processors.chain import Probe, speech

MS = 48
"""Bytes of a millisecond of the agent's sound at 24 kHz."""


def tone(length_ms: int, first: int = 1) -> bytes:
    """Sound of which each 20 ms differ, at 16 kHz."""
    return b"".join(bytes([first + n % 200, 1]) * 320 for n in range(length_ms // 20))


@dataclass
class Line:
    """What a test holds of it."""

    url: str
    transport: WebSocketTransport
    probe: Probe
    playout: Playout
    worker: PipelineWorker
    sockets: list[ClientSocket] = field(default_factory=list)

    def say(self, pcm: bytes, item_id: str = "item") -> None:
        """The agent speaks."""
        self.probe.receive_audio(speech(pcm, item_id))

    async def down(self, frame: Frame) -> None:
        await self.probe.push_frame(frame, DOWNSTREAM)

    async def up(self, frame: Frame) -> None:
        await self.probe.push_frame(frame, UPSTREAM)

    @property
    def microphone(self) -> bytes:
        """What the chain heard of the caller."""
        return b"".join(f.audio for f in self.probe.audio if f.sample_rate == 16000)

    @property
    def played(self) -> list[SpeechPlayedFrame]:
        """What was told of the playout, on its way up."""
        return self.probe.frames(SpeechPlayedFrame, UPSTREAM)


@contextlib.asynccontextmanager
async def line(*custom: Processor, **options: Any) -> AsyncIterator[Line]:
    """Run a chain; `custom` stands behind the input."""
    transport = WebSocketTransport(**options)
    probe, playout = Probe("node"), Playout(rate_hz=24000)
    worker = PipelineWorker(
        Pipeline(
            [
                transport.input(),
                *custom,
                probe,
                PlayoutQueue(playout),
                transport.output(),
                PlayoutTracker(playout),
            ]
        ),
        params=PipelineParams(audio_in_sample_rate=16000, audio_out_sample_rate=24000),
        enable_rtvi=False,
        enable_turn_tracking=False,
        idle_timeout_secs=None,
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
    async def on_started(_worker: PipelineWorker, _frame: Frame) -> None:
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    task = asyncio.create_task(runner.run())
    await started.wait()
    sockets: list[ClientSocket] = []

    async def handle(socket: ClientSocket) -> None:
        sockets.append(socket)
        first = await socket.first(1)
        assert first is not None
        hello = read_message(first[0])
        assert isinstance(hello, Hello)
        transport.attach(
            socket,
            hello,
            ready=lambda stream: write_message(
                "ready",
                call_id="call",
                token="token",
                stream=stream,
                received_samples=transport.received_samples,
            ),
        )
        await socket.wait_closed()
        transport.detach(socket)

    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: ClientSocket(handle), "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        try:
            yield Line(f"ws://127.0.0.1:{port}/ws", transport, probe, playout, worker, sockets)
        finally:
            # Speech that nobody hears is held, and an end would wait behind it.
            await worker.cancel()
            await task
