"""An output that plays to nobody, at the pace of sound."""

from crossfade.frames.audio import OutputAudioRawFrame

from .output import OutputTransport


class PacedOutput(OutputTransport):
    """A line with nobody at its end: each chunk takes as long as it sounds.

    The error bound of what was heard is one chunk of 20 ms.
    """

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        """Nobody listens."""
