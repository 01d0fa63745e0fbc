"""pipecat's stock services: a whole call.

Usage: pipecat_service.py openai URL SPEECH_16_KHZ, or gemini URL SPEECH_16_KHZ CERTIFICATE
"""

import asyncio
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    ErrorFrame,
    Frame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InputImageRawFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.llm_service import FunctionCallParams
from pipecat.workers.runner import WorkerRunner

CHUNK_BYTES = 640
# What tells of a session's end. With Gemini the service resumes in vain before it tells.
EXPIRY = {"openai": "maximum duration", "gemini": "Max consecutive failures"}
TOOL = FunctionSchema(
    name="get_weather",
    description="Tell the weather in a city.",
    properties={"city": {"type": "string"}},
    required=["city"],
)


def openai_service(url: str) -> Any:
    from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService

    return OpenAIRealtimeLLMService(api_key="sk-test", base_url=url)


def gemini_service(url: str, certificate: str) -> Any:
    from google.genai.types import HttpOptions
    from pipecat.services.google.gemini_live.llm import GeminiLiveLLMService

    trusted = ssl.create_default_context(cafile=certificate)
    options = HttpOptions(
        base_url="https://" + url.split("/")[2],
        async_client_args={"ssl": trusted, "verify": trusted},
    )
    return GeminiLiveLLMService(api_key="test", http_options=options)


class Witness(FrameProcessor):
    """Sees what comes out of the service."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Frame] = []
        self._news = asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.saw(frame)
        await self.push_frame(frame, direction)

    def saw(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame):
            sys.stderr.write(f"error: {frame.error}\n")
        self.seen.append(frame)
        self._news.set()

    async def wait_for(self, kind: type[Frame], what: Callable[[Any], bool] = bool) -> Any:
        """The first frame of a kind since the last that was waited for."""
        while True:
            for number, frame in enumerate(self.seen):
                if isinstance(frame, kind) and what(frame):
                    del self.seen[: number + 1]
                    return frame
            self._news.clear()
            await self._news.wait()


async def weather(params: FunctionCallParams) -> None:
    assert params.arguments == {"city": "Tokyo"}, params.arguments
    await params.result_callback({"degrees": 18})


async def main(service: Any, speech: bytes, expiry: str) -> None:
    service.register_function("get_weather", weather)
    greet: Any = {"role": "user", "content": "Say hello."}
    context = LLMContext([greet], tools=ToolsSchema(standard_tools=[TOOL]))
    pair = LLMContextAggregatorPair(context)
    witness = Witness()
    worker = PipelineWorker(
        Pipeline([pair.user(), service, witness, pair.assistant()]),
        params=PipelineParams(audio_in_sample_rate=16_000, audio_out_sample_rate=24_000),
    )

    @worker.event_handler("on_pipeline_error")  # type: ignore[untyped-decorator]
    async def on_error(_worker: Any, frame: ErrorFrame) -> None:
        witness.saw(frame)

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        await hold_call(worker, witness, speech, expiry)
    finally:
        await worker.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def hold_call(worker: Any, witness: Witness, speech: bytes, expiry: str) -> None:
    microphone = Microphone(worker)
    await worker.queue_frame(LLMRunFrame())
    await witness.wait_for(TTSAudioRawFrame)
    await witness.wait_for(LLMFullResponseEndFrame)

    await microphone.speak(speech)
    result = await witness.wait_for(FunctionCallResultFrame)
    assert result.function_name == "get_weather", result
    await witness.wait_for(TTSAudioRawFrame)
    await microphone.speak(speech)
    await witness.wait_for(InterruptionFrame)
    await witness.wait_for(TTSAudioRawFrame)
    await witness.wait_for(LLMFullResponseEndFrame)

    red = InputImageRawFrame(image=bytes([255, 0, 0]) * 64, size=(8, 8), format="RGB")
    await worker.queue_frame(red)
    await microphone.speak(speech)
    await witness.wait_for(TTSAudioRawFrame)

    await witness.wait_for(ErrorFrame, lambda frame: expiry in frame.error)


class Microphone:
    """Speaks at the pace of speech."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker

    async def speak(self, pcm: bytes) -> None:
        for at in range(0, len(pcm), CHUNK_BYTES):
            audio = pcm[at : at + CHUNK_BYTES]
            frame = InputAudioRawFrame(audio=audio, sample_rate=16_000, num_channels=1)
            await self._worker.queue_frame(frame)
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    kind, url, speech, *rest = sys.argv[1:]
    service = openai_service(url) if kind == "openai" else gemini_service(url, *rest)
    asyncio.run(main(service, Path(speech).read_bytes(), EXPIRY[kind]))
