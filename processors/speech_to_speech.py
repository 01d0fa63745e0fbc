"""The native speech node: a provider's session behind the frames of the chain."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

from crossfade.conversation.retelling import waiting_calls
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.errors import CrossfadeError
from crossfade.frames.audio import (
    AudioRawFrame,
    InputAudioRawFrame,
    SpeechPlayedFrame,
)
from crossfade.frames.continuity import (
    AudioLostFrame,
    SessionContinuedFrame,
    SessionLostFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    UserTurnStartProposedFrame,
    UserTurnStopProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    InputTextRawFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallResultFrame,
    ToolCallsFrame,
    ToolCallTakenBackFrame,
    ToolCancelFrame,
)
from crossfade.frames.usage import transcription_metrics, usage_metrics
from crossfade.providers.commands import SendText, SendToolResult
from crossfade.providers.config import TurnDetection
from crossfade.providers.continuity.owed import Debt
from crossfade.providers.continuity.serving import Serving
from crossfade.providers.events import (
    AudioChunk,
    AudioLost,
    Event,
    Interruption,
    LateUsage,
    LineLost,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SessionContinued,
    Severity,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolCallCancelled,
    TranscriptionUsed,
    UserTranscript,
    UserTurnCommitted,
)
from crossfade.providers.profiles import Profile
from crossfade.providers.session import RealtimeSession

from .base import DOWNSTREAM, UPSTREAM, FrameDirection
from .context_keeper import ContextKeeper
from .phrase_rendering import Asides, Rendering
from .preroll import PreRoll
from .sounding import Sounding
from .speech_node import SpeechNode, Takeover, Wanted
from .spoken_responses import SpokenResponse, SpokenResponses
from .tool_answers import Request, ToolAnswers
from .uplink import UPLINK_MS, Uplink

_DEBTS = {
    Wanted.NOTHING: Debt.NOTHING,
    Wanted.ANSWER: Debt.REQUEST,
    Wanted.REST: Debt.REST,
}
_NOT_RUN = "The user interrupted before it was run."
PREROLL_MS = 500
"""Audio from before the user's turn was noticed that goes along with it."""


