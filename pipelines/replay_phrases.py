"""Phrases as the captured call found them."""

import asyncio

from crossfade.observability.capture_file import CapturedCall, Record
from crossfade.processors.phrases import PhraseStore, Render, Voice


class ReplayedStore(PhraseStore):
    """Has the phrases that were kept already, gets those that a session of its own made when they
    become due, and has the others made on the wire, as they were.

    Args:
        call: The captured call.
    """

    def __init__(self, call: CapturedCall) -> None:
        super().__init__(None)
        phrases = list(call.of("phrase"))
        self._found = {r.fields["text"]: r.sound for r in phrases if not r.fields["made"]}
        self._made = {r.fields["text"]: asyncio.Event() for r in phrases if r.fields["made"]}

    def release(self, record: Record) -> None:
        """A phrase was made by now."""
        text = record.fields["text"]
        if text in self._made:
            self._found[text] = record.sound
            self._made[text].set()

    def find(self, voice: Voice, text: str) -> bytes | None:
        return self._found.get(text) or super().find(voice, text)

    async def make(self, voice: Voice, text: str, render: Render) -> None:
        if text in self._made:
            await self._made[text].wait()
        elif text not in self._found:
            await super().make(voice, text, render)


__all__ = ["ReplayedStore"]
