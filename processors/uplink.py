"""The user's audio on its way to the provider: at its rate, in messages of one length."""

from crossfade.audio.pcm import SAMPLE_BYTES
from crossfade.audio.resample import StreamResampler

UPLINK_MS = 20
"""How much a message holds at least, unless told otherwise."""


class Uplink:
    """Converts a stream of mono PCM, and cuts it into messages.

    Nothing is held back where the audio comes in pieces of a message's length or more.

    Args:
        in_rate_hz: The rate of what comes in.
        out_rate_hz: The provider's.
        message_ms: So much sound makes a message; what comes in smaller pieces waits for it.

    Raises:
        SoundError: A rate is not positive.
    """

    def __init__(self, in_rate_hz: int, out_rate_hz: int, *, message_ms: int = UPLINK_MS) -> None:
        self._resampler = StreamResampler(in_rate_hz, out_rate_hz)
        # Counted as it comes in: the resampler keeps back a little of the first piece.
        self._enough_bytes = in_rate_hz * message_ms // 1000 * SAMPLE_BYTES
        self._heard_bytes = 0
        self._waiting = b""

    def process(self, pcm: bytes) -> bytes:
        """Take the next s16le samples; the message that they complete, empty if they do not.

        Raises:
            SoundError: The number of bytes is odd.
        """
        message = self._resampler.process(pcm)
        if not self._heard_bytes and len(pcm) >= self._enough_bytes:
            return message
        self._waiting += message
        self._heard_bytes += len(pcm)
        return self.rest() if self._heard_bytes >= self._enough_bytes else b""

    def rest(self) -> bytes:
        """What waits for its message to be complete."""
        message, self._waiting = self._waiting, b""
        self._heard_bytes = 0
        return message


__all__ = ["UPLINK_MS", "Uplink"]