class SpeechToSpeech(SpeechNode):
    """Speaks with a `RealtimeSession` that was opened before the chain starts.

    Takes the user's audio, text, turns and interruptions, tool results and acknowledgements; sends
    the user's transcripts and the proposed turns upstream, and responses, speech, words, tool
    calls, usage and errors downstream. The calls of one response come as one ToolCallsFrame when
    the response is complete; a response that was cut calls nothing. Where the turns are ours to
    find, the user's audio is sent in turns only, each from half a second before its onset was
    noticed, however long it took to be sure of it.
    The session is told when somebody speaks here, which it needs to outlive its connections; how
    it does so is told both ways, and interrupts nothing.
    Closes the session at the end.

    Args:
        session: The open session.
        rate_hz: Rate of the user's audio, mono; it is converted here to the session's.
        context_tokens: A conversation that is longer is summarised, and the session rotates onto
            the summary; None leaves it to the provider.
        uplink_ms: How much of the user's audio a message holds at least. Longer ones cost less,
            and come later.
    """

    hears = (
        InputTextRawFrame,
        UserImageFrame,
        AcknowledgeFrame,
        FunctionCallResultFrame,
        ToolCancelFrame,
        SpeechPlayedFrame,
        InterruptionFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
        # What sounds
        BotStartedSpeakingFrame,
        BotStoppedSpeakingFrame,
    )
    passes_on = (InterruptionFrame,)

    def __init__(
        self,
        session: RealtimeSession,
        *,
        rate_hz: int,
        context_tokens: int | None = None,
        uplink_ms: int = UPLINK_MS,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._session = session
        self._rate_hz = rate_hz
        self._uplink = Uplink(rate_hz, session.input_rate_hz, message_ms=uplink_ms)
        self._model = session.profile.model
        self._owns_turns = session.config.turn_detection is TurnDetection.CALLER
        self._preroll = PreRoll(PREROLL_MS, session.input_rate_hz)
        self._turn_open = not self._owns_turns
        self._tool_answers = ToolAnswers(session.profile, session.config.tools)
        self._asides = Asides()
        self._context = ContextKeeper(session, self._asides, context_tokens)
        self._sounding = Sounding()
        self._responses = SpokenResponses(session, self._sounding, self)
        self._user_speaks = False
        self._receiver: asyncio.Task[Any] | None = None
        self._relief: asyncio.Task[Any] | None = None

    async def render(self, text: str) -> Rendering:
        """Have a phrase spoken beside the conversation, to be kept; nobody hears it now.

        Raises:
            SettingsError: The model cannot speak outside the conversation.
            CrossfadeError: The session is over, or another model speaks by now.
        """
        rendering = await self._asides.render(self._session, text)
        if self._session.profile.model != self._model:
            raise CrossfadeError(
                f"{self._session.profile.model} has taken over from {self._model}, and speaks in "
                "a voice of its own"
            )
        return rendering

    @property
    def profile(self) -> Profile:
        """What its model can do. Another one may serve after SessionContinuedFrame."""
        return self._session.profile

    @property
    def serving(self) -> Serving:
        """Which provider serves."""
        return self._session.serving

    @property
    def heard_rate_hz(self) -> int:
        """The rate of `unfinished_audio`: the session's."""
        return self._session.input_rate_hz

    def unfinished_audio(self) -> bytes:
        """What the user said that nobody has begun to answer, s16le mono."""
        return self._session.unfinished_audio()

    async def take_over(self, takeover: Takeover) -> None:
        """Serve from now on, with a session that was opened to stand by."""
        conversation, profile = self._session.conversation, self._session.profile
        if conversation is not None:
            self._tool_answers.called(waiting_calls(conversation.entries))
        self._tool_answers.succeed(
            profile, self._session.config.tools, open_calls=profile.open_calls
        )
        turns = {turn.item_id: turn.committed for turn in takeover.turns}
        self._session.take_over(owed=_DEBTS[takeover.wanted], turns=turns)

    @property
    def overrun(self) -> int:
        """Frames of 20 ms of the user's audio that the connection was too slow to send."""
        return super().overrun + round(self._session.statistics().dropped_audio_ms / 20)

    # From the chain to the provider

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if not isinstance(frame, InputAudioRawFrame):
            self.push_audio(frame)
            return
        self.expect(frame, self._rate_hz)
        pcm = self._uplink.process(frame.audio)
        if not self._turn_open:
            self._preroll.add(pcm)
        elif pcm:
            self._session.send_audio_nowait(pcm)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InterruptionFrame():
                self._responses.cut_all()
            case UserStartedSpeakingFrame():
                self._user_speaks = True
            case UserStoppedSpeakingFrame():
                self._user_speaks = False
            case VADUserStartedSpeakingFrame() if direction is DOWNSTREAM:
                # It may become a turn much later, when the answer it was held for is given up.
                self._preroll.pin()
                self._session.user_speaking(True)
            case VADUserStoppedSpeakingFrame() if direction is DOWNSTREAM:
                self._preroll.unpin()
                self._session.user_speaking(False)
        self._sounding.note(frame)
        self._session.playing = self._sounding.now

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        match frame:
            case InputTextRawFrame():
                await self._ask(self._session.send_text(frame.text))
                return
            case UserImageFrame():
                await self._ask(self._session.send_image(frame.data, frame.media_type))
                return
            case AcknowledgeFrame():
                await self._acknowledge(frame)
                return
            case FunctionCallResultFrame() if direction is UPSTREAM:
                await self._answer_tool(self._tool_answers.result(frame))
            case ToolCancelFrame() if direction is UPSTREAM:
                await self._answer_tool(self._tool_answers.cancelled(frame))
            case SpeechPlayedFrame() if direction is UPSTREAM and frame.interrupted:
                await self._interrupt(frame)
            case UserStartedSpeakingFrame() if self._owns_turns and direction is DOWNSTREAM:
                await self._ask(self._start_turn(str(frame.id)))
            case UserStoppedSpeakingFrame() if self._owns_turns and direction is DOWNSTREAM:
                self._turn_open = False
                await self._ask(self._end_turn(self._uplink.rest()))
            case EndFrame() | CancelFrame():
                await self._stop()
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._receiver = self.create_task(self._receive(), f"{self.name}::receiver")

    async def cleanup(self) -> None:
        await super().cleanup()
        await self._stop()

    async def _start_turn(self, turn_id: str) -> None:
        await self._session.start_turn(turn_id)
        if pcm := self._preroll.take():
            self._session.send_audio_nowait(pcm)
        self._turn_open = True

    async def _end_turn(self, rest: bytes) -> None:
        if rest:
            self._session.send_audio_nowait(rest)
        await self._session.end_turn()

    async def _acknowledge(self, frame: AcknowledgeFrame) -> None:
        if self._session.profile.out_of_band and not self._user_speaks:
            await self._ask(self._session.say(frame.text))

    async def _answer_tool(self, requests: Sequence[Request]) -> None:
        for request in requests:
            match request:
                case SendToolResult(result=result, final=final, delivery=delivery):
                    sent = self._session.send_tool_response(
                        result.call_id,
                        result.output,
                        is_error=result.is_error,
                        final=final,
                        delivery=delivery,
                    )
                    await self._ask(sent)
                case SendText(text=text, respond=respond, call_id=call_id):
                    sent = self._session.send_text(text, respond=respond, call_id=call_id)
                    await self._ask(sent)
                # While the user speaks, the answer to the user's turn covers the results as well.
                case _ if not self._user_speaks:
                    await self._ask(self._session.respond())

    async def _interrupt(self, frame: SpeechPlayedFrame) -> None:
        played = {i.origin.item_id: i.played_ms for i in frame.items if not i.origin.injected}
        await self._ask(self._session.interrupt(played))

    async def _ask(self, request: Awaitable[None]) -> None:
        """Make a request; a session that is over has told so already, by its receiver."""
        try:
            await request
        except CrossfadeError as error:
            if self._receiver is not None and not self._receiver.done():
                await self.push_error(str(error), exception=error)

    async def _stop(self) -> None:
        tasks = [task for task in (self._relief, self._receiver) if task is not None]
        self._relief = self._receiver = None
        for task in tasks:
            await self.cancel_task(task)
        await self._session.close()

    # From the provider to the chain

    async def _receive(self) -> None:
        self._session.on_speech = self._responses.speak_on
        try:
            async for event in self._session:
                if not self._asides.take(event):
                    await self._handle(event)
                elif isinstance(event, ResponseDone):
                    await self._count(event)
        except CrossfadeError as error:
            await self.push_error(str(error), exception=error, force_treat_as_permanent=True)
        except Exception as error:
            await self.push_error(
                f"{self.name} failed on an event of the session: {error!r}",
                exception=error,
                force_treat_as_permanent=True,
            )

    async def _handle(self, event: Event) -> None:
        match event:
            case AudioChunk():
                await self._responses.speak(event)
            case TextDelta():
                await self._responses.word(event)
            case ResponseStarted():
                await self._responses.begin(event)
            case ToolCall():
                self._responses.call(event)
            case ToolCallCancelled():
                self._responses.take_back(event.call_id)
                await self.push_frame(ToolCallTakenBackFrame(call_id=event.call_id))
            case ResponseDone():
                await self._finish(event)
            case LateUsage() | TranscriptionUsed():
                await self._charge_late(event)
            case Interruption():
                await self._cut(event)
            case ProviderError():
                # Of a response that failed, its end has told already; what ends the connection is
                # told by what becomes of the session.
                if event.severity is Severity.REQUEST and event.response_id is None:
                    await self.push_error(event.message)
            case _:
                await self._carry_on(event)

    async def _carry_on(self, event: Event) -> None:
        match event:
            case LineLost():
                await self.broadcast_frame(SessionLostFrame, message=event.message, code=event.code)
            case AudioLost():
                await self.broadcast_frame(AudioLostFrame, lost_ms=event.lost_ms)
            case SessionContinued():
                profile, tools = self._session.profile, self._session.config.tools
                self._tool_answers.succeed(profile, tools, open_calls=event.open_calls)
                self._context.session_continued()
                await self.broadcast_frame(
                    SessionContinuedFrame,
                    why=event.why,
                    provider=event.provider,
                    session_id=event.session_id,
                    profile=profile,
                    resumed=event.resumed,
                    open_calls=event.open_calls,
                    gap_ms=event.gap_ms,
                    replayed_ms=event.replayed_ms,
                )
            case _:
                await self._user_event(event)

    async def _cut(self, event: Interruption) -> None:
        self._responses.cut(event.response_id)
        if not self._user_speaks:
            # All that some wires tell of the user's speech. What is left of the playout is cut by
            # it, too, also when the response is done long since.
            await self.push_frame(UserTurnStartProposedFrame(), UPSTREAM)

    async def _user_event(self, event: Event) -> None:
        frame: Frame
        match event:
            case SpeechStarted():
                frame = UserTurnStartProposedFrame(item_id=event.item_id)
            case SpeechStopped():
                frame = UserTurnStopProposedFrame(item_id=event.item_id)
            case UserTurnCommitted():
                if not self._session.profile.speech_events:
                    await self.push_frame(UserTurnStopProposedFrame(), UPSTREAM)
                frame = UserTurnCommittedFrame(item_id=event.item_id, turn_id=event.turn_id)
            case UserTranscript():
                kind = UserTranscriptFrame if event.final else UserPartialTranscriptFrame
                now = datetime.now(UTC).isoformat(timespec="milliseconds")
                frame = kind(event.text, "", now, item_id=event.item_id)
            case _:
                return
        await self.push_frame(frame, UPSTREAM)

    async def _count(self, event: ResponseDone) -> None:
        if event.usage is not None:
            await self._charge(event.usage, event.response_id)

    async def _charge_late(self, event: LateUsage | TranscriptionUsed) -> None:
        if isinstance(event, LateUsage):
            await self._charge(event.usage, event.response_id)
            return
        await self.push_frame(
            transcription_metrics(
                self.name,
                event.model,
                event.usage,
                seconds=event.seconds,
                provider=self._session.serving.provider.partition(":")[0],
            )
        )

    async def _charge(self, usage: Usage, response_id: str) -> None:
        await self.push_frame(
            usage_metrics(
                self.name,
                self._session.profile.model,
                usage,
                provider=self._session.serving.provider.partition(":")[0],
                response_id=response_id,
            )
        )

    async def _finish(self, event: ResponseDone) -> None:
        response = await self._responses.end(event)
        await self._count(event)
        if event.status is ResponseStatus.FAILED:
            await self.push_error(f"the response failed: {event.reason or 'no reason given'}")
        if response is not None and response.calls and event.status is ResponseStatus.COMPLETED:
            await self._call(response)
        if response is not None and not response.injected and self._context.too_long(event.usage):
            self._relief = self.create_task(self._context.relieve(), f"{self.name}::context")

    async def _call(self, response: SpokenResponse) -> None:
        """Have the calls of a whole response run; those of one that was cut meanwhile are not, and
        its model, which waits for their results, is told so."""
        calls, tools = tuple(response.calls), self._session.config.tools
        self._tool_answers.called(calls)
        if not response.cut:
            await self.push_frame(ToolCallsFrame.of(response.id, calls, tools))
            return
        for call in calls:
            cancel = ToolCancelFrame(call.name, call.id, reason=_NOT_RUN, tell=True)
            await self._answer_tool(self._tool_answers.cancelled(cancel))
