"""Stock pipecat as one side of the measured calls, as its realtime examples put it together."""

import asyncio
import time

from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    StartFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from .call_script import MICROPHONE_HZ
from .call_side import Ear

_OUT_HZ = 24000
_CHUNK_S = 0.02


class _Input(BaseInputTransport):
    def __init__(self) -> None:
        super().__init__(TransportParams(audio_in_enabled=True, audio_in_sample_rate=MICROPHONE_HZ))

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)


class _Output(BaseOutputTransport):
    """Takes what comes at once, or at the pace of sound as pipecat's WebSocket server does."""

    def __init__(self, ear: Ear, *, paced: bool) -> None:
        # Chunks of 20 ms, not of 40: the same for all sides, and the less delay.
        super().__init__(
            TransportParams(
                audio_out_enabled=True, audio_out_sample_rate=_OUT_HZ, audio_out_10ms_chunks=2
            )
        )
        self._ear = ear
        self._paced = paced
        self._next_s = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            self._ear.interrupted()

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._ear.ready(frame.audio)
        self._ear.hear(frame.audio)
        if self._paced:
            wait_s = max(0.0, self._next_s - time.monotonic())
            await asyncio.sleep(wait_s)
            self._next_s = (self._next_s if wait_s else time.monotonic()) + _CHUNK_S
        return True


class StockCaller:
    """One call of pipecat's."""

    def __init__(self, microphone: _Input, worker: PipelineWorker) -> None:
        self._microphone = microphone
        self._worker = worker
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        started = asyncio.Event()

        async def on_started(_worker: PipelineWorker, _frame: Frame) -> None:
            started.set()

        self._worker.event_handler("on_pipeline_started")(on_started)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        self._running = asyncio.create_task(runner.run())
        await started.wait()

    async def speak(self, pcm: bytes) -> None:
        await self._microphone.push_audio_frame(
            InputAudioRawFrame(audio=pcm, sample_rate=MICROPHONE_HZ, num_channels=1)
        )

    async def hang_up(self) -> None:
        await self._worker.cancel()
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)


class Stock:
    """transport in, user aggregator with Silero, OpenAIRealtimeLLMService, transport out,
    assistant aggregator; no tools, ledger, recording or log.

    Args:
        as_it_comes: With soxr's best quality, which sends fifteen times a second in bursts; else
            with its quickest, which sends each 20 ms as they come, as the other sides do.
        local_turns: Whether the caller's turns are found here and not by the service.
        paced: Whether the output takes sound at its own pace.
        lean: Without the observers that a worker has by itself, for RTVI's clients and for turns.
    """

    def __init__(
        self,
        *,
        as_it_comes: bool = False,
        local_turns: bool = False,
        paced: bool = False,
        lean: bool = False,
    ) -> None:
        self._as_it_comes = as_it_comes
        self._local_turns = local_turns
        self._paced = paced
        self._lean = lean

    async def admit(self, url: str, ear: Ear) -> StockCaller:
        context = LLMContext([{"role": "user", "content": "Greet the caller."}])
        pair = LLMContextAggregatorPair(
            context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
        )
        microphone = _Input()
        worker = PipelineWorker(
            Pipeline(
                [
                    microphone,
                    pair.user(),
                    self._service(url),
                    _Output(ear, paced=self._paced),
                    pair.assistant(),
                ]
            ),
            params=PipelineParams(
                audio_in_sample_rate=MICROPHONE_HZ, audio_out_sample_rate=_OUT_HZ
            ),
            enable_rtvi=not self._lean,
            enable_turn_tracking=not self._lean,
        )
        caller = StockCaller(microphone, worker)
        await caller.start()
        return caller

    def _service(self, url: str) -> OpenAIRealtimeLLMService:
        heard = (
            events.AudioInput(turn_detection=False) if self._local_turns else events.AudioInput()
        )
        properties = events.SessionProperties(audio=events.AudioConfiguration(input=heard))
        service = OpenAIRealtimeLLMService(
            api_key="none",
            base_url=url,
            settings=OpenAIRealtimeLLMService.Settings(session_properties=properties),
        )
        if not self._as_it_comes:
            service._resampler = SOXRStreamAudioResampler(quality="QQ")
        return service

    def dropped(self) -> int:
        """Its queues are unbounded."""
        return 0


__all__ = ["Stock"]
