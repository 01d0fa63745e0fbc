"""Has a provider speak a phrase in the agent's voice, or write something, outside the
conversation."""

import asyncio
import itertools
from dataclasses import dataclass, field

from crossfade.providers.config import Modality
from crossfade.providers.events import (
    AudioChunk,
    Event,
    ProviderError,
    ResponseDone,
    ResponseStarted,
    ResponseStatus,
    SpeechDone,
    TextDelta,
)
from crossfade.providers.session import RealtimeSession

_BEGIN = "Please say it now."


def order(text: str) -> str:
    """The instructions that have a model say a phrase and nothing else."""
    quoted = text.replace('"', "'")
    return f'Say exactly: "{quoted}" Say nothing before or after it, and call no tool.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What a provider made of a phrase."""

    pcm: bytes
    """s16le mono at the session's output rate."""
    words: str
    """What was said, by the provider's own transcript."""
    complete: bool
    """Whether it was said to its end."""


@dataclass(slots=True)
class _Spoken:
    pcm: bytearray = field(default_factory=bytearray)
    words: str = ""

    def add(self, event: Event) -> Rendering | None:
        """Take an event of its response; the whole when it is over."""
        match event:
            case AudioChunk():
                self.pcm += event.pcm
            case TextDelta():
                self.words += event.text
            case ResponseDone():
                complete = event.status is ResponseStatus.COMPLETED
                return Rendering(pcm=bytes(self.pcm), words=self.words, complete=complete)
        return None


class Asides:
    """Picks what is said and written out of band from the events of a session in use."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._expected: dict[str, asyncio.Future[Rendering]] = {}
        self._running: dict[str, tuple[_Spoken, asyncio.Future[Rendering]]] = {}

    async def render(self, session: RealtimeSession, text: str) -> Rendering:
        """Ask for a phrase, and wait for it. Somebody must iterate the session, and `take`.

        Raises:
            CrossfadeError: The session is over.
        """
        return await self._ask(session, "phrase", order(text), "", None)

    async def write(self, session: RealtimeSession, instructions: str, text: str) -> Rendering:
        """Ask for something in writing about a text; as `render`, and without sound."""
        return await self._ask(session, "writing", instructions, text, Modality.TEXT)

    async def _ask(
        self,
        session: RealtimeSession,
        what: str,
        instructions: str,
        text: str,
        modality: Modality | None,
    ) -> Rendering:
        label = f"{what} {next(self._numbers)}"
        future: asyncio.Future[Rendering] = asyncio.get_running_loop().create_future()
        self._expected[label] = future
        try:
            await session.respond_aside(instructions, text=text, modality=modality, label=label)
            return await future
        finally:
            self._expected.pop(label, None)

    def take(self, event: Event) -> bool:
        """Take an event, if it is one of ours; then it is nobody else's."""
        if isinstance(event, ResponseStarted):
            future = self._expected.pop(event.label, None)
            if future is not None:
                self._running[event.response_id] = (_Spoken(), future)
            return future is not None
        if not isinstance(
            event, AudioChunk | TextDelta | SpeechDone | ResponseDone | ProviderError
        ):
            return False
        if event.response_id not in self._running:
            return False
        spoken, future = self._running[event.response_id]
        if (rendering := spoken.add(event)) is not None:
            del self._running[event.response_id]
            if not future.done():
                future.set_result(rendering)
        return True


async def render_apart(session: RealtimeSession) -> Rendering:
    """Have a session that was told an `order` say its phrase, and close it.

    Raises:
        CrossfadeError: It cannot be opened, or ended too soon.
    """
    spoken = _Spoken()
    async with session:
        await session.send_text(_BEGIN)
        async for event in session:
            if (rendering := spoken.add(event)) is not None:
                return rendering
    return Rendering(pcm=bytes(spoken.pcm), words=spoken.words, complete=False)


__all__ = ["Asides", "Rendering", "order", "render_apart"]
