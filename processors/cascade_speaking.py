"""The synthesiser of a cascade: pieces of answers in, sound and the times of words out."""

from collections.abc import Awaitable, Callable

from pipecat.frames.frames import AggregatedTextFrame
from pipecat.services.tts_service import TTSService

from crossfade.conversation.heard import WordTiming
from crossfade.frames.audio import AudioRawFrame, TTSAudioRawFrame, TTSStartedFrame, TTSStoppedFrame
from crossfade.frames.control import (
    ErrorFrame,
    Frame,
    MetricsFrame,
    ResponseEndFrame,
    ResponseStartFrame,
)
from crossfade.frames.text import TextType, TTSTextFrame, WordTimingsFrame

from .cascade_answer import Answer
from .cascade_answers import Answers
from .cascade_clauses import speakable
from .cascade_stage import Stage, Take


class Speaking:
    """Has the answers spoken, one after the other. One of which nothing is heard, since the
    synthesiser fails, has failed.

    Marks around an answer's pieces go through the synthesiser with them, and tell whose sound
    comes out.

    Args:
        service: The synthesiser.
        answers: Those that are not over.
        rate_hz: Rate of the speech that is sent on, mono; the synthesiser's is converted.
        push: Given the frames for the chain.
        push_audio: Given the sound.
        clock_ns: The pipeline's clock.
        spoken: Called with an answer that was spoken to its end.
        error: Given what the synthesiser pushes upstream.
    """

    def __init__(
        self,
        service: TTSService,
        *,
        answers: Answers,
        rate_hz: int,
        push: Take,
        push_audio: Callable[[AudioRawFrame], None],
        clock_ns: Callable[[], int],
        spoken: Callable[[Answer], Awaitable[None]],
        error: Take,
    ) -> None:
        self.stage = Stage(service, self._take, self._take_upstream)
        self._answers = answers
        self._rate_hz = rate_hz
        self._push = push
        self._push_audio = push_audio
        self._clock_ns = clock_ns
        self._spoken = spoken
        self._error = error
        self._trouble: str | None = None
        """What the synthesiser complained of since its last sound."""
        self._sounding: Answer | None = None

    async def say(self, answer: Answer, piece: str) -> None:
        """Have a piece of an answer spoken."""
        if not piece or answer.cut:
            return
        answer.words.text += piece
        await self._answers.word(answer, piece)
        # From here to its end nothing is awaited: no other answer's pieces get in between.
        if speakable(piece) and not answer.cut:
            if not answer.voiced:
                answer.voiced = True
                self.stage.put(ResponseStartFrame(response_id=answer.id))
            # Some services speak text as it comes, and need the space between two pieces.
            self.stage.put(AggregatedTextFrame(f"{piece.strip()} ", TextType.SENTENCE))

    async def said_all(self, answer: Answer) -> None:
        """No more pieces of an answer come."""
        if answer.cut:
            return
        if answer.voiced:
            self.stage.put(ResponseEndFrame(response_id=answer.id))
        else:
            await self._spoken(answer)

    def interrupt(self) -> None:
        """Be silent at once."""
        self._sounding = self._trouble = None
        self.stage.interrupt()

    async def end(self, answer: Answer) -> None:
        """Tell that an answer's sound is over, if there was any."""
        if answer is self._sounding:
            self._sounding = None
        if not answer.speaks:
            return
        if rest := answer.rest(self._rate_hz):
            self._push_audio(rest)
        await self._time(answer, answer.words.sound_ended(answer.received_ms))
        await self._push(TTSStoppedFrame(context_id=answer.id))

    async def _take(self, frame: Frame) -> None:
        match frame:
            case ResponseStartFrame():
                self._sounding = self._answers.find(frame.response_id)
            case TTSAudioRawFrame():
                await self._speak(frame)
            case ResponseEndFrame():
                if answer := self._answers.find(frame.response_id):
                    if not (answer.speaks or answer.calls):
                        answer.failure = answer.failure or self._trouble
                    await self._spoken(answer)
            case TTSTextFrame(pts=int(pts)) if (answer := self._sounding) is not None:
                await self._sound_begins(answer, frame.context_id)
                await self._time(answer, answer.words.word(frame.text, pts))
            case MetricsFrame():
                await self._push(frame)

    async def _take_upstream(self, frame: Frame) -> None:
        if isinstance(frame, ErrorFrame) and not self.stage.stale:
            self._trouble = self._trouble or frame.error
        await self._error(frame)

    async def _speak(self, frame: TTSAudioRawFrame) -> None:
        answer = self._sounding
        if answer is None or not frame.audio:
            return
        self._trouble = None
        if not (answer.speaks or answer.cut):
            answer.speaks = True
            await self._push(TTSStartedFrame(context_id=answer.id))
        if answer.cut:
            return
        await self._sound_begins(answer, frame.context_id)
        if speech := answer.speech(frame.audio, frame.sample_rate, self._rate_hz):
            self._push_audio(speech)

    async def _sound_begins(self, answer: Answer, stretch: str | None) -> None:
        """The first of a stretch comes, which may be a word of it."""
        if stretch != answer.stretch:
            answer.stretch = stretch
            begun = answer.words.sound_begins(self._clock_ns(), answer.received_ms)
            await self._time(answer, begun)

    async def _time(self, answer: Answer, timings: list[WordTiming]) -> None:
        """Tell where words end."""
        if timings and not answer.cut:
            told = WordTimingsFrame(
                response_id=answer.id, item_id=answer.item_id, timings=tuple(timings)
            )
            await self._push(told)


__all__ = ["Speaking"]
