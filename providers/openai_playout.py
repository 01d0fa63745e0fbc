"""Whether the last answer may still be playing, which the service does not know either."""

from crossfade.providers.sound_format import SoundFormat

# The caller's player starts later than the audio arrives.
_PLAYER_LAG_MS = 500.0


class Playout:
    """Times the answers by the user's audio, which goes the other way in real time.

    Where the user's audio pauses, an answer seems to last longer; where it is sent in a rush, the
    answer seems to be over.

    Args:
        sound: How both are coded.
    """

    def __init__(self, sound: SoundFormat) -> None:
        self.sound = sound
        self.heard_bytes = 0
        """The user's audio so far."""
        self._response_id = ""
        self._ends_at_ms = 0.0

    def add(self, response_id: str, length_bytes: int) -> None:
        """Note audio of an answer."""
        sound = self.sound
        begins_at_ms = max(self._ends_at_ms, sound.input_ms(self.heard_bytes) + _PLAYER_LAG_MS)
        self._ends_at_ms = begins_at_ms + sound.output_ms(length_bytes)
        self._response_id = response_id

    def stop(self) -> str:
        """Take the answer that may be playing still, once; empty if none is."""
        now_ms = self.sound.input_ms(self.heard_bytes)
        playing = self._response_id if now_ms < self._ends_at_ms else ""
        self._response_id, self._ends_at_ms = "", 0.0
        return playing


__all__ = ["Playout"]
