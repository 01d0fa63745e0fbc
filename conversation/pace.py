"""How fast the agent speaks, learned from its answers."""

from collections.abc import Sequence

from crossfade.conversation.heard import spoken_length
from crossfade.conversation.turns import AgentTurn, Entry

# As many answers as tell enough of a voice; shorter pieces tell too little.
_LATEST = 8
_LEAST_MS = 1500.0
# An answer may be slower than any before it.
_MARGIN = 0.9


def sure_pace(entries: Sequence[Entry]) -> float | None:
    """Characters a second that the agent says at least, by the slowest of its latest whole pieces
    of speech; None while there is none.

    Args:
        entries: The ledger's.
    """
    paces: list[float] = []
    for entry in reversed(entries):
        if isinstance(entry, AgentTurn) and entry.status == "completed" and not entry.injected:
            paces += [
                spoken_length(item.text) / (item.received_ms / 1000)
                for item in entry.items
                if item.spoken and item.text and item.received_ms >= _LEAST_MS
            ]
        if len(paces) >= _LATEST:
            break
    return min(paces) * _MARGIN if paces else None


__all__ = ["sure_pace"]
