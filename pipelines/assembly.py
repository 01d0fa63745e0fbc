"""Puts a call together: transport, voice activity, turns, node, tools, playout and the record."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from pipecat.pipeline.worker import PipelineParams, PipelineWorker, ProcessorUnusablePolicy
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import BaseTransport
from pipecat.workers.runner import WorkerRunner

from crossfade.audio.silero import shared_model
from crossfade.audio.vad import VoiceDetector, two_stage_detector
from crossfade.conversation.ledger import Conversation
from crossfade.errors import CrossfadeError, SettingsError
from crossfade.frames.control import ErrorFrame
from crossfade.observability.call import CallRecord
from crossfade.observability.call_summary import CallSummary
from crossfade.observability.frame_log import FrameLog
from crossfade.observability.frame_watch import WatchedPipeline
from crossfade.observability.tool_secrets import SecretArguments
from crossfade.processors.acknowledger import Acknowledger
from crossfade.processors.audio_tap import AudioTap
from crossfade.processors.base import Processor
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.processors.end_of_turn import ASK_AFTER_MS, EndOfTurn, TurnJudge
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.phrases import Phrases
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.processors.resampler import Resampler
from crossfade.processors.tool_actions import ToolWire
from crossfade.processors.tool_dispatcher import ToolDispatcher
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnCounts, TurnOwner, TurnTaking
from crossfade.processors.voice_activity import VoiceActivity
from crossfade.processors.written_turns import WrittenTurns
from crossfade.providers.continuity.serving import Serving

from .budgets import keep_budgets
from .capture_chain import captured_client, captured_speech, keep_decisions

EndOfTurnRule = Literal["silence", "smart"]

ENDING_S = 5.0
"""How long a call that is cancelled may take to end: tools and the session get two seconds each."""


def prepare(end_of_turn: EndOfTurnRule = "silence") -> None:
    """Load what a call needs, so that admitting the first one does not stall the event loop."""
    shared_model()
    if end_of_turn == "smart":
        _smart_turn()


def new_conversation() -> Conversation:
    """A conversation that begins now, on the running loop's clock."""
    return Conversation(started_at_s=asyncio.get_running_loop().time())


