"""A history as JSON can say it: what once was refused as a command must not end a call now."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from crossfade.conversation.history import HistoryItem, Notice, Picture, Utterance
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.errors import SettingsError
from crossfade.providers.wire_json import encode


def sayable(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Give what can be said: without empty words, and in text what is no JSON."""
    return [_said(item) for item in history if not _is_empty(item)]


def _is_empty(item: HistoryItem) -> bool:
    return isinstance(item, Utterance | Notice) and not item.text.strip()


def _said(item: HistoryItem) -> HistoryItem:
    match item:
        case Utterance(text=text) | Notice(text=text):
            return item if _fits(text) else replace(item, text=_whole(text))
        case ToolCall(arguments=arguments, unparsed=unparsed):
            if _fits([dict(arguments), unparsed]):
                return item
            return replace(item, arguments={}, unparsed=_whole(unparsed or str(arguments)))
        case ToolResult(output=output):
            return item if _fits(output) else replace(item, output=_whole(str(output)))
        case Picture():
            return item


def _fits(value: Any) -> bool:
    try:
        encode(value)
    except SettingsError:
        return False
    return True


def _whole(text: str) -> str:
    """Half characters are no text on any wire."""
    return text.encode(errors="replace").decode()


__all__ = ["sayable"]
