"""Lets the audio that passes be heard by a recorder or a meter."""

from collections.abc import Callable

from crossfade.frames.audio import AudioRawFrame

from .base import Processor

Hear = Callable[[AudioRawFrame], None]


class AudioTap(Processor):
    """Passes everything on, and hands each audio frame to a function first.

    Args:
        hear: Called in the audio path: returns at once and keeps the frame unchanged.
        last: Whether audio ends here. The end of a pipeline does nothing with it, and takes it
            by the slow way. Where audio is observed, it goes on.
    """

    def __init__(self, hear: Hear, *, last: bool = False, name: str | None = None) -> None:
        super().__init__(name=name)
        self._hear = hear
        self._last = last

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self._hear(frame)
        if not self._last or self.observe_audio:
            self.push_audio(frame)
