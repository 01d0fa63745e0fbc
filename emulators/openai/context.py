"""What a response reads: the items that fit into the model's window, and what of them is cached.

The service drops the oldest items of a conversation that has outgrown the window, as `truncation`
says, and bills the beginning that it shares with the response before at the cached rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import RequestRefused
from .items import Item
from .response_settings import ResponseSettings
from .usage import Tokens, fixed_tokens, item_tokens

# So in captures: cached tokens are whole blocks of this many.
_CACHE_BLOCK = 64
_WINDOW = {True: 128_000 - 32_000, False: 28_224}

_Entry = tuple[str, Tokens]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What one response reads."""

    items: Sequence[Item]
    entries: Sequence[_Entry]
    """What it is made of, each with its tokens: instructions and tools, then the items."""
    cached: Tokens = field(default_factory=Tokens)

    @property
    def read(self) -> Tokens:
        return sum((tokens for _, tokens in self.entries), Tokens())


class ContextWindow:
    """Fits conversations into the window of one session's model.

    Args:
        large: Whether the model is of the generation that has 128,000 tokens.
    """

    def __init__(self, *, large: bool) -> None:
        self._limit = _WINDOW[large]
        # What the last response of the conversation read and wrote.
        self._known: list[_Entry] = []

    def fit(self, items: Sequence[Item], settings: ResponseSettings, truncation: Any) -> Context:
        """What of `items` a response reads.

        Args:
            items: The conversation, or what the request names instead.
            settings: The response's.
            truncation: The session's rule.

        Raises:
            RequestRefused: It is too much, and the rule allows no truncation.
        """
        fixed = (
            f"{settings.instructions}\n{settings.tools}",
            fixed_tokens(settings.instructions, settings.tools),
        )
        limit, kept = _limits(truncation, self._limit - fixed[1].total)
        costs = [(item.id, item_tokens(item)) for item in items]
        total = sum(tokens.total for _, tokens in costs)
        dropped = 0
        if total > limit:
            if truncation == "disabled":
                raise RequestRefused(
                    f"The conversation has {total} tokens, which is more than the {limit} that "
                    "fit into the model's context.",
                    code="context_length_exceeded",
                )
            while total > kept and dropped < len(costs) - 1:
                total -= costs[dropped][1].total
                dropped += 1
        entries = [fixed, *costs[dropped:]]
        return Context(items=items[dropped:], entries=entries, cached=_shared(entries, self._known))

    def remember(self, context: Context, written: Sequence[Item]) -> None:
        """A response of the conversation has read `context` and written items."""
        self._known = [*context.entries, *((item.id, item_tokens(item)) for item in written)]


def _limits(truncation: Any, window: int) -> tuple[int, float]:
    """Beyond how many tokens items are dropped, and down to how many."""
    if not isinstance(truncation, Mapping):
        return window, window
    limit = min(window, truncation.get("token_limits", {}).get("post_instructions", window))
    return limit, limit * truncation["retention_ratio"]


def _shared(entries: Sequence[_Entry], known: Sequence[_Entry]) -> Tokens:
    """The whole blocks of the beginning that both have."""
    shared: list[Tokens] = []
    for entry, other in zip(entries, known, strict=False):
        if entry != other:
            break
        shared.append(entry[1])
    left = sum(tokens.total for tokens in shared) // _CACHE_BLOCK * _CACHE_BLOCK
    cached = Tokens()
    for tokens in shared:
        cached += tokens.up_to(left - cached.total)
    return cached
