"""Other people's clients of the same wires, measured where they are installed."""

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from .wire_clients import Client, Opener
from .wire_server import ANSWER_MESSAGES, DELTA

_ANSWER_BYTES = ANSWER_MESSAGES * len(DELTA)
_RATE_HZ = 24000


class _Counter:
    """Lets somebody wait until so much went by."""

    def __init__(self) -> None:
        self._count = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    def add(self, count: int) -> None:
        self._count += count
        if self._count >= self._wanted:
            self._reached.set()

    async def next(self, count: int) -> None:
        """Wait for so much since the last call."""
        self._wanted += count
        if self._count < self._wanted:
            self._reached.clear()
            await self._reached.wait()


class _Pipecat:
    """OpenAIRealtimeLLMService between a source and a sink, in a worker as it comes."""

    def __init__(self, service: Any, worker: Any, spoken: _Counter, heard: _Counter) -> None:
        self._service = service
        self._worker = worker
        self._spoken = spoken
        self._heard = heard
        self._sent = 0
        self._events = importlib.import_module("pipecat.services.openai.realtime.events")
        self._frames = importlib.import_module("pipecat.frames.frames")

    async def hear(self) -> None:
        await self._service.send_client_event(self._events.ResponseCreateEvent())
        await self._heard.next(_ANSWER_BYTES)

    async def speak(self, pcm: bytes) -> None:
        self._sent += 1
        await self._worker.queue_frame(
            self._frames.InputAudioRawFrame(audio=pcm, sample_rate=_RATE_HZ, num_channels=1)
        )

    async def flush(self) -> None:
        sent, self._sent = self._sent, 0
        await self._spoken.next(sent)


@asynccontextmanager
async def _pipecat(port: int) -> AsyncIterator[Client]:
    frames = importlib.import_module("pipecat.frames.frames")
    processor = importlib.import_module("pipecat.processors.frame_processor")
    worker_module = importlib.import_module("pipecat.pipeline.worker")
    pipeline = importlib.import_module("pipecat.pipeline.pipeline")
    runner_module = importlib.import_module("pipecat.workers.runner")
    llm = importlib.import_module("pipecat.services.openai.realtime.llm")
    spoken, heard = _Counter(), _Counter()

    class Sink(processor.FrameProcessor):  # type: ignore[misc, name-defined]
        async def process_frame(self, frame: Any, direction: Any) -> None:
            await super().process_frame(frame, direction)
            if isinstance(frame, frames.InputAudioRawFrame):
                spoken.add(1)
            elif isinstance(frame, frames.TTSAudioRawFrame):
                heard.add(len(frame.audio))
            await self.push_frame(frame, direction)

    service = llm.OpenAIRealtimeLLMService(api_key="none", base_url=f"ws://127.0.0.1:{port}/openai")
    worker = worker_module.PipelineWorker(
        pipeline.Pipeline([service, Sink()]),
        params=worker_module.PipelineParams(
            audio_in_sample_rate=_RATE_HZ, audio_out_sample_rate=_RATE_HZ
        ),
    )
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")  # type: ignore[untyped-decorator]
    async def on_started(_worker: Any, _frame: Any) -> None:
        started.set()

    runner = runner_module.WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await started.wait()
        yield _Pipecat(service, worker, spoken, heard)
    finally:
        await worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


class _LiveKit:
    """The RealtimeSession of livekit-plugins-openai, without a room."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._rtc = importlib.import_module("livekit.rtc")
        self._heard = _Counter()
        self._readers: set[asyncio.Task[None]] = set()
        session.on("generation_created", self._read)

    def _read(self, generation: Any) -> None:
        reader = asyncio.create_task(self._read_all(generation))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _read_all(self, generation: Any) -> None:
        async for message in generation.message_stream:
            async for frame in message.audio_stream:
                self._heard.add(len(frame.data) * frame.data.itemsize)

    async def hear(self) -> None:
        asked = self._session.generate_reply()
        await self._heard.next(_ANSWER_BYTES)
        asked.cancel()

    async def speak(self, pcm: bytes) -> None:
        self._session.push_audio(
            self._rtc.AudioFrame(
                data=pcm, sample_rate=_RATE_HZ, num_channels=1, samples_per_channel=len(pcm) // 2
            )
        )

    async def flush(self) -> None:
        """It sends from a task of its own, in pieces of 100 ms."""
        for _ in range(100):
            await asyncio.sleep(0)


@asynccontextmanager
async def _livekit(port: int) -> AsyncIterator[Client]:
    openai = importlib.import_module("livekit.plugins.openai")
    aiohttp = importlib.import_module("aiohttp")
    async with aiohttp.ClientSession() as http:
        model = openai.realtime.RealtimeModel(
            api_key="none", base_url=f"http://127.0.0.1:{port}/openai/v1", http_session=http
        )
        session = model.session()
        try:
            yield _LiveKit(session)
        finally:
            await session.aclose()


class _GoogleGenAI:
    """The live session of google-genai."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._types = importlib.import_module("google.genai.types")

    async def hear(self) -> None:
        await self._session.send_client_content(
            turns={"role": "user", "parts": [{"text": "Go on."}]}, turn_complete=True
        )
        async for message in self._session.receive():
            content = message.server_content
            if content is not None and content.model_turn is not None:
                assert content.model_turn.parts[0].inline_data.data

    async def speak(self, pcm: bytes) -> None:
        blob = self._types.Blob(data=pcm, mime_type="audio/pcm;rate=16000")
        await self._session.send_realtime_input(audio=blob)

    async def flush(self) -> None:
        """It writes at once."""


@asynccontextmanager
async def _google_genai(port: int) -> AsyncIterator[Client]:
    genai = importlib.import_module("google.genai")
    client = genai.Client(api_key="none")
    # It can be pointed at no ws:// address by its options.
    api = client._api_client
    api._websocket_base_url = lambda *_, **__: f"ws://127.0.0.1:{port}/gemini"
    api._websocket_ssl_ctx = {}
    live = client.aio.live.connect(
        model="gemini-3.8-live", config={"response_modalities": ["AUDIO"]}
    )
    async with live as session:
        yield _GoogleGenAI(session)


PEERS: Mapping[str, Mapping[str, Opener]] = {
    "openai": {"pipecat": _pipecat, "livekit": _livekit},
    "gemini": {"google-genai": _google_genai},
}

__all__ = ["PEERS"]
