"""Records a call: caller left, agent right, as it was heard."""

from collections import deque
from pathlib import Path

from crossfade.audio.flac_file import FlacWriter
from crossfade.audio.pcm import duration_ms
from crossfade.audio.sound_file import WavWriter

from .call_sound import Placed
from .disk import DiskThread
from .timeline import Piece, StereoTimeline

_Taken = tuple[Placed, int, float]

# A minute of both sides at 48 kHz on a disk that does not answer.
_QUEUE_BYTES = 60 * 2 * 96_000


class Recorder:
    """Streams a stereo file of 16 bits to disk: FLAC if the path says so, else WAV.

    Pieces wait in a bounded queue for one thread, which lays, resamples and writes them every
    second; after each time the file on disk is whole, so that a killed process leaves a
    playable recording (of FLAC, but for its last 4096 frames). When the queue is full, what is
    newest is refused and counted.

    Args:
        path: The file, replaced if it exists.
        rate_hz: Its sample rate.

    Raises:
        SettingsError: The file cannot be created.
    """

    def __init__(self, path: Path, rate_hz: int = 24_000) -> None:
        self.path = path
        writer = FlacWriter if path.suffix == ".flac" else WavWriter
        self._file = writer(path, rate_hz, channels=2)
        self._timeline = StereoTimeline(rate_hz)
        self._queue: deque[_Taken] = deque()
        # One thread counts what it puts, the other one what it takes: neither waits for a lock.
        self._put_bytes = self._taken_bytes = 0
        self._closed = False
        self.dropped_ms = 0.0
        """Sound that found no room."""
        self.failure: OSError | None = None
        """What the disk answered when the recording had to be given up."""
        self._thread = DiskThread(self._drain)

    def take(self, placed: Placed, now_s: float) -> None:
        """Record all that was placed since the last time, up to `now_s` seconds into the call."""
        if self._closed:
            return
        length_bytes = sum(len(piece.pcm) for _, piece in placed)
        queued_bytes = self._put_bytes - self._taken_bytes + length_bytes
        if queued_bytes > _QUEUE_BYTES:
            self.dropped_ms += sum(_duration_ms(piece) for _, piece in placed)
            return
        self._queue.append((placed, length_bytes, now_s))
        self._put_bytes += length_bytes
        if queued_bytes > _QUEUE_BYTES // 8:
            self._thread.wake()

    def close(self) -> None:
        """Write what waits and close the file. Blocks for the disk."""
        if self._closed:
            return
        self._closed = True
        self._thread.close()
        try:
            self._write(self._timeline.finish())
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error

    def _drain(self) -> None:
        """Lay, resample and write all that waits. Runs in the writing thread."""
        waiting = len(self._queue)
        for _ in range(waiting):
            placed, length_bytes, now_s = self._queue.popleft()
            self._taken_bytes += length_bytes
            for side, piece in placed:
                if not self._timeline.lay(side, piece, now_s):
                    self.dropped_ms += _duration_ms(piece)
            self._thread.breathe()
        if waiting:
            frames = self._timeline.take()
            self._thread.breathe()
            self._write(frames)

    def _write(self, frames: bytes) -> None:
        if self.failure is not None:
            return
        try:
            self._file.write(frames)
            self._file.flush()
        except OSError as error:
            self.failure = error


def _duration_ms(piece: Piece) -> float:
    return duration_ms(piece.pcm, piece.rate_hz)
