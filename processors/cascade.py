"""The cascaded speech node: pipecat's recognisers, text models and synthesisers in the place of a
speech-to-speech model."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from pipecat.frames.frames import (
    AggregatedTextFrame,
    LLMContextFrame,
    LLMUpdateSettingsFrame,
    STTUpdateSettingsFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.services.settings import LLMSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from crossfade.conversation.history import HistoryItem, Notice, Speaker, Utterance
from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolCall, ToolDeclaration
from crossfade.conversation.usage import Usage
from crossfade.frames.audio import (
    AudioRawFrame,
    InputAudioRawFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    StartFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    InputTextRawFrame,
    LLMTextFrame,
    SpokenTextFrame,
    TextType,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    ToolCallsFrame,
    ToolCancelFrame,
    is_final,
)
from crossfade.frames.usage import service_provider, usage_metrics, usage_of
from crossfade.providers.continuity.seeding import GO_ON

from .base import DOWNSTREAM, UPSTREAM, FrameDirection
from .cascade_ahead import Ahead
from .cascade_answer import Answer
from .cascade_clauses import speakable
from .cascade_context import ContextBuilder
from .cascade_hearing import Hearing
from .cascade_stage import Stage
from .cascade_turn import Foreseen, Heard, Partial, Said, Withdrawn
from .speech_node import SpeechNode, Takeover, Wanted


class Cascade(SpeechNode):
    """Hears, thinks and speaks with three of pipecat's services.

    Outside it is the speech node, as docs/speech-node.md has it: it takes and sends the frames of
    SpeechToSpeech. The turns are ours: the user's turn ends with UserStoppedSpeakingFrame, and is
    answered once its words are there. The text model is told the conversation anew with each
    request, as the ledger has it: interrupted answers as they were heard, calls with their
    results. An answer is cut into speakable pieces while it is written, and spoken from the first
    clause on. The model's calls are left to the dispatcher. Where the recogniser tells early that
    a turn has probably ended, the model begins at once, and nobody hears of it until the turn has
    ended with the same words; else it begins anew.

    Args:
        stt: The recogniser.
        llm: The text model.
        tts: The synthesiser.
        conversation: What was said; read, and never written.
        instructions: What the agent shall be; empty leaves the model its own.
        tools: What the model may call.
        rate_hz: Rate of the user's audio, mono.
        speech_rate_hz: Rate of the speech that it sends on, mono; the synthesiser's is converted.
    """

    def __init__(
        self,
        *,
        stt: STTService,
        llm: LLMService[Any],
        tts: TTSService,
        conversation: Conversation,
        instructions: str = "",
        tools: Sequence[ToolDeclaration] = (),
        rate_hz: int = 16000,
        speech_rate_hz: int = 24000,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._conversation = conversation
        self._instructions = instructions
        self._declared = tools
        self._context = ContextBuilder(tools)
        self._rate_hz, self._speech_rate_hz = rate_hz, speech_rate_hz
        self._hearing = Hearing(
            stt,
            rate_hz=rate_hz,
            tell=self._tell,
            metrics=self.push_frame,
            error=self._upwards,
            soon=self._soon,
        )
        llm.register_function(None, _leave_to_dispatcher)
        self._llm = Stage(llm, self._written, self._llm_upwards)
        self._tts = Stage(tts, self._voiced, self._upwards)
        self._stages = (self._hearing.stage, self._llm, self._tts)
        self._early: list[Frame] = []
        # What is being answered, and what waits for it
        self._answering: Answer | None = None
        self._wanted = self._rest_wanted = False
        self._fresh: set[str] = set()
        self._parts: dict[str, Any] = {}
        self._ahead: Ahead | None = None
        self._owed: list[MetricsFrame] = []
        # Answers that are not over, and the one whose sound comes
        self._answers: dict[str, Answer] = {}
        self._cut: list[Answer] = []
        self._speaking: Answer | None = None

    @property
    def overrun(self) -> int:
        """Frames of the user's audio that the recogniser was too slow for."""
        return super().overrun + self._hearing.stage.dropped_audio

    @property
    def heard_rate_hz(self) -> int:
        """The rate of `unfinished_audio`: the chain's."""
        return self._rate_hz

    def unfinished_audio(self) -> bytes:
        """What the user said that was not put into words yet, s16le mono."""
        return self._hearing.unfinished

    async def take_over(self, takeover: Takeover) -> None:
        """Serve from now on; the conversation is read with each request."""
        self._hearing.expect(turn.item_id for turn in takeover.turns)
        self._fresh |= takeover.fresh
        if takeover.wanted is not Wanted.NOTHING:
            self._rest_wanted = takeover.wanted is Wanted.REST
            await self._want_answer()

    # From the chain

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, InputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._rate_hz)
        if frame.audio:
            self._hearing.put_audio(frame)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InterruptionFrame():
                self._interrupt()
            case FunctionCallResultFrame() if direction is UPSTREAM:
                self._note_result(frame)
            case ToolCancelFrame() if direction is UPSTREAM:
                self._parts.pop(frame.tool_call_id, None)
            case _ if direction is DOWNSTREAM:
                self._hearing.note(frame)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InputTextRawFrame():
                await self._want_answer()
                return
            case UserImageFrame():
                # The ledger has it, and so has the next request.
                return
            case AcknowledgeFrame():
                await self._acknowledge(frame)
                return
            case STTUpdateSettingsFrame():
                self._hearing.stage.put(frame)
                return
            case LLMUpdateSettingsFrame():
                self._llm.put(frame)
                return
            case TTSUpdateSettingsFrame():
                self._tts.put(frame)
                return
            case StartFrame():
                await asyncio.gather(*(stage.start(frame) for stage in self._stages))
            case EndFrame() | CancelFrame():
                await self._end(frame)
        await self._hearing.tell()
        await self.push_frame(frame, direction)
        await self._then(frame, direction)

    async def _then(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case StartFrame():
                if self._instructions:
                    told = LLMSettings(system_instruction=self._instructions)
                    self._llm.put(LLMUpdateSettingsFrame(delta=told))
                early, self._early = self._early, []
                for each in early:
                    await self.push_frame(each, UPSTREAM)
            case InterruptionFrame():
                while self._cut:
                    await self._tell_end(self._cut.pop(0), "interrupted")
                await self._pay()
                await self._go_on()
            case FunctionCallResultFrame() | ToolCancelFrame() if (
                direction is UPSTREAM and frame.run_llm
            ):
                await self._want_answer()

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        await asyncio.gather(*(stage.setup(setup, self.create_task) for stage in self._stages))

    async def cleanup(self) -> None:
        await super().cleanup()
        self._hearing.stop()
        for task in await asyncio.gather(*(stage.cleanup() for stage in self._stages)):
            if task is not None:
                await self.cancel_task(task)

    async def _end(self, frame: EndFrame | CancelFrame) -> None:
        self._hearing.stop()
        if self._answers:
            # Nobody hears the rest of it.
            self._interrupt()
            self._cut.clear()
            await self._pay()
        if isinstance(frame, EndFrame):
            await asyncio.gather(*(stage.end(frame) for stage in self._stages))
        else:
            await asyncio.gather(*(stage.cancel(frame) for stage in self._stages))

    def _interrupt(self) -> None:
        for answer in self._answers.values():
            answer.cut = True
            if answer.begun:
                self._cut.append(answer)
        self._answers.clear()
        if self._ahead is not None:
            self._owed += self._ahead.usage
        self._answering = self._speaking = self._ahead = None
        for stage in self._stages:
            stage.interrupt()

    # What the user said

    async def _tell(self, heard: Heard) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        match heard:
            case Partial(item_id=item_id, text=text):
                partial = UserPartialTranscriptFrame(text, "", now, item_id=item_id)
                await self.push_frame(partial, UPSTREAM)
            case Foreseen():
                await self._begin_ahead(heard)
            case Withdrawn():
                await self._withdraw()
            case Said(item_id=item_id, text=text):
                if not (heard.answer and text):
                    await self._withdraw()
                if text:
                    await self.push_frame(UserTurnCommittedFrame(item_id=item_id), UPSTREAM)
                said = UserTranscriptFrame(text, "", now, item_id=item_id)
                await self.push_frame(said, UPSTREAM)
                if heard.answer and text:
                    await self._answer(heard)
                elif heard.answer:
                    await self._go_on()

    # What is to be answered

    async def _want_answer(self) -> None:
        """An answer is due; to what the user says while they speak, and after the one at hand."""
        self._wanted = True
        await self._go_on()

    async def _go_on(self) -> None:
        if self._wanted and self._answering is None and not self._hearing.has_floor:
            await self._answer()

    async def _answer(self, said: Said | None = None) -> None:
        """Ask the model, and let the answer cover everything that waits for one.

        Args:
            said: The user's turn, which need not be in the ledger yet.
        """
        if said is not None and self._ahead is not None and await self._confirm(said):
            return
        failed = self._answering
        if failed is not None and failed.failure is None:
            self._wanted = True
            return
        self._wanted = False
        if failed is not None:
            # A service may tell what went wrong, and then not that it is over.
            await self._finish(failed)
        fresh, self._fresh = self._fresh, set()
        history: Sequence[HistoryItem]
        rest, self._rest_wanted = self._rest_wanted, False
        if said is None:
            history = self._conversation.history(open_calls=True)
            if rest:
                history = (*history, Notice(text=GO_ON))
        else:
            history = _asked(self._history_before(said.item_id), said.text)
            fresh.clear()
        answer = self._answering = Answer()
        self._answers[answer.id] = answer
        self._llm.put(LLMContextFrame(self._context.build(history, parts=self._parts, fresh=fresh)))

    # What is begun before the turn has certainly ended

    async def _begin_ahead(self, foreseen: Foreseen) -> None:
        """Ask the model already, unless something else is being answered."""
        await self._withdraw()
        if self._answers:
            return
        before = self._history_before(foreseen.item_id)
        ahead = Ahead(text=foreseen.text, history=before, parts=dict(self._parts))
        self._ahead, self._answering = ahead, ahead.answer
        self._answers[ahead.answer.id] = ahead.answer
        history = _asked(before, foreseen.text)
        self._llm.put(LLMContextFrame(self._context.build(history, parts=self._parts)))

    async def _confirm(self, said: Said) -> bool:
        """The turn has ended: let out what was held, if it answers these words."""
        ahead = self._ahead
        assert ahead is not None
        if not ahead.fits(said.text, self._history_before(said.item_id), self._parts):
            await self._withdraw()
            return False
        ahead.confirmed = True
        self._wanted = self._rest_wanted = False
        self._fresh.clear()
        while ahead.held:
            # What is written meanwhile waits behind.
            await self._write(ahead.held.popleft())
        if self._ahead is ahead:
            self._ahead = None
        return True

    async def _withdraw(self) -> None:
        """Nobody hears of what was begun ahead; what it took is charged nevertheless."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return
        answer = ahead.answer
        answer.cut = True
        self._answers.pop(answer.id, None)
        if answer is self._answering:
            self._answering = None
        self._llm.interrupt()
        self._owed += ahead.usage
        await self._pay()

    async def _pay(self) -> None:
        """Charge what was begun ahead and came to nothing."""
        while self._owed:
            await self._measured(self._owed.pop(0))

    def _history_before(self, item_id: str) -> Sequence[HistoryItem]:
        return self._conversation.history(open_calls=True, without={item_id})

    def _note_result(self, frame: FunctionCallResultFrame) -> None:
        if is_final(frame):
            self._parts.pop(frame.tool_call_id, None)
            self._fresh.add(frame.tool_call_id)
        else:
            self._parts[frame.tool_call_id] = frame.result

    # What the model writes

    async def _written(self, frame: Frame) -> None:
        if self._ahead is not None and not self._llm.stale:
            self._ahead.held.append(frame)
        else:
            await self._write(frame)

    async def _write(self, frame: Frame) -> None:
        if isinstance(frame, MetricsFrame):
            await self._measured(frame)
            return
        answer = self._answering
        if self._llm.stale or answer is None:
            return
        match frame:
            case LLMFullResponseStartFrame() if not answer.begun:
                await self._begin(answer)
            case LLMTextFrame() if answer.begun:
                for piece in answer.clauses.feed(frame.text):
                    await self._say(answer, piece)
            case FunctionCallsStartedFrame():
                answer.calls += (
                    ToolCall(
                        id=call.tool_call_id,
                        name=call.function_name,
                        arguments=call.arguments,
                        response_id=answer.id,
                    )
                    for call in frame.function_calls
                )
            case LLMFullResponseEndFrame() if answer.begun:
                await self._say(answer, answer.clauses.flush())
                await self._written_to_end(answer)

    async def _begin(self, answer: Answer) -> None:
        answer.begun = True
        await self.push_frame(ResponseStartFrame(response_id=answer.id, injected=answer.injected))

    async def _say(self, answer: Answer, piece: str) -> None:
        """Have a piece of an answer spoken."""
        if not piece or answer.cut:
            return
        if speakable(piece):
            if not answer.voiced:
                answer.voiced = True
                self._tts.put(ResponseStartFrame(response_id=answer.id))
            # Some services speak text as it comes, and need the space between two pieces.
            self._tts.put(AggregatedTextFrame(f"{piece.strip()} ", TextType.SENTENCE))
        await self.push_frame(
            SpokenTextFrame(
                piece,
                TextType.TOKEN,
                context_id=answer.item_id,
                response_id=answer.id,
                injected=answer.injected,
            )
        )

    async def _written_to_end(self, answer: Answer) -> None:
        if answer.cut:
            return
        answer.written = True
        if answer.voiced:
            self._tts.put(ResponseEndFrame(response_id=answer.id))
        else:
            await self._finish(answer)

    async def _measured(self, frame: MetricsFrame) -> None:
        """Keep what a model's answer cost, and pass on the rest."""
        others = []
        for data in frame.data:
            if not isinstance(data, LLMUsageMetricsData):
                others.append(data)
            elif self._llm.stale or self._answering is None:
                await self._charge(data.processor, data.model or "", usage_of(data.value))
            else:
                self._answering.usage = usage_of(data.value)
                self._answering.model = data.model or ""
                self._answering.writer = data.processor
        if others:
            await self.push_frame(MetricsFrame(data=others))

    # What is spoken

    async def _acknowledge(self, frame: AcknowledgeFrame) -> None:
        """Say a phrase beside the conversation, unless something is being said."""
        if self._hearing.has_floor or any(answer.voiced for answer in self._answers.values()):
            return
        answer = Answer(injected=True)
        self._answers[answer.id] = answer
        await self._begin(answer)
        await self._say(answer, frame.text)
        await self._written_to_end(answer)

    async def _voiced(self, frame: Frame) -> None:
        match frame:
            case ResponseStartFrame():
                self._speaking = self._answers.get(frame.response_id)
            case TTSAudioRawFrame():
                await self._speak(frame)
            case ResponseEndFrame():
                if answer := self._answers.get(frame.response_id):
                    await self._finish(answer)
            case MetricsFrame():
                await self.push_frame(frame)

    async def _speak(self, frame: TTSAudioRawFrame) -> None:
        answer = self._speaking
        if answer is None or not frame.audio:
            return
        if not (answer.speaks or answer.cut):
            answer.speaks = True
            await self.push_frame(TTSStartedFrame(context_id=answer.id))
        if answer.cut:
            return
        if speech := answer.speech(frame.audio, frame.sample_rate, self._speech_rate_hz):
            self.push_audio(speech)

    async def _finish(self, answer: Answer) -> None:
        """An answer is spoken to its end."""
        self._answers.pop(answer.id, None)
        if answer is self._speaking:
            self._speaking = None
        if answer.speaks:
            if rest := answer.rest(self._speech_rate_hz):
                self.push_audio(rest)
            await self.push_frame(TTSStoppedFrame(context_id=answer.id))
        await self._tell_end(answer, "completed" if answer.failure is None else "failed")
        if answer.calls and answer.failure is None and not answer.cut:
            await self.push_frame(ToolCallsFrame.of(answer.id, tuple(answer.calls), self._declared))
        if answer is self._answering:
            self._answering = None
        await self._go_on()

    async def _tell_end(self, answer: Answer, status: str) -> None:
        received_ms = {answer.item_id: answer.received_ms} if answer.speaks else {}
        await self.push_frame(
            ResponseEndFrame(
                response_id=answer.id,
                status=status,
                usage=answer.usage,
                reason=answer.failure,
                received_ms=received_ms,
            )
        )
        if answer.usage is not None:
            await self._charge(answer.writer, answer.model, answer.usage, response_id=answer.id)

    async def _charge(
        self, writer: str, model: str, usage: Usage, *, response_id: str = ""
    ) -> None:
        await self.push_frame(
            usage_metrics(
                self.name,
                model,
                usage,
                provider=service_provider(writer),
                response_id=response_id,
                speech=False,
            )
        )

    # What goes wrong

    async def _upwards(self, frame: Frame) -> None:
        if not isinstance(frame, ErrorFrame):
            return
        if self.open:
            await self.push_frame(frame, UPSTREAM)
        else:
            self._early.append(frame)

    async def _llm_upwards(self, frame: Frame) -> None:
        answer = self._answering
        if isinstance(frame, ErrorFrame) and self._ahead is not None and not self._ahead.confirmed:
            # It is asked again when the turn has ended.
            await self._withdraw()
            return
        if isinstance(frame, ErrorFrame) and answer is not None and not self._llm.stale:
            answer.failure = frame.error
        await self._upwards(frame)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        self.create_task(work, f"{self.name}::late")


def _asked(before: Sequence[HistoryItem], text: str) -> Sequence[HistoryItem]:
    return (*before, Utterance(speaker=Speaker.USER, text=text))


async def _leave_to_dispatcher(_call: FunctionCallParams) -> None:
    """Run nothing: the chain's own dispatcher does."""


__all__ = ["Cascade"]
