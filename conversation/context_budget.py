"""When a conversation is too long for its model, and which part of it is to be summarised. Pure.

Who carries it out asks for the summary beside the conversation, files it by
`Conversation.summarised`, and has the session rotate onto it. A model that cannot be asked beside
the conversation is given a new session that is told the newest part alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.conversation.history import HistoryItem, Notice, Picture, Utterance
from crossfade.conversation.pictures import Pictures
from crossfade.conversation.retelling import latest_summary, retell, retell_entry
from crossfade.conversation.tokens import estimate
from crossfade.conversation.tools import ToolCall
from crossfade.conversation.turns import AgentTurn, Entry, ToolRound, UserTurn

INSTRUCTIONS = (
    "Summarise the conversation below for the agent that carries it on. Keep names, numbers, "
    "dates, what the user wants, what was promised, what tools found out, and what is still open. "
    "Write plain sentences, in the language of the conversation, at most 300 words. Answer with "
    "the summary alone."
)
HEADING = "What was said before, in short: "

# Of the budget, so much of the newest part is kept whole.
_KEPT = 0.4
# A summary of less than this is not worth a new session.
_LEAST = 0.2
# A turn that ended so long ago gets no transcript any more.
_SETTLED_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryWish:
    """What to ask for, and what it will stand for."""

    upto: int
    """The entries that it covers, for `Conversation.summarised`."""
    text: str
    """What is to be summarised."""


class ContextBudget:
    """Watches how long the conversation is.

    Args:
        budget_tokens: What the model's context may hold.
    """

    def __init__(self, budget_tokens: int) -> None:
        self._budget_tokens = budget_tokens

    def exceeded(self, entries: Sequence[Entry], input_tokens: int | None = None) -> bool:
        """Whether the conversation is too long by now.

        Args:
            entries: The ledger's.
            input_tokens: What the provider counted for the latest response, where it does: all
                that the model was told, sound included. Else the words are estimated.
        """
        if input_tokens is None:
            input_tokens = sum(estimate(item) for item in retell(entries, Pictures()))
        return input_tokens > self._budget_tokens

    def wish(self, entries: Sequence[Entry], now_s: float) -> SummaryWish | None:
        """Say which of the oldest entries to summarise; None if there is too little of them.

        The newest are kept whole, and with them whatever may still change: answers that come,
        calls that are open, turns whose transcript is awaited.
        """
        before = latest_summary(entries)
        begin = 0 if before is None else before.upto
        upto = min(self._kept_from(entries, begin), _settled(entries, now_s))
        covered = _told(entries[begin:upto])
        if sum(estimate(item) for item in covered) < _LEAST * self._budget_tokens * (1 - _KEPT):
            return None
        told = covered if before is None else [Notice(text=before.text), *covered]
        return SummaryWish(upto=upto, text="\n".join(_line(item) for item in told))

    def _kept_from(self, entries: Sequence[Entry], begin: int) -> int:
        """Where the part begins that is kept whole, a turn of the user if there is one."""
        left = _KEPT * self._budget_tokens
        at = len(entries)
        while at > begin:
            left -= sum(estimate(item) for item in _told(entries[at - 1 : at]))
            if left < 0:
                break
            at -= 1
        users = (i for i in range(at, len(entries)) if isinstance(entries[i], UserTurn))
        return next(users, at)


def _told(entries: Sequence[Entry]) -> list[HistoryItem]:
    return [item for entry in entries for item in retell_entry(entry, Pictures())]


def _settled(entries: Sequence[Entry], now_s: float) -> int:
    """How many entries, from the first, will not change any more."""
    for at, entry in enumerate(entries):
        match entry:
            case ToolRound(result=None) | AgentTurn(status=None) | UserTurn(stopped_at_s=None):
                return at
            case UserTurn(final=False, stopped_at_s=float(stopped_at_s)):
                if now_s - stopped_at_s < _SETTLED_S:
                    return at
    return len(entries)


def _line(item: HistoryItem) -> str:
    match item:
        case Utterance(speaker=speaker, text=text):
            return f"{speaker.value.capitalize()}: {text}"
        case Notice(text=text):
            return text
        case Picture():
            return "(The user showed a picture.)"
        case ToolCall(name=name, arguments=arguments):
            return f"Tool {name} was called with {_json(dict(arguments))}."
    return f"{'It failed' if item.is_error else 'It gave'}: {_json(item.output)}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


__all__ = ["HEADING", "INSTRUCTIONS", "ContextBudget", "SummaryWish"]