class Call:
    """One call: a speech node in the chain of design, its conversation and its record.

    Args:
        transport: Where audio comes in and goes out, at the two rates below, mono.
        node: The speech node.
        node_rate_hz: Rate of the node's speech.
        record: Keeps what happens; closed at the end of the call, however it ends.
        conversation: Where what is said is filed, if it was begun before; what the node's session
            reads, too.
        tools: The tools the node's model was told of.
        tool_wire: How that model takes their results.
        phrases: The node's voice for what is said while tools run; None where the node is to say
            it by itself.
        turn_owner: Who hears when the caller's turn begins and ends.
        holds: Whether an answer is held at the onset of speech, until it is sure that it is one.
        provider_cuts: Whether the provider ends its answer by itself when it hears the caller.
        end_of_turn: What ends a turn that we own: half a second of silence, or what the Smart Turn
            model takes for an end.
        detector: Hears when the caller speaks, such as by a key; None hears it by their voice.
        in_rate_hz: Rate of the caller's audio.
        out_rate_hz: Rate of the agent's audio.
        entry: Processors of the application's own that write for the caller, before what the
            caller says is filed.
        custom: Processors of the application's own, between the caller's turns and the node.
        unfinished: Gives what the caller said and nobody began to answer, s16le mono, for who
            goes on with the call elsewhere.
        unfinished_rate_hz: Its rate.
        serving: Tells who serves the node's session, and how that is resumed; None if nobody knows.
        observe_audio: Whether the worker's observers see audio frames, too. It costs more than
            all else that is done with them.

    Raises:
        SettingsError: The turns are not ours, so that their end is not, either.
    """

    def __init__(
        self,
        *,
        transport: BaseTransport,
        node: Processor,
        node_rate_hz: int,
        record: CallRecord,
        conversation: Conversation | None = None,
        tools: Sequence[Tool] = (),
        tool_wire: ToolWire = ToolWire.PARTS,
        phrases: Phrases | None = None,
        turn_owner: TurnOwner = TurnOwner.PROVIDER,
        holds: bool = True,
        provider_cuts: bool = True,
        end_of_turn: EndOfTurnRule = "silence",
        detector: VoiceDetector | None = None,
        in_rate_hz: int = 16000,
        out_rate_hz: int = 24000,
        entry: Sequence[FrameProcessor] = (),
        custom: Sequence[FrameProcessor] = (),
        unfinished: Callable[[], bytes] = bytes,
        unfinished_rate_hz: int = 16000,
        serving: Callable[[], Serving | None] = lambda: None,
        observe_audio: bool = False,
    ) -> None:
        self.conversation = conversation or new_conversation()
        self.unfinished = unfinished
        self.unfinished_rate_hz = unfinished_rate_hz
        self.serving = serving
        self._node = node
        self._record = record
        record.follow(lambda: "" if (served := serving()) is None else served.provider)
        record.hide_arguments(SecretArguments.of(tool.declaration for tool in tools))
        self._failure: CrossfadeError | None = None
        self._playout = playout = Playout(rate_hz=out_rate_hz)
        self._agent_tap = ConversationTap(self.conversation, TapSide.AGENT)
        self._turn_taking = TurnTaking(turn_owner, holds=holds, provider_cuts=provider_cuts)
        chain: list[FrameProcessor] = [
            transport.input(),
            AudioTap(lambda frame: record.caller_audio(frame.audio, frame.sample_rate)),
            *_hearing(in_rate_hz, turn_owner, end_of_turn, detector),
            self._turn_taking,
            *entry,
            WrittenTurns(),
            ConversationTap(self.conversation, TapSide.USER),
            *custom,
            node,
            *_acknowledging(tools, playout, phrases),
            ToolDispatcher(tools, wire=tool_wire),
            self._agent_tap,
            Resampler(in_rate_hz=node_rate_hz, out_rate_hz=out_rate_hz),
            *captured_speech(record.capture),
            PlayoutQueue(playout),
            transport.output(),
            PlayoutTracker(playout),
            AudioTap(lambda frame: record.agent_audio(frame.audio, frame.sample_rate), last=True),
        ]
        self._processors = [processor for processor in chain if isinstance(processor, Processor)]
        keep_decisions(record.capture, chain)
        if observe_audio:
            for processor in self._processors:
                processor.observe_audio = True
        logs = [each for each in record.observers if isinstance(each, FrameLog)]
        self._worker = PipelineWorker(
            WatchedPipeline(chain, logs),
            params=PipelineParams(
                audio_in_sample_rate=in_rate_hz, audio_out_sample_rate=out_rate_hz
            ),
            observers=[
                *(each for each in record.observers if each not in logs),
                *captured_client(record.capture, (transport.input(), transport.output())),
            ],
            enable_rtvi=False,
            enable_turn_tracking=False,
            idle_timeout_secs=None,
            processor_unusable_policy=ProcessorUnusablePolicy.END,
        )
        self._worker.event_handler("on_pipeline_error")(self._on_error)
        keep_budgets(record, self._worker, downgrade=_downgrade(node))

    @property
    def worker(self) -> PipelineWorker:
        """The pipecat worker that runs the chain, for frames and observers of your own."""
        return self._worker

    @property
    def playout(self) -> Playout:
        """What of the agent's speech waits, and how far it was played."""
        return self._playout

    async def switch_to(
        self, node: str, *, when: When = When.QUIET, why: str = "asked for", speaks: bool = False
    ) -> None:
        """Have another speech node serve, and wait until it does, as `NodeSwitch.to`.

        Raises:
            SettingsError: The call has one node only, or there is no such node.
            CrossfadeError: The node cannot be used; the other one serves on.
        """
        if not isinstance(self._node, NodeSwitch):
            raise SettingsError(
                "this call has one speech node; make it with switched_call to change nodes"
            )
        await self._node.to(node, when=when, why=why, speaks=speaks)

    @property
    def turn_counts(self) -> TurnCounts:
        """How often the agent was held and interrupted, and how often for nothing."""
        return self._turn_taking.counts

    async def run(self, until: Awaitable[None] | None = None) -> CallSummary:
        """Run the call until it ends by itself, or `until` is over and all speech is played.

        The record is closed in any case, also when this is cancelled.

        Raises:
            ProviderFault: The provider ended the call.
            ConnectionLost: The connection died.
        """
        ending = asyncio.ensure_future(self._end_after(until)) if until is not None else None
        try:
            await self._run_worker()
        finally:
            if ending is not None:
                ending.cancel()
                await asyncio.gather(ending, return_exceptions=True)
            self._agent_tap.settle(self._playout.abandon())
            for processor in self._processors:
                self._record.dropped(f"audio frames before {processor.name}", processor.overrun)
            await self._record.aclose(self.conversation.snapshot())
        if self._failure is not None:
            raise self._failure
        return self._record.summary()

    async def _run_worker(self) -> None:
        """Run the chain. pipecat takes a cancellation for an order to end, and waits for its own
        tasks to do so; where these were cancelled as well, as at the end of `asyncio.run`, it
        would wait for ever, and is cancelled again."""
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self._worker)
        running = asyncio.create_task(runner.run(), name="call")
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            while not running.done():
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([running], timeout=ENDING_S)
            # A worker that was cut off has not done it.
            for processor in self._processors:
                await processor.cleanup()
            raise
        await running

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


def _acknowledging(
    tools: Sequence[Tool], playout: Playout, phrases: Phrases | None
) -> list[Processor]:
    """What keeps the caller from silence while tools run, if any of them wants that."""
    of_tools = [tool.policy.phrases for tool in tools if tool.policy.phrases]
    if not of_tools:
        return []
    # What each tool says first is needed first.
    texts = dict.fromkeys([each[0] for each in of_tools] + [t for each in of_tools for t in each])
    return [Acknowledger(playout, phrases=phrases, texts=tuple(texts))]


def _downgrade(node: Processor) -> Callable[[str, str], None] | None:
    """How a cheaper node takes over, if the call can change its node."""
    if not isinstance(node, NodeSwitch):
        return None
    return lambda name, why: node.ask(name, why=why)


def _hearing(
    rate_hz: int,
    owner: TurnOwner,
    end_of_turn: EndOfTurnRule,
    detector: VoiceDetector | None,
) -> list[Processor]:
    """What hears that the caller speaks, and that they have finished."""
    if end_of_turn == "silence":
        return [VoiceActivity(rate_hz=rate_hz, detector=detector)]
    if owner is not TurnOwner.LOCAL:
        raise SettingsError(
            "end_of_turn smart needs turns that are ours, but the provider owns them; "
            "set turn_owner to TurnOwner.LOCAL, or end_of_turn to silence"
        )
    return [
        VoiceActivity(rate_hz=rate_hz, detector=two_stage_detector(stop_ms=ASK_AFTER_MS)),
        EndOfTurn(rate_hz=rate_hz, judge=_smart_turn()),
    ]


def _smart_turn() -> TurnJudge:
    # Imported only for those who ask for it: the model takes 20 MB.
    from crossfade.processors.smart_turn import shared_smart_turn

    return shared_smart_turn()
