"""Puts a call together: transport, voice activity, turns, node, tools, playout and the record."""

import asyncio
from collections.abc import Awaitable, Sequence

from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from crossfade.audio.silero import SileroStream, shared_model
from crossfade.audio.vad import VoiceDetector
from crossfade.conversation.ledger import Conversation
from crossfade.errors import CrossfadeError
from crossfade.frames.control import ErrorFrame
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.processors.audio_tap import AudioTap
from crossfade.processors.base import Processor
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.processors.resampler import Resampler
from crossfade.processors.tool_dispatcher import ToolDispatcher
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner, TurnTaking
from crossfade.processors.voice_activity import VoiceActivity


class Call:
    """One call: a speech node in the chain of design, its conversation and its record.

    Args:
        transport: Where audio comes in and goes out, at the two rates below, mono.
        node: The speech node.
        node_rate_hz: Rate of the node's speech.
        record: Keeps what happens; closed at the end of the call, however it ends.
        tools: The tools the node's model was told of.
        turn_owner: Who hears when the caller's turn begins and ends.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        custom: Processors of the application's own, between the caller's turns and the node.
    """

    def __init__(
        self,
        *,
        transport: BaseTransport,
        node: Processor,
        node_rate_hz: int,
        record: CallRecord,
        tools: Sequence[Tool] = (),
        turn_owner: TurnOwner = TurnOwner.PROVIDER,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
        custom: Sequence[FrameProcessor] = (),
    ) -> None:
        self.conversation = Conversation(started_at_s=asyncio.get_running_loop().time())
        self._record = record
        self._failure: CrossfadeError | None = None
        self._playout = playout = Playout(rate_hz=out_rate_hz)
        self._agent_tap = ConversationTap(self.conversation, TapSide.AGENT)
        detector = VoiceDetector(SileroStream(shared_model()).score)
        chain: list[FrameProcessor] = [
            transport.input(),
            AudioTap(lambda frame: record.caller_audio(frame.audio, frame.sample_rate)),
            VoiceActivity(rate_hz=in_rate_hz, detector=detector),
            TurnTaking(turn_owner),
            ConversationTap(self.conversation, TapSide.USER),
            *custom,
            node,
            ToolDispatcher(tools),
            self._agent_tap,
            Resampler(in_rate_hz=node_rate_hz, out_rate_hz=out_rate_hz),
            PlayoutQueue(playout),
            transport.output(),
            PlayoutTracker(playout),
            AudioTap(lambda frame: record.agent_audio(frame.audio, frame.sample_rate)),
        ]
        self._processors = [processor for processor in chain if isinstance(processor, Processor)]
        self._worker = PipelineWorker(
            Pipeline(chain),
            params=PipelineParams(
                audio_in_sample_rate=in_rate_hz, audio_out_sample_rate=out_rate_hz
            ),
            observers=list(record.observers),
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            processor_unusable_policy=ProcessorUnusablePolicy.END,
        )
        self._worker.event_handler("on_pipeline_error")(self._on_error)

    @property
    def worker(self) -> PipelineWorker:
        """The pipecat worker that runs the chain, for frames and observers of your own."""
        return self._worker

    async def run(self, until: Awaitable[None] | None = None) -> CallSummary:
        """Run the call until it ends by itself, or `until` is over and all speech is played.

        The record is closed in any case, also when this is cancelled.

        Raises:
            ProviderFault: The provider ended the call.
            ConnectionLost: The connection died.
        """
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        ending = asyncio.ensure_future(self._end_after(until)) if until is not None else None
        try:
            await runner.run()
        finally:
            if ending is not None:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
            self._agent_tap.settle(self._playout.abandon())
            for processor in self._processors:
                self._record.dropped(f"audio frames before {processor.name}", processor.overrun)
            self._record.close(self.conversation.to_dict())
        # pipecat's runner takes a cancellation for an order to end, and returns.
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError
        if self._failure is not None:
            raise self._failure
        return self._record.summary()

    async def _end_after(self, until: Awaitable[None]) -> None:
        await until
        await self._worker.stop_when_done()

    async def _on_error(self, _worker: PipelineWorker, frame: ErrorFrame) -> None:
        unusable = frame.processor is not None and not frame.processor.is_usable
        if unusable and self._failure is None:
            cause = frame.exception
            self._failure = (
                cause if isinstance(cause, CrossfadeError) else CrossfadeError(frame.error)
            )
