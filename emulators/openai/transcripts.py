"""What the user said, in words: for the model, and for a client that asked for transcripts."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Sequence
from enum import Enum
from math import ceil

from crossfade.errors import CrossfadeError

from ..backends.backend import Dialogue
from ..tasks import OwnedTasks
from .behaviour import Behaviour
from .configuration import Configuration
from .conversation import Conversation, Event
from .identifiers import Identifiers
from .items import Item
from .outbox import Outbox
from .timing import Timing
from .usage import item_tokens, text_tokens

logger = logging.getLogger(__name__)

_PREFIX = "conversation.item.input_audio_transcription"
_LOGPROB = -0.01


class Spoiling(Enum):
    """What goes wrong with the next transcript."""

    FAILED = "failed"
    EMPTY = "empty"
    LATE = "late"
    EARLY = "early"
    OUT_OF_ORDER = "out_of_order"


class Transcripts:
    """Has the user's items recognised and tells their words.

    Args:
        conversation: Where the items are.
        dialogue: Recognises the words.
        identifiers: Makes ids.
        outbox: Where events go.
        tasks: Owns the recognition.
        timing: How late transcripts are.
        behaviour: Whether they come before the response.
    """

    def __init__(
        self,
        conversation: Conversation,
        dialogue: Dialogue,
        *,
        identifiers: Identifiers,
        outbox: Outbox,
        tasks: OwnedTasks,
        timing: Timing,
        behaviour: Behaviour,
    ) -> None:
        self._conversation = conversation
        self._dialogue = dialogue
        self._identifiers = identifiers
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._behaviour = behaviour
        self.configuration: Configuration | None = None
        self._hearing: dict[Item, asyncio.Task[str]] = {}
        self._telling: dict[Item, asyncio.Task[None]] = {}
        self._spoilings: deque[tuple[Spoiling, float]] = deque()
        # Set once a later transcript was told.
        self._overtaken: asyncio.Event | None = None

    def spoil(self, spoiling: Spoiling, late_ms: float = 0) -> None:
        """Let something go wrong with the next transcript."""
        self._spoilings.append((spoiling, late_ms))

    @property
    def come_first(self) -> bool:
        """Whether the next transcript is told before its response begins."""
        next_is_early = bool(self._spoilings) and self._spoilings[0][0] is Spoiling.EARLY
        return self._model is not None and (self._behaviour.early_transcripts or next_is_early)

    @property
    def _model(self) -> str | None:
        return None if self.configuration is None else self.configuration.transcription_model

    def listen(self, item: Item) -> None:
        """Begin to recognise the words of a spoken item."""
        known = self._conversation.find(item.id) is item
        model = self._model if known else None
        # The task may begin after the item's sound was let go, or after more was told.
        pcm = item.format.decode(bytes(item.audio))
        words = self._dialogue.hear(pcm, item.format.rate_hz)
        hearing = self._hearing[item] = self._tasks.start(self._hear(item, words, model))
        # The session may end before the task begins.
        hearing.add_done_callback(lambda _: words.close())

    async def heard(self, item: Item) -> str:
        """The words of a spoken item; empty where there are none or recognition failed."""
        if item.heard is not None:
            return item.heard
        if item not in self._hearing:
            self.listen(item)
        return await asyncio.shield(self._hearing[item])

    async def told(self, item: Item) -> None:
        """Wait until the client was told the words of an item."""
        await self.heard(item)
        telling = self._telling.get(item)
        if telling is not None:
            await asyncio.shield(telling)

    async def _hear(self, item: Item, hearing: Awaitable[str], model: str | None) -> str:
        due_s = asyncio.get_running_loop().time() + self._timing.transcript_delay_ms / 1000
        spoiling, late_ms = None, 0.0
        if model is not None and self._spoilings:
            spoiling, late_ms = self._spoilings.popleft()
        try:
            words = await hearing
            failure = "The audio could not be transcribed." if spoiling is Spoiling.FAILED else None
        except CrossfadeError as error:
            logger.warning("audio of %s was not recognised: %s", item.id, error)
            words, failure = "", str(error)
        item.heard = words
        del self._hearing[item]
        if model is not None:
            told = "" if spoiling is Spoiling.EMPTY or failure else words
            events = _failed(item, failure) if failure else self._transcribed(item, told, model)
            tell = self._tell(item, told, due_s + late_ms / 1000, events, spoiling)
            self._telling[item] = self._tasks.start(tell)
        return words

    def _transcribed(self, item: Item, words: str, model: str) -> list[Event]:
        """The transcript's events: a delta for each word, then the whole."""
        assert self.configuration is not None, "configured before any audio comes"
        place = {"item_id": item.id, "content_index": 0}
        events: list[Event] = []
        for word in words.split():
            delta = f" {word}"
            padding = self._identifiers.padding(delta)
            event = {"type": f"{_PREFIX}.delta", **place, "delta": delta, "obfuscation": padding}
            if self.configuration.wants_logprobs:
                event["logprobs"] = [_logprob(delta)]
            events.append(event)
        if "diarize" in model and words:
            events.append(
                {
                    "type": f"{_PREFIX}.segment",
                    **place,
                    "id": self._identifiers.new("seg"),
                    "speaker": "A",
                    "text": words,
                    "start": 0.0,
                    "end": item.audio_ms / 1000,
                }
            )
        done = {"transcript": words, "usage": _usage(item, words, model)}
        completed = {"type": f"{_PREFIX}.completed", **place, **done}
        if self.configuration.wants_logprobs:
            completed["logprobs"] = [_logprob(f" {word}") for word in words.split()]
        return [*events, completed]

    async def _tell(
        self,
        item: Item,
        words: str,
        due_s: float,
        events: Sequence[Event],
        spoiling: Spoiling | None,
    ) -> None:
        await asyncio.sleep(due_s - asyncio.get_running_loop().time())
        if spoiling is Spoiling.OUT_OF_ORDER:
            self._overtaken = asyncio.Event()
            await self._overtaken.wait()
        for part in item.content:
            if part["type"] == "input_audio":
                part["transcript"] = words
        self._outbox.send(events)
        self._telling.pop(item, None)
        if self._overtaken is not None and spoiling is not Spoiling.OUT_OF_ORDER:
            self._overtaken.set()


def _logprob(token: str) -> Event:
    return {"token": token, "logprob": _LOGPROB, "bytes": list(token.encode())}


def _usage(item: Item, words: str, model: str) -> dict[str, object]:
    """By tokens for the models that are billed so, else by seconds."""
    if "gpt-4o" not in model:
        return {"type": "duration", "seconds": ceil(item.audio_ms / 1000)}
    heard, said = item_tokens(item).audio, text_tokens(words)
    return {
        "type": "tokens",
        "total_tokens": heard + said,
        "input_tokens": heard,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
        "output_tokens": said,
    }


def _failed(item: Item, message: str) -> list[Event]:
    error = {"type": "server_error", "code": "audio_unintelligible", "message": message}
    place = {"item_id": item.id, "content_index": 0}
    return [{"type": f"{_PREFIX}.failed", **place, "error": {**error, "param": None}}]
