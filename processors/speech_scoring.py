"""Scores the speech of all calls of an event loop in one batch a tick."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from crossfade.audio.noise_gate import NoiseGate
from crossfade.audio.pcm import to_float
from crossfade.audio.silero import Floats, SileroBank, shared_model
from crossfade.audio.vad import WINDOW_SAMPLES, SpeechEvent, VoiceDetector, energies

from .metronome import PERIOD_MS, metronome

TICK_MS = PERIOD_MS
"""How long windows are gathered at most, where many calls share the model."""
FEW_STREAMS = 4
"""So few calls are not worth the wait: their windows are scored in the same turn of the loop."""
LIMIT_WINDOWS = 4
"""What one call may have waiting, 128 ms; beyond it all are scored on the spot: a decision must not
come so late that the beginning of the speech is kept no more."""
MANY_WINDOWS = 16
"""So many at once keep the model busy for half a millisecond: it works in a thread meanwhile."""


class SpeechScoring:
    """The speech model of one event loop, shared by its calls.

    Args:
        bank: The model's streams.
    """

    def __init__(self, bank: SileroBank) -> None:
        self._bank = bank
        self._waiting: dict[int, ScoredStream] = {}
        self._round: _Round | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._soon: asyncio.Handle | None = None
        self._beating = False

    def join(self, detector: VoiceDetector, tell: Callable[[SpeechEvent], None]) -> "ScoredStream":
        """Begin a stream.

        Args:
            detector: Decides what is speech in it.
            tell: Called with each of its events.
        """
        return ScoredStream(self, self._bank.join(), detector, tell)

    def enqueue(self, stream: "ScoredStream") -> None:
        """Have the windows scored that wait in a stream."""
        self._waiting[stream.number] = stream
        if len(stream.waiting) > LIMIT_WINDOWS:
            while stream.waiting:
                self._score_round()
        elif self._bank.streams <= FEW_STREAMS:
            self._score_soon()
        elif not self._beating:
            self._beating = True
            metronome().join(self._beat)

    def leave(self, stream: "ScoredStream") -> None:
        """End a stream."""
        # What it tells may have others heard.
        self._waiting.pop(stream.number, None)
        self._end_round()
        self._bank.leave(stream.number)
        if not self._waiting and self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if not self._bank.streams:
            self._rest()

    def _beat(self) -> None:
        if self._waiting:
            self._score()
        else:
            self._end_round()
            self._rest()

    def _rest(self) -> None:
        if self._beating:
            self._beating = False
            metronome().leave(self._beat)

    def _score_soon(self) -> None:
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._score)

    def _score(self) -> None:
        self._soon = None
        self._score_round()
        # Whoever has more waiting comes after what else the loop has to do.
        if not self._waiting:
            return
        if self._round is None:
            self._score_soon()
        else:
            self._round.more = True

    def _score_round(self) -> None:
        """Score the first window of every stream that has one waiting."""
        self._end_round()
        if not self._waiting:
            return
        streams = list(self._waiting.values())
        heard = [stream.waiting.popleft() for stream in streams]
        self._waiting = {stream.number: stream for stream in streams if stream.waiting}
        windows = _samples(heard)
        energy = energies(windows).tolist()
        passing = []
        for at, stream in enumerate(streams):
            if stream.gate.passes(heard[at], energy[at], speaking=stream.detector.speaking):
                passing.append(at)
            else:
                stream.judge(0.0, energy[at])
        if not passing:
            return
        this = _Round(
            streams=[streams[at] for at in passing],
            energy=[energy[at] for at in passing],
            windows=windows[passing],
        )
        for stream in this.streams:
            for kept in stream.gate.take_kept():
                self._bank.score([stream.number], _samples([kept]))
        if len(passing) < MANY_WINDOWS:
            this.judge(self._bank.score(this.numbers, this.windows))
        else:
            self._begin_round(this)

    def _begin_round(self, this: "_Round") -> None:
        """Have the model work in its thread; here, if the system has no thread to give."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "speech")
        work = self._bank.work(this.numbers, this.windows)
        try:
            done = asyncio.get_running_loop().run_in_executor(self._thread, this.hear, work)
        except RuntimeError:
            # It keeps what no thread took; another may have better luck.
            self._thread = None
            this.judge(self._bank.take(this.numbers, this.windows, work()))
            return
        self._round = this
        done.add_done_callback(lambda _: self._worked(this))

    def _worked(self, this: "_Round") -> None:
        if this is self._round:
            self._end_round()
            if this.more and self._waiting:
                self._score_soon()

    def _end_round(self) -> None:
        """Judge what the thread scores, if it does; wait for it where it is not done."""
        this, self._round = self._round, None
        if this is None:
            return
        try:
            found = this.found.result()
        except Exception as error:
            # Not the failure of whoever happens to ask.
            context = {"message": "scoring speech failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)
        else:
            this.judge(self._bank.take(this.numbers, this.windows, found))


@dataclass(slots=True, kw_only=True)
class _Round:
    """A window of each of some streams, which the model is to hear."""

    streams: list["ScoredStream"]
    energy: list[float]
    windows: Floats
    found: Future[tuple[Floats, Floats]] = field(default_factory=Future)
    """What the thread gives; the loop's own future is not done before the loop goes on."""
    more: bool = False
    """Whether a stream has a further window waiting."""

    @property
    def numbers(self) -> list[int]:
        """Of the streams."""
        return [stream.number for stream in self.streams]

    def hear(self, work: Callable[[], tuple[Floats, Floats]]) -> None:
        """The thread's part."""
        try:
            self.found.set_result(work())
        except Exception as error:
            self.found.set_exception(error)

    def judge(self, scores: Floats) -> None:
        """Take the probabilities."""
        found: list[float] = scores.tolist()
        for stream, score, energy in zip(self.streams, found, self.energy, strict=True):
            stream.gate.judged(score, energy)
            stream.judge(score, energy)


def _samples(windows: Sequence[bytes]) -> Floats:
    """Windows of s16le as samples, [B, 512]."""
    return to_float(b"".join(windows)).reshape(-1, WINDOW_SAMPLES)


class ScoredStream:
    """One call's speech.

    Made by `SpeechScoring.join`.
    """

    def __init__(
        self,
        scoring: SpeechScoring,
        number: int,
        detector: VoiceDetector,
        tell: Callable[[SpeechEvent], None],
    ) -> None:
        self.number = number
        self.detector = detector
        self.gate = NoiseGate()
        self.waiting: deque[bytes] = deque()
        """Windows of 512 samples, s16le, that are not scored yet."""
        self._scoring = scoring
        self._tell = tell
        self._left = False

    def hear(self, pcm: bytes) -> None:
        """Take the next sound, s16le mono at 16 kHz.

        Raises:
            SoundError: The number of bytes is odd.
        """
        if self._left:
            return
        if windows := self.detector.windows(pcm):
            self.waiting.extend(windows)
            self._scoring.enqueue(self)

    def judge(self, score: float, energy: float) -> None:
        """Take the probability of the oldest window that was waiting, and its energy."""
        # A stream may leave because of what another one tells.
        if self._left:
            return
        event = self.detector.judge(score, energy)
        if event is None:
            return
        try:
            self._tell(event)
        except Exception as error:
            # One call's failure is not the others'.
            context = {"message": f"what {event} caused failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def leave(self) -> None:
        """End the stream; it tells nothing more."""
        if not self._left:
            self._left = True
            self.waiting.clear()
            self._scoring.leave(self)


_scorings: WeakKeyDictionary[asyncio.AbstractEventLoop, SpeechScoring] = WeakKeyDictionary()


def shared_scoring() -> SpeechScoring:
    """The running loop's one; its model is loaded at the first call (about 25 ms)."""
    loop = asyncio.get_running_loop()
    scoring = _scorings.get(loop)
    if scoring is None:
        scoring = _scorings[loop] = SpeechScoring(SileroBank(shared_model()))
    return scoring
