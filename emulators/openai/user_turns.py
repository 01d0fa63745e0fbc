"""The user's side of a session: their audio, where their turns end, and what they said."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from math import ceil

from crossfade.errors import CrossfadeError

from ..backends.backend import Dialogue
from ..faults.moments import State
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory, TurnBegan, TurnDetector, TurnEnded
from .configuration import SAMPLE_RATE_HZ, Configuration
from .conversation import Conversation, Event
from .identifiers import Identifiers
from .input_audio import InputAudioBuffer
from .items import Item
from .outbox import Outbox
from .timing import Timing
from .turn_detection import turn_detector
from .usage import item_tokens, text_tokens

logger = logging.getLogger(__name__)

# Kept besides the padding while nobody speaks: what passes until speech is noticed.
_NOTICE_MS = 500


class UserTurns:
    """Takes the user's audio and makes items of it.

    Args:
        conversation: Where committed items go.
        dialogue: Recognises the words.
        identifiers: Makes ids.
        outbox: Where events go.
        tasks: Owns the recognition.
        timing: How late transcripts are.
        scorer: Makes the scorer of a new detector.
        interrupted: Called when the user speaks and running speech shall stop.
        answer: Called when a turn has ended and shall be answered.
        settled: Called when a turn has ended and nothing shall follow by itself.
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
        scorer: ScorerFactory,
        interrupted: Callable[[], None],
        answer: Callable[[], None],
        settled: Callable[[], None],
    ) -> None:
        self._settled = settled
        self._conversation = conversation
        self._dialogue = dialogue
        self._identifiers = identifiers
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._scorer = scorer
        self._interrupted = interrupted
        self._answer = answer
        self._buffer = InputAudioBuffer()
        self._detector: TurnDetector | None = None
        self._configuration: Configuration | None = None
        self._item_id: str | None = None
        self._words: dict[str, asyncio.Task[str]] = {}

    @property
    def speaking(self) -> bool:
        """Whether the user is in the middle of a turn."""
        return self._item_id is not None

    def configure(self, configuration: Configuration) -> None:
        """Follow the session's configuration; a new kind of turn detection starts afresh."""
        previous, self._configuration = self._configuration, configuration
        if previous is None or previous.turn_detection != configuration.turn_detection:
            self._restart_detector()

    def _restart_detector(self) -> None:
        assert self._configuration is not None, "configured before any audio comes"
        self._item_id = None
        settings = self._configuration.turn_detection
        if settings is None:
            self._detector = None
        else:
            self._detector = turn_detector(settings, self._buffer.end_ms, self._scorer())

    def append(self, chunk: bytes) -> None:
        """Hear the next audio: any bytes of s16le at 24 kHz.

        Raises:
            RequestRefused: The buffer is full.
        """
        pcm = self._buffer.append(chunk)
        detector = self._detector
        if detector is None:
            return
        for turn in detector.hear(pcm):
            if isinstance(turn, TurnBegan):
                self._begin(turn)
            else:
                self._end(turn)
        if self._item_id is None:
            self._buffer.forget_before(self._buffer.end_ms - detector.padding_ms - _NOTICE_MS)

    def _begin(self, turn: TurnBegan) -> None:
        self._item_id = self._identifiers.new("item")
        self._buffer.forget_before(turn.start_ms)
        start_ms = max(turn.start_ms, self._buffer.start_ms)
        self._outbox.line.enter(State.USER_SPEAKING)
        self._tell("speech_started", audio_start_ms=start_ms, item_id=self._item_id)
        if self._detects("interrupt_response"):
            self._interrupted()

    def _end(self, turn: TurnEnded) -> None:
        self._tell("speech_stopped", audio_end_ms=turn.end_ms, item_id=self._item_id)
        self._make_item(self._buffer.take(turn.end_ms))
        if self._detects("create_response"):
            self._answer()
        else:
            self._settled()

    def _detects(self, switch: str) -> bool:
        """Whether turn detection also does what `switch` names."""
        assert self._configuration is not None, "configured before any audio comes"
        settings = self._configuration.turn_detection
        return settings is not None and bool(settings[switch])

    def commit(self) -> None:
        """Make an item of the audio, as the client asks.

        Raises:
            RequestRefused: There is less than 100 ms of it, silence before speech not counted.
        """
        waiting = self._detector is not None and self._item_id is None
        pcm = self._buffer.commit(0.0 if waiting else self._buffer.held_ms)
        self._make_item(pcm)
        self._restart_detector()

    def clear(self) -> None:
        """Drop the audio; a turn in progress ends without a word."""
        self._buffer.take()
        self._restart_detector()
        self._tell("cleared")

    def _tell(self, name: str, **fields: object) -> None:
        self._outbox.send([{"type": f"input_audio_buffer.{name}", **fields}])

    def _make_item(self, pcm: bytes) -> None:
        item = Item.spoken_by_user(self._item_id or self._identifiers.new("item"), pcm)
        self._item_id = None
        previous = self._conversation.last_id
        self._tell("committed", previous_item_id=previous, item_id=item.id)
        added = self._conversation.append(item)
        self._outbox.send([added, self._conversation.done(item)])
        self.listen(item)

    def listen(self, item: Item) -> None:
        """Begin to recognise the words of a spoken item."""
        assert self._configuration is not None, "configured before any audio comes"
        known = self._conversation.find(item.id) is not None
        model = self._configuration.transcription_model if known else None
        self._words[item.id] = self._tasks.start(self._hear(item, model))

    async def heard(self, item: Item) -> str:
        """The words of a spoken item; empty where there are none or recognition failed."""
        if item.id not in self._words:
            self.listen(item)
        return await asyncio.shield(self._words[item.id])

    async def _hear(self, item: Item, model: str | None) -> str:
        started_s = asyncio.get_running_loop().time()
        try:
            words = await self._dialogue.hear(bytes(item.audio), SAMPLE_RATE_HZ)
        except CrossfadeError as error:
            logger.warning("audio of %s was not recognised: %s", item.id, error)
            words, events = "", _failed(item, str(error))
        else:
            events = [] if model is None else self._transcribed(item, words, model)
        if model is not None:
            due_s = started_s + self._timing.transcript_delay_ms / 1000
            self._tasks.start(self._tell_later(item, words, due_s, events))
        return words

    def _transcribed(self, item: Item, words: str, model: str) -> list[Event]:
        """The transcript's events: a delta for each word, then the whole."""
        prefix = "conversation.item.input_audio_transcription"
        place = {"item_id": item.id, "content_index": 0}
        events: list[Event] = []
        for word in words.split():
            delta = f" {word}"
            padding = self._identifiers.padding(delta)
            texts = {"delta": delta, "obfuscation": padding}
            events.append({"type": f"{prefix}.delta", **place, **texts})
        done = {"transcript": words, "usage": _transcription_usage(item, words, model)}
        return [*events, {"type": f"{prefix}.completed", **place, **done}]

    async def _tell_later(
        self, item: Item, words: str, due_s: float, events: Sequence[Event]
    ) -> None:
        await asyncio.sleep(due_s - asyncio.get_running_loop().time())
        for part in item.content:
            if part["type"] == "input_audio":
                part["transcript"] = words
        self._outbox.send(events)


def _transcription_usage(item: Item, words: str, model: str) -> dict[str, object]:
    """By tokens for the models that are billed so, else by seconds."""
    if "gpt-4o" not in model:
        return {"type": "duration", "seconds": ceil(item.audio_ms / 1000)}
    heard, said = item_tokens(item).audio, text_tokens(words)
    return {
        "type": "tokens",
        "input_tokens": heard,
        "output_tokens": said,
        "total_tokens": heard + said,
        "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
    }


def _failed(item: Item, message: str) -> list[Event]:
    error = {"type": "server_error", "code": "audio_unintelligible", "message": message}
    return [
        {
            "type": "conversation.item.input_audio_transcription.failed",
            "item_id": item.id,
            "content_index": 0,
            "error": {**error, "param": None},
        }
    ]
