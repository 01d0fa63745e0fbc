"""The user's side of a session: their sound, where their turns begin and end, their words."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from crossfade.audio.resample import StreamResampler
from crossfade.errors import CrossfadeError

from ..backends.backend import Dialogue
from ..faults.script import Fault
from ..tasks import OwnedTasks
from ..turn_detection import ScorerFactory, TurnBegan, TurnDetector
from ..user_audio import UserAudio, UserTurn
from .closes import ACTIVITY_NOT_MANUAL, INVALID_ARGUMENT, Closed
from .configuration import Configuration
from .faults import EmptyTranscription, FailedTranscription, LateTranscription
from .outbox import Outbox
from .timing import Timing
from .tokens import Tokens, audio_tokens

logger = logging.getLogger(__name__)

RATE_HZ = 16_000
"""What everything heard is brought to."""
BYTES_PER_MS = RATE_HZ * 2 // 1000
_RATES_HZ = range(8_000, 48_001)
# Sound before the speech that belongs to its turn; and what passes until speech is noticed,
# besides the speech that it takes.
_PADDING_MS = 200
_NOTICE_MS = 300
# Of a longer turn the beginning is lost.
_LONGEST_TURN_MS = 5 * 60 * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What the user said in one turn."""

    words: asyncio.Task[str]
    tokens: Tokens
    turn: UserTurn | None = None
    """Where the sound is kept, if it is."""


@lru_cache(maxsize=256)
def audio_rate_hz(mime_type: str) -> int:
    """The rate of `audio/pcm;rate=16000`, which is also the default.

    Raises:
        Closed: It is no raw sound.
    """
    kind, *parameters = mime_type.replace(" ", "").split(";")
    rates = [value.removeprefix("rate=") for value in parameters if value.startswith("rate=")]
    rate = rates[0] if rates else str(RATE_HZ)
    if kind != "audio/pcm" or not rate.isdecimal() or int(rate[:9]) not in _RATES_HZ:
        raise Closed(INVALID_ARGUMENT)
    return int(rate)


