"""The responses of a provider's session on their way into the chain."""

from dataclasses import dataclass, field

from crossfade.audio.pcm import duration_ms
from crossfade.conversation.tools import ToolCall
from crossfade.frames.audio import (
    SpeechFrame,
    SpeechOrigin,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from crossfade.frames.control import ResponseEndFrame, ResponseStartFrame
from crossfade.frames.text import LLMTextFrame, SpokenTextFrame, TextType
from crossfade.providers.events import (
    AudioChunk,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    TextDelta,
)
from crossfade.providers.session import RealtimeSession

from .base import Processor
from .sounding import Sounding


@dataclass(slots=True)
class SpokenResponse:
    """One that is not over."""

    id: str
    injected: bool
    speaks: bool = False
    cut: bool = False
    calls: list[ToolCall] = field(default_factory=list)
    received_ms: dict[str, float] = field(default_factory=dict)
    """How much audio of each item has come."""
    latest: SpeechOrigin | None = None
    """That of the item that spoke last."""

    def origin(self, item_id: str) -> SpeechOrigin:
        """Of speech of one of its items; the same one for all of it."""
        if self.latest is None or self.latest.item_id != item_id:
            self.latest = SpeechOrigin(item_id=item_id, response_id=self.id, injected=self.injected)
        return self.latest


class SpokenResponses:
    """Makes frames of what responses say. Of one that was cut, nothing but its end gets through.

    Args:
        session: Whose they are; it is told that something plays.
        sounding: Told what was generated and what is over.
        node: Pushes the frames and the sound.
    """

    def __init__(
        self,
        session: RealtimeSession,
        sounding: Sounding,
        node: Processor,
    ) -> None:
        self._session = session
        self._rate_hz = session.output_rate_hz
        self._sounding = sounding
        self._node = node
        self._open: dict[str, SpokenResponse] = {}

    async def begin(self, event: ResponseStarted) -> None:
        """A response begins."""
        self._open[event.response_id] = SpokenResponse(event.response_id, event.injected)
        await self._node.push_frame(
            ResponseStartFrame(response_id=event.response_id, injected=event.injected)
        )

    async def speak(self, event: AudioChunk) -> None:
        """Sound of one."""
        response = self._open.get(event.response_id)
        if response is None:
            return
        if not response.speaks:
            response.speaks = True
            await self._node.push_frame(TTSStartedFrame(context_id=response.id))
        self._push_speech(response, event)

    def speak_on(self, event: AudioChunk) -> bool:
        """Take sound without a wake-up; not the first of a response, which begins with a frame."""
        response = self._open.get(event.response_id)
        if response is None or not response.speaks:
            return False
        self._push_speech(response, event)
        return True

    async def word(self, event: TextDelta) -> None:
        """Text of one, spoken or written."""
        response = self._open.get(event.response_id)
        if response is None or response.cut:
            return
        if not event.spoken:
            await self._node.push_frame(LLMTextFrame(event.text))
            return
        await self._node.push_frame(
            SpokenTextFrame(
                event.text,
                TextType.TOKEN,
                context_id=event.item_id,
                response_id=response.id,
                injected=response.injected,
            )
        )

    def call(self, call: ToolCall) -> None:
        """One calls a tool, which is run when it is complete."""
        if response := self._open.get(call.response_id):
            response.calls.append(call)

    def take_back(self, call_id: str) -> None:
        """A call is not to be run."""
        for response in self._open.values():
            response.calls = [call for call in response.calls if call.id != call_id]

    def cut(self, response_id: str) -> None:
        """Nobody is to hear more of one."""
        if response := self._open.get(response_id):
            response.cut = True

    def cut_all(self) -> None:
        """Nor of any other."""
        for response in self._open.values():
            response.cut = True

    async def end(self, event: ResponseDone) -> SpokenResponse | None:
        """Tell that one is over; gives it, unless nobody knew of it."""
        response = self._open.pop(event.response_id, None)
        self._sounding.response_ended(event.response_id)
        if response is not None and response.speaks and not response.cut:
            await self._node.push_frame(TTSStoppedFrame(context_id=response.id))
        status = event.status
        if response is not None and response.cut and status is not ResponseStatus.FAILED:
            # Whole or not by then, nobody is told more of it.
            status = ResponseStatus.INTERRUPTED
        await self._node.push_frame(
            ResponseEndFrame(
                response_id=event.response_id,
                status=status.value,
                usage=event.usage,
                reason=event.reason,
                received_ms={} if response is None else response.received_ms,
            )
        )
        return response

    def _push_speech(self, response: SpokenResponse, event: AudioChunk) -> None:
        if response.cut:
            return
        item_id, rate_hz = event.item_id, self._rate_hz
        received_ms = response.received_ms.get(item_id, 0.0) + duration_ms(event.pcm, rate_hz)
        response.received_ms[item_id] = received_ms
        self._sounding.generated(response.id, item_id)
        self._session.playing = True
        self._node.push_audio(
            SpeechFrame(
                audio=event.pcm,
                sample_rate=rate_hz,
                num_channels=1,
                context_id=response.id,
                origin=response.origin(item_id),
            )
        )


__all__ = ["SpokenResponse", "SpokenResponses"]
