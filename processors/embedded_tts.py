"""The embedded voice as a service of pipecat's: understandable, and no more."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Protocol

from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService

from crossfade.errors import CrossfadeError
from crossfade.frames.audio import TTSAudioRawFrame
from crossfade.frames.control import ErrorFrame, Frame


class Voice(Protocol):
    """Speaks text, such as the voices of `offline` do."""

    @property
    def rate_hz(self) -> int:
        """The sample rate of what it speaks."""

    def speak(self, text: str) -> AsyncIterator[bytes]:
        """s16le mono in chunks, as fast as it is made."""


class EmbeddedTTS(TTSService):
    """Speaks with a voice of this machine.

    Args:
        voice: Does the work; it is started and closed by whoever gives it.
    """

    def __init__(self, voice: Voice, **options: Any) -> None:
        super().__init__(
            settings=TTSSettings(model="embedded", voice=None, language=None),
            sample_rate=voice.rate_hz,
            push_start_frame=True,
            push_stop_frames=True,
            **options,
        )
        self._voice = voice

    def can_generate_metrics(self) -> bool:
        """It can."""
        return True

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        """Speak a piece of text."""
        await self.start_tts_usage_metrics(text)
        try:
            async for pcm in self._voice.speak(text):
                yield TTSAudioRawFrame(
                    audio=pcm,
                    sample_rate=self._voice.rate_hz,
                    num_channels=1,
                    context_id=context_id,
                )
        except CrossfadeError as error:
            yield ErrorFrame(error=str(error), exception=error, processor=self)


__all__ = ["EmbeddedTTS", "Voice"]
