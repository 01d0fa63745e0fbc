"""Speaking at the pace of the model: sound faster than it plays, and its words beside it."""

import asyncio
from dataclasses import dataclass, field

from crossfade.offline.voice import sentences

from ..backends.backend import SPEECH_RATE_HZ, Dialogue
from .outbox import Outbox
from .timing import Timing
from .tokens import Tokens, audio_tokens

BYTES_PER_MS = SPEECH_RATE_HZ * 2 // 1000
# The words are ahead of the sound by this much.
_WORDS_LEAD_MS = 300
# Of models that put several parts in a message.
_PARTS_TOGETHER = 2


@dataclass(slots=True)
class Spoken:
    """How much was said, and until when it plays."""

    sent_bytes: int = 0
    plays_until_s: float = 0.0
    """By the loop's clock, if the client plays everything as it comes."""
    called: Tokens = field(default_factory=Tokens)
    """Function calls count as text."""

    def add(self, size: int, now_s: float) -> None:
        self.sent_bytes += size
        self.plays_until_s = max(self.plays_until_s, now_s) + size / BYTES_PER_MS / 1000

    @property
    def written(self) -> Tokens:
        """The tokens of everything that was generated."""
        return Tokens(audio=audio_tokens(self.sent_bytes / BYTES_PER_MS)) + self.called

    def heard(self, now_s: float) -> Tokens:
        """The tokens of what has been played; the service forgets the rest."""
        left_ms = max(0.0, self.plays_until_s - now_s) * 1000
        played_ms = max(0.0, self.sent_bytes / BYTES_PER_MS - left_ms)
        return Tokens(audio=audio_tokens(played_ms)) + self.called


class Speaker:
    """Says texts.

    Args:
        dialogue: Makes the sound.
        outbox: Where it goes.
        timing: The pace.
        several_parts: Several parts, and the words, ride in one message.
        transcribed: The words are told.
        limit_tokens: After so much generation ends; None is never.
    """

    def __init__(
        self,
        dialogue: Dialogue,
        outbox: Outbox,
        timing: Timing,
        *,
        several_parts: bool,
        transcribed: bool,
        limit_tokens: int | None,
    ) -> None:
        self._dialogue = dialogue
        self._outbox = outbox
        self._timing = timing
        self._parts = _PARTS_TOGETHER if several_parts else 1
        self._transcribed = transcribed
        self._limit_tokens = limit_tokens

    async def say(self, text: str, spoken: Spoken) -> None:
        """Send the speech of a text; what was sent is in `spoken`, also when this is cancelled."""
        loop = asyncio.get_running_loop()
        chunk_bytes = self._timing.chunk_ms * BYTES_PER_MS
        message_bytes = chunk_bytes * self._parts
        due_s = loop.time()
        for number, sentence in enumerate(sentences(text)):
            pcm = await self._dialogue.render(sentence)
            words = _Words(sentence, len(pcm), first=not number and not spoken.sent_bytes)
            for at in range(0, len(pcm), message_bytes):
                await self._outbox.line.room()
                piece = pcm[at : at + message_bytes]
                chunks = [piece[n : n + chunk_bytes] for n in range(0, len(piece), chunk_bytes)]
                spoken.add(len(piece), loop.time())
                self._send(chunks, words.until(at + _WORDS_LEAD_MS * BYTES_PER_MS))
                if self._limit_tokens and spoken.written.total >= self._limit_tokens:
                    return
                due_s += len(piece) / BYTES_PER_MS / 1000 / self._timing.speed
                await asyncio.sleep(due_s - loop.time())

    def _send(self, chunks: list[bytes], words: list[str]) -> None:
        if not self._transcribed:
            words = []
        if self._parts > 1:
            self._outbox.speech(chunks, "".join(words))
            return
        for word in words:
            self._outbox.content(outputTranscription={"text": word})
        self._outbox.speech(chunks)


class _Words:
    """The words of a sentence, spread evenly over its sound."""

    def __init__(self, sentence: str, audio_bytes: int, *, first: bool) -> None:
        words = sentence.split()
        self._left = [word if first and not n else f" {word}" for n, word in enumerate(words)]
        self._count = len(self._left)
        self._audio_bytes = audio_bytes

    def until(self, byte: int) -> list[str]:
        """The words not given yet that begin before a place in the sound."""
        begun = min(self._count, byte * self._count // max(1, self._audio_bytes) + 1)
        given = begun - (self._count - len(self._left))
        words, self._left = self._left[:given], self._left[given:]
        return words
