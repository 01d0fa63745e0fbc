"""Text from speech with pocketsphinx, in worker processes because it holds the interpreter."""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

from crossfade.audio.pcm import bytes_for
from crossfade.audio.resample import StreamResampler
from crossfade.errors import SettingsError

from .framing import Message
from .worker import Worker, WorkerDied

RATE_HZ = 16000
LONGEST_UTTERANCE_S = 60
_UNDERSTOOD_FROM = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What was understood."""

    text: str
    """Lower-case words; empty if nothing was heard."""
    in_vocabulary: float
    """The share of the words that belong to the sentences expected, 0.0 to 1.0."""

    @property
    def understood(self) -> bool:
        """Whether the words can be trusted: speech on other subjects falls below 0.9."""
        return self.in_vocabulary >= _UNDERSTOOD_FROM


def recogniser_available() -> str | None:
    """None if pocketsphinx is installed, else what to install."""
    if find_spec("pocketsphinx"):
        return None
    return "pocketsphinx is not installed; run `pip install crossfade[offline]`"


class Recogniser:
    """Recognises speech about what `sentences` talk about; an async context manager.

    Args:
        sentences: Examples of what will be said, the likelier the more often; the language model is
            built from them, with common English words behind so that other speech is noticed.
        workers: Number of processes; a second one pays from about 8 simultaneous speakers.
    """

    def __init__(self, sentences: Sequence[str], workers: int = 1) -> None:
        self._sentences = list(sentences)
        self._workers = [
            Worker("crossfade.offline.sphinx_worker", "the recogniser") for _ in range(workers)
        ]
        self._next_worker = itertools.cycle(self._workers)
        self._numbers = itertools.count()

    async def __aenter__(self) -> Self:
        """Start the workers and build their language model (about a second).

        Raises:
            SettingsError: pocketsphinx is not installed, or there are no sentences.
            ProviderFault: A worker failed to start.
        """
        if reason := recogniser_available():
            raise SettingsError(reason)
        if not any(self._sentences):
            raise SettingsError("the recogniser needs sentences to expect; give it at least one")
        lesson = Message({"do": "learn", "sentences": self._sentences})
        try:
            await asyncio.gather(*(worker.ask_again(lesson) for worker in self._workers))
        except BaseException:
            await self.close()
            raise
        for worker in self._workers:
            worker.setup = (lesson,)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the workers."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def transcribe(self, pcm: bytes, rate_hz: int) -> Recognised:
        """Recognise a whole utterance.

        Raises:
            SoundError: The number of bytes is odd.
            ProviderFault: The worker failed, or died twice in a row.
        """
        utterance = self.utterance(rate_hz)
        try:
            await utterance.feed(pcm)
            return await utterance.finish()
        except BaseException:
            utterance.abandon()
            raise

    def utterance(self, rate_hz: int) -> "UtteranceStream":
        """Recognise an utterance while it is spoken."""
        return UtteranceStream(next(self._next_worker), next(self._numbers), rate_hz)


class UtteranceStream:
    """One utterance being recognised; made by `Recogniser.utterance`.

    End it with `finish` or `abandon`. Of more than a minute only the first minute is heard.
    If the worker dies, another hears the whole utterance again, once.
    """

    def __init__(self, worker: Worker, number: int, rate_hz: int) -> None:
        self.partial = ""
        """What has been understood so far."""
        self._worker = worker
        self._number = number
        self._resampler = StreamResampler(rate_hz, RATE_HZ)
        self._heard = b""

    async def feed(self, pcm: bytes) -> None:
        """Hear the next sound, mono at the utterance's rate.

        Raises:
            SoundError: The number of bytes is odd.
            ProviderFault: The worker failed, or died twice in a row.
        """
        await self._hear(self._resampler.process(pcm))

    async def finish(self) -> Recognised:
        """The utterance is over: its text.

        Raises:
            ProviderFault: The worker failed, or died twice in a row.
        """
        await self._hear(self._resampler.flush())
        if not self._heard:
            return Recognised(text="", in_vocabulary=0.0)
        head = await self._ask({"do": "finish", "utterance": self._number})
        return Recognised(text=head["text"], in_vocabulary=head["in_vocabulary"])

    def abandon(self) -> None:
        """Nobody wants the text any more."""
        self._worker.tell(Message({"do": "drop", "utterance": self._number}))

    async def _hear(self, pcm: bytes) -> None:
        room = bytes_for(1000 * LONGEST_UTTERANCE_S, RATE_HZ) - len(self._heard)
        pcm = pcm[:room]
        if not pcm:
            return
        first = not self._heard
        self._heard += pcm
        request = {"do": "hear", "utterance": self._number, "first": first}
        self.partial = (await self._ask(request, pcm))["text"]

    async def _ask(self, request: Mapping[str, Any], pcm: bytes = b"") -> Mapping[str, Any]:
        try:
            head = (await self._worker.ask(Message(request, pcm))).head
            if "lost" not in head:
                return head
        except WorkerDied:
            pass
        everything = {"do": "hear", "utterance": self._number, "first": True}
        head = (await self._worker.ask(Message(everything, self._heard))).head
        if request["do"] == "hear":
            return head
        return (await self._worker.ask(Message(request))).head
