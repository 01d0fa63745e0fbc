"""The input audio buffer: what the client appended and nobody committed."""

from .errors import RequestRefused
from .sound_formats import PCM, SoundFormat, recoded

MIN_COMMIT_MS = 100
# Half an hour; the service's own limit is not known.
_MAX_MS = 30 * 60 * 1000


class InputAudioBuffer:
    """Audio by its position in the session: positions count all audio ever appended, in ms."""

    def __init__(self) -> None:
        self.format = PCM
        self._sound = bytearray()
        # Position of the first byte held.
        self._start_byte = 0
        self._part_sample = b""

    @property
    def start_ms(self) -> int:
        """Where the audio held begins."""
        return -(-self._start_byte // self.format.bytes_per_ms)

    @property
    def end_ms(self) -> int:
        """How much audio the session has been given."""
        return (self._start_byte + len(self._sound)) // self.format.bytes_per_ms

    @property
    def start_sample(self) -> int:
        """How many samples came before those held."""
        return self._start_byte // self.format.sample_bytes

    @property
    def held_ms(self) -> float:
        """How much audio is uncommitted."""
        return len(self._sound) / self.format.bytes_per_ms

    def reformat(self, format: SoundFormat) -> None:
        """Take audio of another format from now on; what is held is written anew."""
        start_ms = self.start_ms
        self._sound = bytearray(recoded(bytes(self._sound), self.format, format))
        self.format = format
        self._start_byte = start_ms * format.bytes_per_ms
        self._part_sample = b""

    def append(self, chunk: bytes) -> bytes:
        """Take audio; returns it as whole samples, half a sample being kept for the next call.

        Raises:
            RequestRefused: The buffer is full.
        """
        if len(self._sound) + len(chunk) > _MAX_MS * self.format.bytes_per_ms:
            raise RequestRefused(
                "Error appending input audio: the buffer holds 30 minutes of audio; commit or "
                "clear it.",
                code="input_audio_buffer_full",
            )
        chunk = self._part_sample + chunk
        whole = len(chunk) - len(chunk) % self.format.sample_bytes
        self._part_sample = chunk[whole:]
        chunk = chunk[:whole]
        self._sound += chunk
        return chunk

    def forget_before(self, position_ms: int) -> None:
        """Drop what lies before a position."""
        surplus = position_ms * self.format.bytes_per_ms - self._start_byte
        if surplus > 0:
            dropped = min(surplus, len(self._sound))
            del self._sound[:dropped]
            self._start_byte += dropped

    def take(self, until_ms: int | None = None) -> bytes:
        """Remove and return the audio up to a position, by default all of it."""
        if until_ms is None:
            size = len(self._sound)
        else:
            wanted = until_ms * self.format.bytes_per_ms - self._start_byte
            size = min(max(wanted, 0), len(self._sound))
        taken = bytes(self._sound[:size])
        del self._sound[:size]
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
