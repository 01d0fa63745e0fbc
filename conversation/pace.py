"""How fast the agent speaks, learned from its answers."""

from collections.abc import Sequence

from crossfade.conversation.heard import spoken_length
from crossfade.conversation.turns import AgentTurn, Entry

# As many pieces of speech as tell enough of a voice; shorter ones tell too little.
_LATEST = 8
_LEAST_MS = 1500.0


def average_pace(entries: Sequence[Entry]) -> float | None:
    """Characters a second that the agent says, pauses included, by its latest whole pieces of
    speech; None while there is none.

    Args:
        entries: The ledger's.
    """
    count = characters = 0
    duration_ms = 0.0
    for entry in reversed(entries):
        if not isinstance(entry, AgentTurn) or entry.status != "completed" or entry.injected:
            continue
        for item in entry.items:
            if item.spoken and item.text and item.received_ms >= _LEAST_MS:
                count += 1
                characters += spoken_length(item.text)
                duration_ms += item.received_ms
        if count >= _LATEST:
            break
    return characters * 1000 / duration_ms if count else None


__all__ = ["average_pace"]
