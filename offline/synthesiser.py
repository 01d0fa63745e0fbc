"""Speech from text with espeak-ng, which runs in a child process and is never linked here."""

import shutil
from collections.abc import AsyncIterator
from importlib.util import find_spec
from types import TracebackType
from typing import Self

from crossfade.audio.pcm import duration_ms
from crossfade.audio.resample import resample
from crossfade.errors import SettingsError

from .framing import Message
from .voice import Spoken, Word, chunks, sentences
from .worker import Worker


def synthesiser_available() -> str | None:
    """None if espeak-ng can be run here, else the reason why not and what to install."""
    if find_spec("espeakng_loader") or shutil.which("espeak-ng"):
        return None
    return (
        "espeak-ng is not installed; "
        "run `pip install crossfade[offline]`, or install your system's package espeak-ng"
    )


class Synthesiser:
    """espeak-ng in a child process; an async context manager, for any number of speakers.

    A `speak` that is cancelled or left early does not disturb the next. If the child dies it is
    started again once for the text at hand.

    Args:
        rate_hz: The sample rate wanted; espeak-ng's own 22050 Hz is resampled to it.
        voice: An espeak-ng voice.
    """

    def __init__(self, rate_hz: int = 24000, voice: str = "en-us") -> None:
        self.rate_hz = rate_hz
        self._voice = voice
        self._worker = Worker("crossfade.offline.espeak_worker", "the synthesiser")

    async def __aenter__(self) -> Self:
        """Start the child.

        Raises:
            SettingsError: espeak-ng is not installed.
            ProviderFault: It does not run, or has no such voice.
        """
        if reason := synthesiser_available():
            raise SettingsError(reason)
        try:
            await self._worker.ask_again(Message({"voice": self._voice, "text": " "}))
        except BaseException:
            await self._worker.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._worker.close()

    async def speak(self, text: str) -> AsyncIterator[bytes]:
        """Mono PCM at `rate_hz` in chunks of up to 40 ms, made sentence by sentence.

        Raises:
            ProviderFault: espeak-ng failed, or died twice in a row.
        """
        async for pcm, _ in self._sentences(text):
            for chunk in chunks(pcm, self.rate_hz):
                yield chunk

    async def render(self, text: str) -> Spoken:
        """The whole text as sound, with the times of its words.

        Raises:
            ProviderFault: espeak-ng failed, or died twice in a row.
        """
        pcm = b""
        words: list[Word] = []
        async for sound, spoken in self._sentences(text):
            before_ms = duration_ms(pcm, self.rate_hz)
            words += (Word(text=word, at_ms=before_ms + at_ms) for word, at_ms in spoken)
            pcm += sound
        return Spoken(pcm=pcm, rate_hz=self.rate_hz, words=tuple(words))

    async def _sentences(self, text: str) -> AsyncIterator[tuple[bytes, list[tuple[str, float]]]]:
        """Each sentence's sound, with its words and when in it they begin (in ms)."""
        for sentence in sentences(text):
            request = Message({"voice": self._voice, "text": sentence})
            head, pcm = await self._worker.ask_again(request)
            yield resample(pcm, head["rate_hz"], self.rate_hz), head["words"]
