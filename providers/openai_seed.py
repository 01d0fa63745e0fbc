"""What was said before, as items of OpenAI's conversation."""

from collections.abc import Sequence

from crossfade.conversation.history import HistoryItem, Notice, Picture, Recording
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.providers.openai_requests import arguments_text, tool_output
from crossfade.providers.profiles import Profile
from crossfade.providers.sayable import sayable


def seed_items(history: Sequence[HistoryItem], profile: Profile) -> list[HistoryItem]:
    """Give the items that the service takes: what it does not, it is told in words.

    Those are pictures where it sees none, calls that are still open where it cannot be answered
    later, and results whose call is not among the items.
    """
    if not profile.history:
        return []
    answered = {item.call_id for item in history if isinstance(item, ToolResult)}
    called: set[str] = set()
    items: list[HistoryItem] = []
    for item in sayable(history):
        match item:
            case Picture() if not _is_seen(item, profile):
                item = Notice(text="The user showed a picture, which cannot be shown again.")
            case Recording(text=text) if not profile.recordings:
                item = Notice(text=text)
            case ToolCall() if item.id not in answered and not profile.open_calls:
                what = f"{item.name}({arguments_text(item)})"
                item = Notice(text=f"You called {what}; its result is not known yet.")
            case ToolCall():
                called.add(item.id)
            case ToolResult() if item.call_id not in called:
                what = "failed" if item.is_error else "gave"
                item = Notice(text=f"A tool {what}: {tool_output(item)}")
            case _:
                pass
        items.append(item)
    return items


def open_calls(history: Sequence[HistoryItem]) -> list[str]:
    """Give the ids of the calls that are not answered."""
    answered = {item.call_id for item in history if isinstance(item, ToolResult)}
    calls = [item.id for item in history if isinstance(item, ToolCall)]
    return [call_id for call_id in calls if call_id not in answered]


def _is_seen(picture: Picture, profile: Profile) -> bool:
    limit_bytes = profile.image_limit_bytes
    return profile.images and (limit_bytes is None or len(picture.data) <= limit_bytes)


__all__ = ["open_calls", "seed_items"]
