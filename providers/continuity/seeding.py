"""What a new session is told of the conversation before it serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.seed import seed
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.commands import Command, SendImage, SendText, SendToolResult
from crossfade.providers.wire_json import encode

GO_ON = (
    "The line broke while you were speaking. The user has heard your last answer as far as it "
    "stands above, and nothing after it. Go on from exactly there, in the middle of the sentence "
    "if need be. Do not repeat any of it, do not greet, and do not speak of the break."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    items: Sequence[HistoryItem]
    commands: Sequence[Command]
    """Of those that were held, what the items do not tell already."""


def compose(
    history: Sequence[HistoryItem],
    held: Sequence[Command],
    calls: Mapping[str, ToolCall],
    *,
    rest: bool,
    budget_tokens: int,
) -> Seed:
    """Put together what a new session is told.

    Args:
        history: The conversation, oldest first.
        held: Commands that no session has taken.
        calls: The calls that the agent made, by id.
        rest: Whether the last answer was cut, and is to be gone on with.
        budget_tokens: How much of the history may be told.
    """
    items = list(seed(history, budget_tokens=budget_tokens))
    commands: list[Command] = []
    for command in held:
        match command:
            case SendToolResult(result=result, final=True) if not _open(result.call_id, items):
                if not _told(command, items):
                    items += _round(result, calls)
            case _ if not _told(command, items):
                commands.append(command)
    if rest:
        items.append(Notice(text=GO_ON))
    return Seed(items=items, commands=commands)


def as_text(result: ToolResult, call: ToolCall | None) -> str:
    """Tell the result of a call that the session does not know."""
    asked = "" if call is None else f" {call.name}({_json(call.arguments)})"
    what = "failed" if result.is_error else "has its result now"
    return f"[The tool call{asked} of before {what}: {_json(result.output)}]"


def _told(command: Command, items: Sequence[HistoryItem]) -> bool:
    """Whether the history holds what a command would say."""
    match command:
        case SendText(call_id=call_id) if call_id:
            return any(isinstance(item, ToolResult) and item.call_id == call_id for item in items)
        case SendText(text=text):
            return Utterance(speaker=Speaker.USER, text=text.strip()) in items
        case SendImage(data=data, media_type=media_type):
            return Picture(data=data, media_type=media_type) in items
        case SendToolResult(result=result):
            return any(
                isinstance(item, ToolResult) and item.call_id == result.call_id for item in items
            )
    return False


def _open(call_id: str, items: Sequence[HistoryItem]) -> bool:
    """Whether the history tells of a call and of no result."""
    calls = any(isinstance(item, ToolCall) and item.id == call_id for item in items)
    answers = any(isinstance(item, ToolResult) and item.call_id == call_id for item in items)
    return calls and not answers


def _round(result: ToolResult, calls: Mapping[str, ToolCall]) -> list[HistoryItem]:
    call = calls.get(result.call_id)
    return [Notice(text=as_text(result, None))] if call is None else [call, result]


def _json(value: object) -> str:
    return value if isinstance(value, str) else encode(value).decode()


__all__ = ["GO_ON", "Seed", "as_text", "compose"]
