"""The input audio buffer: what the client appended and nobody committed."""

from .configuration import BYTES_PER_MS
from .errors import RequestRefused

MIN_COMMIT_MS = 100
# Half an hour; the service's own limit is not known.
MAX_BYTES = 30 * 60 * 1000 * BYTES_PER_MS


class InputAudioBuffer:
    """Audio by its position in the session: positions count all audio ever appended, in ms."""

    def __init__(self) -> None:
        self._pcm = bytearray()
        # Position of the first byte held.
        self._start_byte = 0
        self._odd_byte = b""

    @property
    def start_ms(self) -> int:
        """Where the audio held begins."""
        return -(-self._start_byte // BYTES_PER_MS)

    @property
    def end_ms(self) -> int:
        """How much audio the session has been given."""
        return (self._start_byte + len(self._pcm)) // BYTES_PER_MS

    @property
    def held_ms(self) -> float:
        """How much audio is uncommitted."""
        return len(self._pcm) / BYTES_PER_MS

    def append(self, chunk: bytes) -> bytes:
        """Take audio; returns it as whole samples, half a sample being kept for the next call.

        Raises:
            RequestRefused: The buffer is full.
        """
        if len(self._pcm) + len(chunk) > MAX_BYTES:
            raise RequestRefused(
                "Error appending input audio: the buffer holds 30 minutes of audio; commit or "
                "clear it.",
                code="input_audio_buffer_full",
            )
        chunk = self._odd_byte + chunk
        whole = len(chunk) & ~1
        self._odd_byte = chunk[whole:]
        chunk = chunk[:whole]
        self._pcm += chunk
        return chunk

    def forget_before(self, position_ms: int) -> None:
        """Drop what lies before a position."""
        surplus = position_ms * BYTES_PER_MS - self._start_byte
        if surplus > 0:
            dropped = min(surplus, len(self._pcm))
            del self._pcm[:dropped]
            self._start_byte += dropped

    def take(self, until_ms: int | None = None) -> bytes:
        """Remove and return the audio up to a position, by default all of it."""
        if until_ms is None:
            size = len(self._pcm)
        else:
            size = min(max(until_ms * BYTES_PER_MS - self._start_byte, 0), len(self._pcm))
        taken = bytes(self._pcm[:size])
        del self._pcm[:size]
        self._start_byte += size
        return taken

    def commit(self, held_ms: float) -> bytes:
        """Remove and return the audio, as the client asks.

        Args:
            held_ms: How much of it counts; what turn detection takes for silence does not.

        Raises:
            RequestRefused: There is less than 100 ms of it.
        """
        if held_ms < MIN_COMMIT_MS:
            raise RequestRefused(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS}ms of audio, but buffer only has {held_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        return self.take()
