"""Lets the audio that passes be heard by a recorder or a meter."""

from collections.abc import Callable

from crossfade.frames.audio import AudioRawFrame

from .base import Processor

Hear = Callable[[AudioRawFrame], None]


class AudioTap(Processor):
    """Passes everything on, and hands each audio frame to a function first.

    Args:
        hear: Called in the audio path: returns at once and keeps the frame unchanged.
    """

    def __init__(self, hear: Hear, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self._hear = hear

    def handle_audio(self, frame: AudioRawFrame) -> None:
        self._hear(frame)
        self.push_audio(frame)
