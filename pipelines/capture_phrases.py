"""Phrases that are kept in the capture of the call, where its wire does not show them."""

import base64

from crossfade.observability.capture import Capture
from crossfade.processors.phrase_rendering import Rendering
from crossfade.processors.phrases import PhraseStore, Render, Voice


class CapturedStore(PhraseStore):
    """A store of phrases that tells the capture what the call finds in it.

    Args:
        store: Where the phrases are.
        capture: Told of those that were found, and of those that a session of their own made.
        beside: Whether phrases are made on the wire of the call, which the capture holds anyway.
    """

    def __init__(self, store: PhraseStore, capture: Capture, *, beside: bool) -> None:
        super().__init__(None)
        self._store = store
        self._capture = capture
        self._beside = beside

    def find(self, voice: Voice, text: str) -> bytes | None:
        return self._store.find(voice, text)

    async def make(self, voice: Voice, text: str, render: Render) -> None:
        renderings: list[Rendering] = []

        async def noted(text: str) -> Rendering:
            renderings.append(await render(text))
            return renderings[-1]

        await self._store.make(voice, text, noted)
        pcm = self._store.find(voice, text)
        if pcm is None or (renderings and self._beside):
            return
        audio = base64.b64encode(pcm).decode()
        kept = {"text": text, "made": bool(renderings), "audio": audio}
        self._capture.note("phrase", kept, size_bytes=len(audio))


__all__ = ["CapturedStore"]
