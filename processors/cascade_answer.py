"""One answer of a cascade: what is known of it while it is written and spoken."""

import uuid
from dataclasses import dataclass, field

from crossfade.audio.pcm import duration_ms
from crossfade.audio.resample import StreamResampler
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.usage import Usage
from crossfade.frames.audio import SpeechFrame, SpeechOrigin

from .cascade_clauses import Clauses
from .cascade_words import SpokenWords


def _name(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex[:16]}"


@dataclass(slots=True, kw_only=True)
class Answer:
    """A response of the agent, or a phrase that we have it say."""

    injected: bool = False
    id: str = field(default_factory=lambda: _name("response"))
    item_id: str = field(default_factory=lambda: _name("item"))
    clauses: Clauses = field(default_factory=Clauses)
    begun: bool = False
    """Whether the chain was told of it."""
    voiced: bool = False
    """Whether some of it was given to the synthesiser."""
    speaks: bool = False
    """Whether some of its sound has come."""
    cut: bool = False
    failure: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    usage: Usage | None = None
    model: str = ""
    writer: str = ""
    """The service that wrote it."""
    words: SpokenWords = field(default_factory=SpokenWords)
    stretch: str | None = None
    """Which stretch of its speech sounds, by the synthesiser's name for it."""
    received_ms: float = 0.0
    _resampler: StreamResampler | None = None

    def speech(self, pcm: bytes, rate_hz: int, out_rate_hz: int) -> SpeechFrame | None:
        """Sound of it, at the chain's rate; None if there is none yet."""
        if rate_hz != out_rate_hz:
            if self._resampler is None:
                self._resampler = StreamResampler(rate_hz, out_rate_hz)
            pcm = self._resampler.process(pcm)
        return self._framed(pcm, out_rate_hz)

    def rest(self, out_rate_hz: int) -> SpeechFrame | None:
        """What the conversion of rates held back."""
        return (
            None if self._resampler is None else self._framed(self._resampler.flush(), out_rate_hz)
        )

    def _framed(self, pcm: bytes, rate_hz: int) -> SpeechFrame | None:
        if not pcm:
            return None
        self.received_ms += duration_ms(pcm, rate_hz)
        origin = SpeechOrigin(item_id=self.item_id, response_id=self.id, injected=self.injected)
        return SpeechFrame(
            audio=pcm, sample_rate=rate_hz, num_channels=1, context_id=self.id, origin=origin
        )


__all__ = ["Answer"]
