"""The part of a conversation that a new session is told: the newest, within a budget."""

from collections.abc import Callable, Sequence

from crossfade.conversation.history import HistoryItem, Notice, Recording
from crossfade.conversation.tokens import estimate
from crossfade.conversation.tools import ToolCall, ToolResult


def seed(
    items: Sequence[HistoryItem],
    *,
    budget_tokens: int,
    count: Callable[[HistoryItem], int] = estimate,
) -> tuple[HistoryItem, ...]:
    """Cut a history from its old end.

    What stays is whole and in order. A tool call stays with its result, and with all that stands
    between them. A notice at the front stays: it tells of what came before. The newest item stays
    in any case, with what belongs to it; but for these two, the budget is kept.

    Args:
        items: The conversation, oldest first.
        budget_tokens: How much may stay.
        count: Tells the tokens of an item.
    """
    first = items[0] if items else None
    front = (first,) if isinstance(first, Notice) and not isinstance(first, Recording) else ()
    rest = items[len(front) :]
    left = budget_tokens - sum(count(item) for item in front)
    begin = len(rest)
    for start, end in reversed(_inseparable(rest)):
        left -= sum(count(item) for item in rest[start:end])
        if left < 0 and begin < len(rest):
            break
        begin = start
    return front + tuple(rest[begin:])


def _inseparable(items: Sequence[HistoryItem]) -> list[tuple[int, int]]:
    """The stretches that may not be split: from a call to the last result that is needed."""
    answered_at = {
        item.call_id: at for at, item in enumerate(items) if isinstance(item, ToolResult)
    }
    stretches: list[tuple[int, int]] = []
    start = end = 0
    for at, item in enumerate(items):
        if at >= end:
            start, end = at, at + 1
        if isinstance(item, ToolCall):
            end = max(end, answered_at.get(item.id, at) + 1)
        if at == end - 1:
            stretches.append((start, end))
    return stretches


__all__ = ["seed"]
