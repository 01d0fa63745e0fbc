"""What a client keeps of its microphone until the call has it for sure. Pure."""

from crossfade.audio.pcm import SAMPLE_BYTES

KEEP_S = 10.0


class MicrophoneBuffer:
    """The latest part of a microphone's sound, each sample with its number in the call.

    Holds what was sent as well as what was not: the call may go on in a process that never got
    the latest of it. The oldest is dropped; what of it was never sent is counted.

    Args:
        rate_hz: Rate of the sound, s16le mono.
        keep_s: How much is kept.
    """

    def __init__(self, *, rate_hz: int, keep_s: float = KEEP_S) -> None:
        self._rate_hz = rate_hz
        self._most_bytes = int(rate_hz * keep_s) * SAMPLE_BYTES
        self._pcm = bytearray()
        self.end_sample = 0
        """The number that the next sample will have."""
        self.sent_to = 0
        """Samples before this one were sent to whoever is attached now."""
        self.lost_samples = 0
        """Dropped without having been sent to anybody."""

    @property
    def start_sample(self) -> int:
        """The number of the oldest sample kept."""
        return self.end_sample - len(self._pcm) // SAMPLE_BYTES

    @property
    def waiting_ms(self) -> float:
        """What has not been sent."""
        return (self.end_sample - self.sent_to) * 1000 / self._rate_hz

    def add(self, pcm: bytes) -> None:
        """Sound of the microphone."""
        self._pcm += pcm
        self.end_sample += len(pcm) // SAMPLE_BYTES
        if (over := len(self._pcm) - self._most_bytes) > 0:
            del self._pcm[:over]
            self.lost_samples += max(0, self.start_sample - self.sent_to)
            self.sent_to = max(self.sent_to, self.start_sample)

    def send_again_from(self, sample: int) -> int:
        """The call has what comes before a sample; gives the sample with which sending begins."""
        self.sent_to = min(max(sample, self.start_sample), self.end_sample)
        return self.sent_to

    def take(self, most_bytes: int) -> bytes:
        """What is to be sent next; empty if all was."""
        start = (self.sent_to - self.start_sample) * SAMPLE_BYTES
        pcm = bytes(self._pcm[start : start + most_bytes])
        self.sent_to += len(pcm) // SAMPLE_BYTES
        return pcm


__all__ = ["KEEP_S", "MicrophoneBuffer"]