class UserTurns:
    """Hears the user.

    Args:
        configuration: What is in force.
        dialogue: Recognises the words.
        outbox: Where messages go.
        tasks: Owns the recognition.
        timing: How late transcripts are.
        scorer: Makes the scorer of a new detector.
        began: Called when the user begins to speak.
        ended: Called with what they said.
        audio: Keeps what the user says, if somebody wants to look at it.
    """

    def __init__(
        self,
        configuration: Configuration,
        dialogue: Dialogue,
        *,
        outbox: Outbox,
        tasks: OwnedTasks,
        timing: Timing,
        scorer: ScorerFactory,
        began: Callable[[], None],
        ended: Callable[[Utterance], None],
        audio: UserAudio | None = None,
    ) -> None:
        self._configuration = configuration
        self._dialogue = dialogue
        self._outbox = outbox
        self._tasks = tasks
        self._timing = timing
        self._scorer = scorer
        self._began = began
        self._ended = ended
        self._audio = audio
        self._rate_hz = RATE_HZ
        self._resampler = StreamResampler(RATE_HZ, RATE_HZ)
        self._half_sample = b""
        self._sound = bytearray()
        # Where in the session the sound that is kept begins.
        self._start_byte = 0
        self._billed_byte = 0
        self._detector = self._new_detector()
        prefix_ms = configuration.detection.prefix_ms if configuration.detection else 0
        self._kept_ms = _PADDING_MS + _NOTICE_MS + prefix_ms
        self.active = False
        """The user speaks."""
        self.transcript_fault: Fault | None = None
        """What happens to the next transcript."""

    def _new_detector(self) -> TurnDetector | None:
        detection = self._configuration.detection
        if detection is None:
            return None
        return TurnDetector(
            rate_hz=RATE_HZ,
            threshold=detection.start_threshold,
            padding_ms=_PADDING_MS,
            silence_ms=detection.silence_ms,
            origin_ms=self._end_ms,
            scorer=self._scorer(),
            start_ms=detection.prefix_ms,
        )

    @property
    def _end_ms(self) -> int:
        return (self._start_byte + len(self._sound)) // BYTES_PER_MS

    def hear(self, pcm: bytes, rate_hz: int) -> None:
        """Take the next sound: any bytes of s16le mono."""
        if rate_hz != self._rate_hz:
            self._rate_hz, self._half_sample = rate_hz, b""
            self._resampler = StreamResampler(rate_hz, RATE_HZ)
        pcm = self._half_sample + pcm
        whole = len(pcm) & ~1
        self._half_sample = pcm[whole:]
        sound = self._resampler.process(pcm[:whole])
        self._sound += sound
        if self._audio is not None:
            self._audio.hear(sound)
        if self._detector is not None:
            for turn in self._detector.hear(sound):
                if isinstance(turn, TurnBegan):
                    self._forget_before(turn.start_ms)
                    self._begin()
                else:
                    self._end(turn.end_ms)
        kept_ms = _LONGEST_TURN_MS if self.active else self._kept_ms
        self._forget_before(self._end_ms - kept_ms)

    def start_activity(self) -> None:
        """The client tells that the user begins.

        Raises:
            Closed: The service finds that out by itself.
        """
        self._check_manual()
        if not self.active:
            self._forget_before(self._end_ms)
            self._begin()

    def end_activity(self) -> None:
        """The client tells that the user has finished.

        Raises:
            Closed: The service finds that out by itself.
        """
        self._check_manual()
        if self.active:
            self._end(self._end_ms)

    def _check_manual(self) -> None:
        if self._detector is not None:
            raise Closed(ACTIVITY_NOT_MANUAL)

    def end_stream(self) -> None:
        """The client tells that its microphone is off.

        Raises:
            Closed: The client itself tells where turns end.
        """
        if self._detector is None:
            raise Closed(INVALID_ARGUMENT)
        if self.active:
            self._end(self._end_ms)
        self._detector = self._new_detector()

    def _begin(self) -> None:
        self.active = True
        self._tell_activity("ACTIVITY_START")
        self._began()

    def _end(self, end_ms: int) -> None:
        self.active = False
        self._tell_activity("ACTIVITY_END")
        size = max(0, end_ms * BYTES_PER_MS - self._start_byte)
        pcm = bytes(self._sound[:size])
        del self._sound[:size]
        self._start_byte += len(pcm)
        billed = len(pcm)
        if self._configuration.coverage == "TURN_INCLUDES_ALL_INPUT":
            billed = self._start_byte - self._billed_byte
        self._billed_byte = self._start_byte
        words = self._tasks.start(self._hear(pcm))
        tokens = Tokens(audio=audio_tokens(billed / BYTES_PER_MS))
        turn = None
        if self._audio is not None:
            end = self._start_byte // 2
            turn = self._audio.turn(end - len(pcm) // 2, end)
        self._ended(Utterance(words=words, tokens=tokens, turn=turn))

    def _tell_activity(self, type: str) -> None:
        if self._configuration.tells_activity:
            self._outbox.send({"voiceActivity": {"voiceActivityType": type}})

    def _forget_before(self, position_ms: float) -> None:
        surplus = int(position_ms) * BYTES_PER_MS - self._start_byte
        if surplus > 0:
            dropped = min(surplus, len(self._sound))
            del self._sound[:dropped]
            self._start_byte += dropped

    async def _hear(self, pcm: bytes) -> str:
        started_s = asyncio.get_running_loop().time()
        try:
            words = await self._dialogue.hear(pcm, RATE_HZ)
        except CrossfadeError as error:
            logger.warning("speech was not recognised: %s", error)
            words = ""
        if self._configuration.input_transcription:
            self._tasks.start(self._transcribe(words, started_s))
        return words

    async def _transcribe(self, words: str, started_s: float) -> None:
        """Tell the words, a fragment each. Nothing binds them to the answer's order."""
        delay_ms = self._timing.transcript_delay_ms
        fragments: Iterator[str] = (f" {word}" for word in words.split())
        fault, self.transcript_fault = self.transcript_fault, None
        match fault:
            case FailedTranscription():
                return
            case EmptyTranscription():
                fragments = iter([""])
            case LateTranscription(ms=ms):
                delay_ms += ms
        await asyncio.sleep(started_s + delay_ms / 1000 - asyncio.get_running_loop().time())
        for fragment in fragments:
            self._outbox.content(inputTranscription={"text": fragment})
