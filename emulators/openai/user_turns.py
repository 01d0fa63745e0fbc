"""The user's side of a session: their audio, and where their turns end."""

import asyncio
from collections.abc import Callable
from typing import Any

from ..faults.moments import State
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory, TurnBegan, TurnDetector, TurnEnded
from ..user_audio import UserAudio
from .behaviour import Behaviour
from .configuration import Configuration
from .conversation import Conversation
from .identifiers import Identifiers
from .input_audio import InputAudioBuffer
from .items import Item
from .outbox import Outbox
from .transcripts import Transcripts
from .turn_detection import turn_detector

# Kept besides the padding while nobody speaks: what passes until speech is noticed.
_NOTICE_MS = 500
# Forgotten not each time that sound comes.
_SURPLUS_MS = 1000


class UserTurns:
    """Takes the user's audio and makes items of it.

    Args:
        conversation: Where committed items go.
        transcripts: Hears the words in them.
        identifiers: Makes ids.
        outbox: Where events go.
        tasks: Owns what waits.
        behaviour: How long semantic turn detection waits.
        scorer: Makes the scorer of a new detector.
        interrupted: Called when the user speaks and running speech shall stop.
        answer: Called when a turn has ended and shall be answered.
        settled: Called when a turn has ended and nothing shall follow by itself.
        audio: Keeps what the user says, if somebody wants to look at it.
    """

    def __init__(
        self,
        conversation: Conversation,
        transcripts: Transcripts,
        *,
        identifiers: Identifiers,
        outbox: Outbox,
        tasks: OwnedTasks,
        behaviour: Behaviour,
        scorer: ScorerFactory,
        interrupted: Callable[[], None],
        answer: Callable[[], None],
        settled: Callable[[], None],
        audio: UserAudio | None = None,
    ) -> None:
        self._conversation = conversation
        self._transcripts = transcripts
        self._identifiers = identifiers
        self._outbox = outbox
        self._tasks = tasks
        self._behaviour = behaviour
        self._scorer = scorer
        self._interrupted = interrupted
        self._answer = answer
        self._settled = settled
        self._audio = audio
        self._buffer = InputAudioBuffer()
        self._detector: TurnDetector | None = None
        self._configuration: Configuration | None = None
        self._item_id: str | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def speaking(self) -> bool:
        """Whether the user is in the middle of a turn."""
        return self._item_id is not None

    def configure(self, configuration: Configuration) -> None:
        """Follow the session's configuration; a new kind of turn detection starts afresh."""
        previous, self._configuration = self._configuration, configuration
        self._transcripts.configuration = configuration
        reformatted = self._buffer.format is not configuration.input_format
        if reformatted:
            self._buffer.reformat(configuration.input_format)
        if (
            reformatted
            or previous is None
            or previous.turn_detection != configuration.turn_detection
        ):
            self.end_idling()
            self._restart_detector()

    def _restart_detector(self) -> None:
        self._item_id = None
        settings = self._settings
        if settings is None:
            self._detector = None
            return
        self._detector = turn_detector(
            settings,
            self._buffer.end_ms,
            self._scorer(),
            rate_hz=self._buffer.format.rate_hz,
            behaviour=self._behaviour,
        )

    @property
    def _settings(self) -> dict[str, Any] | None:
        assert self._configuration is not None, "configured before any audio comes"
        detection = self._configuration.turn_detection
        return None if detection is None else dict(detection)

    def append(self, chunk: bytes) -> None:
        """Hear the next audio: any bytes of the input format.

        Raises:
            RequestRefused: The buffer is full.
        """
        first = not self._buffer.held_ms
        sound = self._buffer.append(chunk)
        if self._detector is None and first:
            # Whose client finds the turns sends sound in turns only.
            self._outbox.line.enter(State.USER_SPEAKING)
        if self._audio is not None:
            self._audio.hear(self._buffer.format.decode(sound))
        detector = self._detector
        if detector is None:
            return
        for turn in detector.hear(self._buffer.format.decode(sound)):
            if isinstance(turn, TurnBegan):
                self._begin(turn)
            else:
                self._end(turn)
        if self._item_id is None and self._buffer.held_ms > _SURPLUS_MS + self._kept_ms(detector):
            self._forget_silence(detector)

    def _kept_ms(self, detector: TurnDetector) -> int:
        return detector.padding_ms + _NOTICE_MS

    def _forget_silence(self, detector: TurnDetector) -> None:
        self._buffer.forget_before(self._buffer.end_ms - self._kept_ms(detector))

    def _begin(self, turn: TurnBegan) -> None:
        self.end_idling()
        self._item_id = self._identifiers.new("item")
        self._buffer.forget_before(turn.start_ms)
        start_ms = max(turn.start_ms, self._buffer.start_ms)
        self._outbox.line.enter(State.USER_SPEAKING)
        self._tell("speech_started", audio_start_ms=start_ms, item_id=self._item_id)
        if self._detects("interrupt_response"):
            self._interrupted()

    def _end(self, turn: TurnEnded) -> None:
        self._tell("speech_stopped", audio_end_ms=turn.end_ms, item_id=self._item_id)
        first = self._transcripts.come_first
        item = self._make_item(self._buffer.take(turn.end_ms))
        self._transcripts.listen(item)
        if not self._detects("create_response"):
            self._settled()
        elif first:
            self._tasks.start(self._answer_when_told(item))
        else:
            self._answer()

    async def _answer_when_told(self, item: Item) -> None:
        await self._transcripts.told(item)
        if self._item_id is None:
            self._answer()

    def _detects(self, switch: str) -> bool:
        """Whether turn detection also does what `switch` names."""
        return bool((self._settings or {}).get(switch))

    def commit(self) -> None:
        """Make an item of the audio, as the client asks.

        Raises:
            RequestRefused: There is less than 100 ms of it, silence before speech not counted.
        """
        waiting = self._detector is not None and self._item_id is None
        sound = self._buffer.commit(0.0 if waiting else self._buffer.held_ms)
        self._transcripts.listen(self._make_item(sound))
        self._restart_detector()
        self._settled()

    def clear(self) -> None:
        """Drop the audio; a turn in progress ends without a word."""
        self._buffer.take()
        self._restart_detector()
        self._tell("cleared")
        self._settled()

    def _tell(self, name: str, **fields: object) -> None:
        self._outbox.send([{"type": f"input_audio_buffer.{name}", **fields}])

    def _make_item(self, sound: bytes, *, is_silence: bool = False) -> Item:
        id = self._item_id or self._identifiers.new("item")
        item = Item.spoken_by_user(id, sound, self._buffer.format)
        item.is_silence = is_silence
        self._item_id = None
        if self._audio is not None and not is_silence:
            end = self._buffer.start_sample
            self._audio.turn(end - len(sound) // self._buffer.format.sample_bytes, end, id)
        if is_silence:
            end_ms = self._buffer.end_ms
            start_ms = max(0, end_ms - (self._settings or {})["idle_timeout_ms"])
            self._tell(
                "timeout_triggered", audio_start_ms=start_ms, audio_end_ms=end_ms, item_id=id
            )
        previous = self._conversation.last_id
        self._tell("committed", previous_item_id=previous, item_id=item.id)
        added = self._conversation.append(item)
        self._outbox.send([added, self._conversation.done(item)])
        return item

    def idle_after(self, playback_ms: float) -> None:
        """An answer is done that plays for so long: the user's silence counts from then on."""
        self.end_idling()
        timeout_ms = (self._settings or {}).get("idle_timeout_ms")
        if timeout_ms is not None and not self.speaking:
            delay_s = (playback_ms + timeout_ms) / 1000
            self._idle = asyncio.get_running_loop().call_later(delay_s, self._time_out)

    def end_idling(self) -> None:
        """Somebody speaks, or the session ends."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _time_out(self) -> None:
        self._idle = None
        if self._detector is not None:
            self._forget_silence(self._detector)
        self._make_item(self._buffer.take(), is_silence=True)
        self._answer()

    def close(self) -> None:
        """The session is over."""
        self.end_idling()
        self._buffer.take()
