"""Has the agent say something while tools run, in its own voice."""

import asyncio
import uuid
from collections import deque
from collections.abc import Sequence

from crossfade.audio.energy import sound_spans
from crossfade.audio.pcm import bytes_for, duration_ms
from crossfade.frames.audio import (
    AudioRawFrame,
    SpeechFrame,
    SpeechOrigin,
    SpeechPlayedFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import SpokenTextFrame, TextType
from crossfade.frames.tools import AcknowledgeFrame, ToolActivityFrame, ToolPhase

from .acknowledgement import Acknowledgement
from .base import UPSTREAM, FrameDirection, Processor
from .phrases import Phrases
from .playout import Playout

FADE_S = 0.2
"""Voice activity takes a word to end so much later than it is heard to end, at most."""
_EARLY_S = 1e-6
_TAIL_MS = 1000
_TAIL_FRAMES = 50
_RESPONSES_KEPT = 16


class Acknowledger(Processor):
    """Fills the silence while tools run, as `Acknowledgement` decides it.

    Stands behind the speech node. A phrase is played from the store at once, as a response of its
    own that is marked as injected: the queue, the ledger and the truncation tell it from the
    model's own. What the model says meanwhile queues behind it. The user's speech, from the first
    sound that local voice activity hears, keeps it silent.

    Args:
        playout: The agent's speech, to know when it was last heard.
        phrases: The agent's voice; None where the node speaks by itself: it is asked to, by an
            AcknowledgeFrame.
        texts: All that may have to be said, those that are needed first in front.
    """

    hears = (
        ToolActivityFrame,
        ResponseStartFrame,
        ResponseEndFrame,
        PlayoutHoldFrame,
        PlayoutResumeFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
        SpeechDroppedFrame,
        InterruptionFrame,
        UserStartedSpeakingFrame,
        UserStoppedSpeakingFrame,
        # The agent falls silent, sooner than was reckoned if what it said ends with silence.
        SpeechPlayedFrame,
    )
    passes_on = (InterruptionFrame, PlayoutHoldFrame)

    def __init__(
        self,
        playout: Playout,
        *,
        phrases: Phrases | None,
        texts: Sequence[str],
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._playout = playout
        self._phrases = phrases
        self._texts = texts
        self._plan = Acknowledgement()
        self._timer: asyncio.TimerHandle | None = None
        self._making: asyncio.Task[None] | None = None
        # Who has the floor
        self._user_speaks = False
        self._user_sounds = False
        self._held = False
        self._speaking: str | None = None
        """The model's response that is speaking and has more to come."""
        self._spoke: deque[str] = deque(maxlen=_RESPONSES_KEPT)
        # What was heard last
        self._tail: deque[AudioRawFrame] = deque(maxlen=_TAIL_FRAMES)
        self._tail_silence_s: float | None = None
        self._turn_began_s = 0.0
        self._quiet_since_s = 0.0
        """Of the user; and of the agent, where it was cut."""

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, SpeechFrame) and frame.origin is not None:
            self._note_speech(frame, frame.origin)
        self.push_audio(frame)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        now_s = asyncio.get_running_loop().time()
        match frame:
            case ToolActivityFrame() if direction is UPSTREAM:
                self._note_tool(frame, now_s)
            case ResponseStartFrame() if not frame.injected:
                self._speaking = None
            case ResponseEndFrame() if frame.response_id == self._speaking:
                self._speaking = None
            case PlayoutHoldFrame():
                self._held = True
            case PlayoutResumeFrame():
                self._held = False
            case InterruptionFrame():
                self._held, self._speaking = False, None
                self._forget_tail()
                self._turn_began_s = self._quiet_since_s = now_s
            case EndFrame() | CancelFrame():
                self._forget()
                return
            case _:
                self._note_user(frame, now_s)
        self._watch()

    async def forward(self, frame: Frame, direction: FrameDirection) -> None:
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame) and self._phrases is not None:
            making = self._phrases.make(self._texts, self._watch)
            self._making = self.create_task(making, f"{self.name}::phrases")
        elif isinstance(frame, EndFrame | CancelFrame):
            await self._stop()

    async def cleanup(self) -> None:
        await super().cleanup()
        self._forget()
        await self._stop()

    async def _stop(self) -> None:
        making, self._making = self._making, None
        if making is not None:
            await self.cancel_task(making)

    def _note_speech(self, frame: SpeechFrame, origin: SpeechOrigin) -> None:
        self._tail.append(frame)
        self._tail_silence_s = None
        if origin.response_id == self._speaking:
            return
        self._spoke.append(origin.response_id)
        if not origin.injected:
            self._speaking = origin.response_id
            self._plan.model_spoke()

    def _note_tool(self, frame: ToolActivityFrame, now_s: float) -> None:
        match frame.phase:
            case ToolPhase.STARTED:
                spoke = frame.response_id in self._spoke
                self._plan.began(frame.call_id, now_s, frame.phrases, spoke=spoke)
            case ToolPhase.SLOW:
                self._plan.slow(frame.call_id, now_s)
            case ToolPhase.ENDED:
                self._plan.ended(frame.call_id)

    def _note_user(self, frame: Frame, now_s: float) -> None:
        match frame:
            case VADUserStartedSpeakingFrame():
                self._user_sounds = True
            case VADUserStoppedSpeakingFrame():
                self._user_sounds = False
                self._quiet_since_s = max(self._quiet_since_s, now_s - frame.stop_secs - FADE_S)
            case SpeechDroppedFrame():
                self._user_sounds = False
            case UserStartedSpeakingFrame():
                self._user_speaks = True
                self._turn_began_s = now_s
            case UserStoppedSpeakingFrame():
                self._user_speaks = False
                # By what local voice activity heard, if it heard the turn at all.
                if self._quiet_since_s <= self._turn_began_s:
                    self._quiet_since_s = now_s

    # When

    def _watch(self) -> None:
        """Come back when something may be due."""
        self._forget()
        due_s = self._due_s()
        if due_s is not None and self.open:
            self._timer = asyncio.get_running_loop().call_at(due_s, self._come)

    def _come(self) -> None:
        self._timer = None
        due_s = self._due_s()
        if due_s is None:
            return
        if due_s > asyncio.get_running_loop().time() + _EARLY_S:
            # More was heard since.
            self._watch()
        elif (chosen := self._plan.choose(self._sayable)) is not None:
            self.create_task(self._say(*chosen), f"{self.name}::phrase")

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due_s(self) -> float | None:
        if self._user_speaks or self._user_sounds or self._held or self._speaking is not None:
            return None
        # The first is cheap, and mostly all there is to it.
        if self._plan.due_s(0.0) is None:
            return None
        return self._plan.due_s(max(self._quiet_since_s, self._heard_until_s()))

    def _heard_until_s(self) -> float:
        """When the agent was last heard, or will be by what waits to be played."""
        now_s = asyncio.get_running_loop().time()
        playout = self._playout
        if not playout.empty:
            return max(now_s, playout.released_until_s) + playout.waiting_ms / 1000
        return playout.released_until_s - self._silent_tail_s()

    def _silent_tail_s(self) -> float:
        """How much of what the model said last was silence."""
        if self._tail_silence_s is None:
            self._tail_silence_s = _silent_end_s(self._tail)
        return self._tail_silence_s

    def _forget_tail(self) -> None:
        self._tail.clear()
        self._tail_silence_s = 0.0

    # What

    def _sayable(self, text: str) -> bool:
        return self._phrases is None or self._phrases.find(text) is not None

    async def _say(self, call_id: str, text: str) -> None:
        if self._phrases is None:
            # It takes a moment until that is heard.
            self._quiet_since_s = asyncio.get_running_loop().time()
            await self.push_frame(AcknowledgeFrame(call_id=call_id, text=text), UPSTREAM)
            return
        pcm = self._phrases.find(text)
        if pcm is None:
            return
        name = f"acknowledgement_{uuid.uuid4().hex[:16]}"
        origin = SpeechOrigin(item_id=name, response_id=name, injected=True)
        await self.push_frame(ResponseStartFrame(response_id=name, injected=True))
        await self.push_frame(TTSStartedFrame(context_id=name))
        await self.push_frame(
            SpokenTextFrame(
                text, TextType.SENTENCE, context_id=name, response_id=name, injected=True
            )
        )
        # Something may have come in between; then it stays unsaid.
        said = self._due_s() is not None
        if said:
            await self.push_frame(AcknowledgeFrame(call_id=call_id, text=text))
            self._forget_tail()
            self.push_audio(
                SpeechFrame(
                    audio=pcm,
                    sample_rate=self._phrases.rate_hz,
                    num_channels=1,
                    context_id=name,
                    origin=origin,
                )
            )
        await self.push_frame(TTSStoppedFrame(context_id=name))
        status = "completed" if said else "interrupted"
        await self.push_frame(ResponseEndFrame(response_id=name, status=status))


def _silent_end_s(frames: Sequence[AudioRawFrame]) -> float:
    """How long the silence is that speech ends with, as far as is looked for it."""
    if not frames:
        return 0.0
    rate_hz = frames[-1].sample_rate
    pcm = b"".join(frame.audio for frame in frames)[-bytes_for(_TAIL_MS, rate_hz) :]
    spans = sound_spans(pcm, rate_hz)
    return (duration_ms(pcm, rate_hz) - (spans[-1][1] if spans else 0.0)) / 1000


__all__ = ["Acknowledger"]
