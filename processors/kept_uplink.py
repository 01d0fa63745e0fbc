"""The user's side of a call, kept for the node that takes over: sound and the words of voice
activity in one order."""

from collections import deque
from collections.abc import Iterator

from crossfade.audio.pcm import duration_ms
from crossfade.frames.audio import InputAudioRawFrame
from crossfade.frames.control import (
    Frame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)

HEARD = (
    VADUserStartedSpeakingFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    VADUserStoppedSpeakingFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
"""What tells of the user's turns."""
PIECE_MS = 200.0
"""What is replayed comes in pieces of up to so long."""


class KeptUplink:
    """Keeps what a node has to hear again. Positions count frames, from the first one on.

    While nothing is held, the newest sound alone is kept. Beyond its length the oldest is
    forgotten, and counted as lost.

    Args:
        rate_hz: Rate of the sound, mono.
        keep_s: Never is more kept.
        preroll_ms: So much is kept while nobody speaks.
    """

    def __init__(self, rate_hz: int, *, keep_s: float, preroll_ms: float) -> None:
        self.rate_hz = rate_hz
        self.end = 0
        """Position behind the newest frame."""
        self.lost_ms = 0.0
        self._keep_bytes = int(keep_s * rate_hz) * 2
        self._preroll_bytes = int(preroll_ms * rate_hz / 1000) * 2
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._held = False

    @property
    def start(self) -> int:
        """Position of the oldest frame that is kept."""
        return self.end - len(self._frames)

    def hear(self, frame: InputAudioRawFrame) -> None:
        """Keep sound."""
        self._frames.append(frame)
        self.end += 1
        self._bytes += len(frame.audio)
        if self._bytes > (self._keep_bytes if self._held else self._preroll_bytes):
            self._cut_back()

    def mark(self, frame: Frame) -> None:
        """Keep one of `HEARD`."""
        if self._held:
            self._frames.append(frame)
            self.end += 1

    def begin(self) -> int:
        """Hold everything from here on, pre-roll included; gives where that is."""
        if not self._held:
            self._held = True
            return self.start
        at, room_bytes = self.end, self._preroll_bytes
        for frame in reversed(self._frames):
            if isinstance(frame, UserStoppedSpeakingFrame) or room_bytes <= 0:
                break
            room_bytes -= len(frame.audio) if isinstance(frame, InputAudioRawFrame) else 0
            at -= 1
        return at

    def release(self, position: int | None) -> None:
        """Hold nothing before a position, or nothing at all."""
        if position is None:
            self._held = False
            sound = [frame for frame in self._frames if isinstance(frame, InputAudioRawFrame)]
            self._frames = deque(sound)
            self._cut_back()
            return
        while self._frames and self.start < position:
            self._forget()

    def since(self, position: int) -> Iterator[Frame]:
        """What is kept from there on, neighbouring sound put together."""
        sound: list[bytes] = []
        length_bytes, piece_bytes = 0, int(PIECE_MS * self.rate_hz / 1000) * 2
        for frame in list(self._frames)[max(0, position - self.start) :]:
            if not isinstance(frame, InputAudioRawFrame):
                if sound:
                    yield self._piece(sound)
                sound, length_bytes = [], 0
                yield frame
                continue
            sound.append(frame.audio)
            length_bytes += len(frame.audio)
            if length_bytes >= piece_bytes:
                yield self._piece(sound)
                sound, length_bytes = [], 0
        if sound:
            yield self._piece(sound)

    def sound_since(self, position: int) -> bytes:
        """The sound alone, s16le mono."""
        kept = list(self._frames)[max(0, position - self.start) :]
        return b"".join(frame.audio for frame in kept if isinstance(frame, InputAudioRawFrame))

    def _piece(self, sound: list[bytes]) -> InputAudioRawFrame:
        return InputAudioRawFrame(audio=b"".join(sound), sample_rate=self.rate_hz, num_channels=1)

    def _cut_back(self) -> None:
        limit = self._keep_bytes if self._held else self._preroll_bytes
        while self._bytes > limit:
            lost = self._forget()
            if self._held:
                self.lost_ms += duration_ms(lost, self.rate_hz)

    def _forget(self) -> bytes:
        frame = self._frames.popleft()
        if not isinstance(frame, InputAudioRawFrame):
            return b""
        self._bytes -= len(frame.audio)
        return frame.audio


__all__ = ["HEARD", "KeptUplink"]
