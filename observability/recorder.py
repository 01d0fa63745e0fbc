"""Records a call: caller left, agent right, as it was heard."""

from collections import deque
from pathlib import Path

from crossfade.audio.flac_file import FlacWriter
from crossfade.audio.pcm import duration_ms
from crossfade.audio.sound_file import WavWriter

from .disk import DiskThread
from .timeline import Side, StereoTimeline

_Chunk = tuple[Side, bytes, int, float]

# A minute of both sides at 48 kHz on a disk that does not answer.
_QUEUE_BYTES = 60 * 2 * 96_000


class Recorder:
    """Streams a stereo file of 16 bits to disk: FLAC if the path says so, else WAV.

    Chunks wait in a bounded queue for one thread, which places, resamples and writes them every
    second; after each time the file on disk is whole, so that a killed process leaves a
    playable recording (of FLAC, but for its last 4096 frames). When the queue is full, the newest
    chunk is refused and counted.

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
        self._queue: deque[_Chunk] = deque()
        # One thread counts what it puts, the other one what it takes: neither waits for a lock.
        self._put_bytes = self._taken_bytes = 0
        self._closed = False
        self.dropped_ms = 0.0
        """Sound that found no room."""
        self.failure: OSError | None = None
        """What the disk answered when the recording had to be given up."""
        self._thread = DiskThread(self._drain)

    def caller_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Record what the caller said: s16le mono that came `at_s` seconds into the call."""
        self._put((Side.CALLER, pcm, rate_hz, at_s))

    def agent_audio(self, pcm: bytes, rate_hz: int, at_s: float) -> None:
        """Record what the agent was heard to say: s16le mono played from `at_s` on."""
        self._put((Side.AGENT, pcm, rate_hz, at_s))

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

    def _put(self, chunk: _Chunk) -> None:
        if self._closed:
            return
        length_bytes = len(chunk[1])
        queued_bytes = self._put_bytes - self._taken_bytes + length_bytes
        if queued_bytes > _QUEUE_BYTES:
            self.dropped_ms += duration_ms(chunk[1], chunk[2])
            return
        self._queue.append(chunk)
        self._put_bytes += length_bytes
        if queued_bytes > _QUEUE_BYTES // 8:
            self._thread.wake()

    def _drain(self) -> None:
        """Place, resample and write all that waits. Runs in the writing thread."""
        waiting = len(self._queue)
        for _ in range(waiting):
            side, pcm, rate_hz, at_s = self._queue.popleft()
            self._taken_bytes += len(pcm)
            if not self._timeline.add(side, pcm, rate_hz, at_s):
                self.dropped_ms += duration_ms(pcm, rate_hz)
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
