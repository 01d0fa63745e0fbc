"""The cascaded speech node: pipecat's recognisers, text models and synthesisers in the place of a
speech-to-speech model."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from pipecat.frames.frames import (
    LLMUpdateSettingsFrame,
    STTUpdateSettingsFrame,
    TTSUpdateSettingsFrame,
)
from pipecat.processors.frame_processor import FrameProcessorSetup
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService

from crossfade.conversation.ledger import Conversation
from crossfade.conversation.tools import ToolDeclaration
from crossfade.conversation.turns import UserTurn
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame
from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    StartFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import InputTextRawFrame, UserPartialTranscriptFrame, UserTranscriptFrame
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallResultFrame,
    ToolCallsFrame,
    ToolCancelFrame,
)

from .base import DOWNSTREAM, UPSTREAM, FrameDirection
from .cascade_answer import Answer
from .cascade_answers import Answers
from .cascade_hearing import Hearing
from .cascade_speaking import Speaking
from .cascade_turn import Foreseen, Heard, Partial, Said, Withdrawn
from .cascade_writing import Writing
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
        unfinished: What the user said elsewhere that nobody answered yet, s16le mono at `rate_hz`.
        rate_hz: Rate of the user's audio, mono.
        speech_rate_hz: Rate of the speech that it sends on, mono; the synthesiser's is converted.
    """

    passes_on = (InterruptionFrame, PlayoutHoldFrame)

    def __init__(
        self,
        *,
        stt: STTService,
        llm: LLMService[Any],
        tts: TTSService,
        conversation: Conversation,
        instructions: str = "",
        tools: Sequence[ToolDeclaration] = (),
        unfinished: bytes = b"",
        rate_hz: int = 16000,
        speech_rate_hz: int = 24000,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._conversation = conversation
        self._instructions = instructions
        self._declared = tools
        self._rate_hz = rate_hz
        self._services = (stt, llm, tts)
        self._unfinished = unfinished
        self._early: list[Frame] = []
        self._hearing = Hearing(
            stt,
            rate_hz=rate_hz,
            tell=self._tell,
            metrics=self.push_frame,
            error=self._upwards,
            soon=self._soon,
        )
        self._answers = Answers(self.name, self.push_frame)
        self._speaking = Speaking(
            tts,
            answers=self._answers,
            rate_hz=speech_rate_hz,
            push=self.push_frame,
            push_audio=self.push_audio,
            clock_ns=lambda: self.get_clock().get_time(),
            spoken=self._finish,
            error=self._upwards,
        )
        self._writing = Writing(
            llm,
            conversation=conversation,
            tools=tools,
            answers=self._answers,
            speaking=self._speaking,
            has_floor=lambda: self._hearing.has_floor,
            finish=self._finish,
            push=self.push_frame,
            error=self._upwards,
            soon=self._soon,
        )
        self._stages = (self._hearing.stage, self._writing.stage, self._speaking.stage)

    @property
    def services(self) -> tuple[STTService, LLMService[Any], TTSService]:
        """The recogniser, the text model and the synthesiser."""
        return self._services

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
        self._writing.note_fresh(takeover.fresh)
        if takeover.wanted is not Wanted.NOTHING:
            await self._writing.want(rest=takeover.wanted is Wanted.REST)

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
                self._writing.note_result(frame)
            case ToolCancelFrame() if direction is UPSTREAM:
                self._writing.note_cancelled(frame.tool_call_id)
            case _ if direction is DOWNSTREAM:
                self._hearing.note(frame)

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InputTextRawFrame():
                await self._writing.want()
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
                self._writing.stage.put(frame)
                return
            case TTSUpdateSettingsFrame():
                self._speaking.stage.put(frame)
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
                    self._writing.stage.put(LLMUpdateSettingsFrame(delta=told))
                early, self._early = self._early, []
                for each in early:
                    await self.push_frame(each, UPSTREAM)
                self._hear_unfinished()
                await self._hearing.tell()
            case InterruptionFrame():
                await self._answers.tell_cut()
                await self._writing.pay()
                await self._writing.go_on()
            case FunctionCallResultFrame() | ToolCancelFrame() if (
                direction is UPSTREAM and frame.run_llm
            ):
                await self._writing.want()

    def _hear_unfinished(self) -> None:
        pcm, self._unfinished = self._unfinished, b""
        if pcm:
            # Its turn keeps the name under which it was told there.
            entries = self._conversation.entries
            turns = (entry for entry in entries if isinstance(entry, UserTurn) and not entry.final)
            self._hearing.expect([turn.item_id for turn in turns if turn.item_id][-1:])
            self._hearing.hear_first(pcm, self._rate_hz)

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        await super().setup(setup)
        await asyncio.gather(*(stage.setup(setup, self.create_task) for stage in self._stages))

    async def cleanup(self) -> None:
        await super().cleanup()
        self._hearing.stop()
        self._writing.stop()
        for task in await asyncio.gather(*(stage.cleanup() for stage in self._stages)):
            if task is not None:
                await self.cancel_task(task)

    async def _end(self, frame: EndFrame | CancelFrame) -> None:
        self._hearing.stop()
        self._writing.stop()
        if self._answers:
            # Nobody hears the rest of it.
            self._interrupt()
            self._answers.keep_quiet()
            await self._writing.pay()
        if isinstance(frame, EndFrame):
            await asyncio.gather(*(stage.end(frame) for stage in self._stages))
        else:
            await asyncio.gather(*(stage.cancel(frame) for stage in self._stages))

    def _interrupt(self) -> None:
        self._answers.cut()
        self._hearing.stage.interrupt()
        self._writing.interrupt()
        self._speaking.interrupt()

    # What the user said

    async def _tell(self, heard: Heard) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        match heard:
            case Partial(item_id=item_id, text=text):
                partial = UserPartialTranscriptFrame(text, "", now, item_id=item_id)
                await self.push_frame(partial, UPSTREAM)
            case Foreseen():
                await self._writing.begin_ahead(heard)
            case Withdrawn():
                await self._writing.withdraw()
            case Said(item_id=item_id, text=text):
                if not (heard.answer and text):
                    await self._writing.withdraw()
                if text:
                    await self.push_frame(UserTurnCommittedFrame(item_id=item_id), UPSTREAM)
                said = UserTranscriptFrame(text, "", now, item_id=item_id)
                await self.push_frame(said, UPSTREAM)
                if heard.answer and text:
                    await self._writing.answer(heard)
                elif heard.answer:
                    await self._writing.go_on()

    # What the agent says

    async def _acknowledge(self, frame: AcknowledgeFrame) -> None:
        """Say a phrase beside the conversation, unless something is being said."""
        if self._hearing.has_floor or any(answer.voiced for answer in self._answers):
            return
        answer = Answer(injected=True)
        self._answers.add(answer)
        await self._answers.begin(answer)
        await self._speaking.say(answer, frame.text)
        await self._speaking.said_all(answer)

    async def _finish(self, answer: Answer) -> None:
        """An answer is spoken to its end, or has failed."""
        self._answers.drop(answer)
        await self._speaking.end(answer)
        await self._answers.end(answer, "completed" if answer.failure is None else "failed")
        if answer.calls and answer.failure is None and not answer.cut:
            await self.push_frame(ToolCallsFrame.of(answer.id, tuple(answer.calls), self._declared))
        self._writing.over(answer)
        await self._writing.go_on()

    # What goes wrong

    async def _upwards(self, frame: Frame) -> None:
        if not isinstance(frame, ErrorFrame):
            return
        if self.open:
            await self.push_frame(frame, UPSTREAM)
        else:
            self._early.append(frame)

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        self.create_task(work, f"{self.name}::late")


__all__ = ["Cascade"]
