"""An answer that is begun before the user's turn has certainly ended, and is kept to ourselves."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.turns.user_stop import NormalizedMatch

from crossfade.conversation.history import HistoryItem
from crossfade.frames.control import Frame, MetricsFrame

from .cascade_answer import Answer

_SAME = NormalizedMatch()


@dataclass(slots=True, kw_only=True)
class Ahead:
    """What was asked for ahead, and what the model has written so far."""

    text: str
    """The user's words as they were foreseen."""
    history: Sequence[HistoryItem]
    """The conversation before them."""
    parts: Mapping[str, Any]
    """What was known of calls without a result."""
    answer: Answer = field(default_factory=Answer)
    held: deque[Frame] = field(default_factory=deque)
    """No more than one answer."""
    confirmed: bool = False
    """Whether the turn has ended with these words; what is held is being let out."""

    @property
    def usage(self) -> list[MetricsFrame]:
        """What it has cost so far."""
        measured = [frame for frame in self.held if isinstance(frame, MetricsFrame)]
        return [
            MetricsFrame(data=[usage])
            for frame in measured
            for usage in frame.data
            if isinstance(usage, LLMUsageMetricsData)
        ]

    def fits(self, text: str, history: Sequence[HistoryItem], parts: Mapping[str, Any]) -> bool:
        """Whether it answers these words, too: but for capitals and points they are the same, and
        nothing has happened since."""
        return (
            _SAME.matches(self.text, text)
            and list(self.history) == list(history)
            and self.parts == parts
        )


__all__ = ["Ahead"]
