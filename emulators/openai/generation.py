"""Generating one response at the pace of a model: think, then words and sound in bursts."""

import asyncio
from collections.abc import Sequence
from math import inf

from crossfade.offline.voice import sentences

from ..backends.backend import Call, Dialogue, Part, Reply, Say
from ..faults.moments import State
from .outbox import Outbox
from .outcome import COMPLETED, Outcome
from .response import Response
from .timing import Timing

# The transcript is ahead of the sound by this much.
_TRANSCRIPT_LEAD_MS = 300
# A written word each so often; as fast as text models are.
_WRITTEN_WORD_S = 0.01
_ARGUMENT_DELTA_CHARACTERS = 12


class Generation:
    """Turns a reply into the events of its response.

    Args:
        response: A response that was created and has no output yet.
        dialogue: Speaks the words.
        timing: The pace.
        outbox: Where events go.
    """

    def __init__(
        self, response: Response, dialogue: Dialogue, timing: Timing, outbox: Outbox
    ) -> None:
        self._response = response
        self._dialogue = dialogue
        self._timing = timing
        self._outbox = outbox

    async def run(self, reply: Reply) -> Outcome:
        """Send the whole reply but its response.done, for which it returns the outcome.

        Cancelling it leaves the response open.
        """
        for part in self._allowed(reply.parts):
            match part:
                case Say(text) if self._response.settings.modality == "audio":
                    await self._speak(text)
                case Say(text):
                    await self._write(text)
                case Call():
                    self._call(part)
            if self._exhausted:
                return Outcome("incomplete", {"reason": "max_output_tokens"})
        return COMPLETED

    def _allowed(self, parts: Sequence[Part]) -> list[Part]:
        """Only one call, where the client wants no parallel ones."""
        calls = [part for part in parts if isinstance(part, Call)]
        dropped = () if self._response.settings.parallel_tool_calls else calls[1:]
        return [part for part in parts if not any(part is call for call in dropped)]

    @property
    def _exhausted(self) -> bool:
        """Whether the response has used up its max_output_tokens."""
        limit = self._response.settings.max_output_tokens
        return isinstance(limit, int) and self._response.written.total >= limit

    async def _speak(self, text: str) -> None:
        response, timing, loop = self._response, self._timing, asyncio.get_running_loop()
        self._open_message()
        bytes_per_ms = response.format.bytes_per_ms
        chunk_bytes = timing.chunk_ms * bytes_per_ms
        lead_bytes, line = _TRANSCRIPT_LEAD_MS * bytes_per_ms, self._outbox.line
        limited = isinstance(response.settings.max_output_tokens, int)
        due_s, burst_ms = loop.time(), 0.0
        for number, sentence in enumerate(sentences(text)):
            sound = response.format.spoken(await self._dialogue.render(sentence))
            words = _Words(sentence, len(sound), first=not number)
            for at in range(0, len(sound), chunk_bytes):
                if not line.has_room:
                    await line.room()
                if words.next_byte <= (ahead := at + lead_bytes):
                    self._outbox.send(response.words(word) for word in words.until(ahead))
                chunk = sound[at : at + chunk_bytes]
                chunk_ms = len(chunk) / bytes_per_ms
                due_s += chunk_ms / 1000 / timing.speed
                burst_ms += chunk_ms
                ends_burst = burst_ms >= timing.burst_ms
                (line.send_last if ends_burst else line.send)(response.audio(chunk))
                if limited and self._exhausted:
                    return
                if ends_burst:
                    burst_ms = 0.0
                    await asyncio.sleep(due_s - loop.time())
            self._outbox.send(response.words(word) for word in words.until(None))
        await asyncio.sleep(due_s - loop.time())
        self._outbox.send(response.close_item())

    async def _write(self, text: str) -> None:
        response = self._response
        self._open_message()
        for word in _Words(text, 0, first=True).until(None):
            self._outbox.send([response.words(word)])
            if self._exhausted:
                return
            await asyncio.sleep(_WRITTEN_WORD_S)
        self._outbox.send(response.close_item())

    def _open_message(self) -> None:
        if not self._response.settings.out_of_band:
            self._outbox.line.enter(State.SPEAKING)
        self._outbox.send(self._response.open_message())

    def _call(self, call: Call) -> None:
        response = self._response
        self._outbox.send(response.open_call(call.name))
        for at in range(0, len(call.arguments), _ARGUMENT_DELTA_CHARACTERS):
            delta = call.arguments[at : at + _ARGUMENT_DELTA_CHARACTERS]
            self._outbox.send([response.arguments(delta)])
        self._outbox.send(response.close_item())


class _Words:
    """The words of a sentence as deltas, spread evenly over its sound."""

    def __init__(self, sentence: str, audio_bytes: int, *, first: bool) -> None:
        words = sentence.split()
        self._deltas = [word if first and not n else f" {word}" for n, word in enumerate(words)]
        self._bytes_per_word = audio_bytes / max(1, len(words))
        self._next = 0
        self.next_byte = 0.0
        """Where in the sound the next word begins; inf when all are given."""

    def until(self, audio_byte: int | None) -> list[str]:
        """The words not given yet that begin before a place in the sound; None is its end."""
        count = len(self._deltas)
        if audio_byte is not None and self._bytes_per_word:
            count = min(count, int(audio_byte / self._bytes_per_word) + 1)
        given, self._next = self._next, max(count, self._next)
        left = self._next < len(self._deltas)
        self.next_byte = self._next * self._bytes_per_word if left else inf
        return self._deltas[given : self._next]
