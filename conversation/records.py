"""An entry of the ledger as JSON can hold it, for stores and exports. Lossless, and versioned."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from crossfade.conversation.heard import WordTiming
from crossfade.conversation.tools import ToolCall, ToolResult
from crossfade.conversation.turns import (
    AgentItem,
    AgentTurn,
    Entry,
    Summary,
    ToolRound,
    UserImage,
    UserTurn,
)
from crossfade.conversation.usage import Usage
from crossfade.errors import SettingsError

VERSION = 1

_KINDS: Mapping[type[Entry], str] = {
    UserTurn: "user",
    UserImage: "image",
    AgentTurn: "agent",
    ToolRound: "tool",
    Summary: "summary",
}

_NAMES: Mapping[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind))
    for kind in (*_KINDS, AgentItem, WordTiming, Usage, ToolCall, ToolResult)
}
_SIMPLE = frozenset({str, float, int, bool, type(None)})


def to_record(entry: Entry) -> dict[str, Any]:
    """Give all that is known of an entry: its fields, its `kind` and the record's `version`.

    Times are those of the entry. What a tool was asked and what it gave is taken as it is: it must
    be what JSON can say, as it is for the model.
    """
    return {name: _plain(value) for name, value in whole_record(entry).items()}


def whole_record(entry: Entry) -> dict[str, Any]:
    """The same, but what is inside its fields as it is: what writes dataclasses needs no more."""
    record: dict[str, Any] = {"version": VERSION, "kind": _KINDS[type(entry)]}
    for name in _NAMES[type(entry)]:
        record[name] = getattr(entry, name)
    return record


def from_record(record: Mapping[str, Any]) -> Entry:
    """Give the entry of a record.

    Raises:
        SettingsError: It is no record, or one of a version that is not known here.
    """
    values = dict(record)
    version, kind = values.pop("version", None), values.pop("kind", None)
    if version != VERSION or kind not in _PARSERS:
        raise SettingsError(
            f"a record of version {version!r} and kind {kind!r} cannot be read; this release reads "
            f"version {VERSION} and the kinds {', '.join(_PARSERS)}"
        )
    try:
        return _PARSERS[kind](values)
    except (TypeError, KeyError) as error:
        raise SettingsError(f"a record of kind {kind} cannot be read: {error}") from error


def _names(kind: type[Any]) -> tuple[str, ...] | None:
    """The names of a dataclass's fields; None of any other type."""
    known = _NAMES.get(kind)
    if known is not None:
        return known
    # A tool may give anything.
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _SIMPLE:
        return value
    if (names := _names(kind)) is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _agent(values: dict[str, Any]) -> AgentTurn:
    usage = values.pop("usage")
    return AgentTurn(
        **values
        | {
            "items": tuple(_item(dict(item)) for item in values["items"]),
            "usage": None if usage is None else Usage(**usage),
        }
    )


def _item(values: dict[str, Any]) -> AgentItem:
    timings = tuple(WordTiming(**timing) for timing in values["timings"])
    return AgentItem(**values | {"timings": timings})


def _tool(values: dict[str, Any]) -> ToolRound:
    result = values["result"]
    return ToolRound(
        **values
        | {
            "call": ToolCall(**values["call"]),
            "result": None if result is None else ToolResult(**result),
        }
    )


_PARSERS: Mapping[str, Callable[[dict[str, Any]], Entry]] = {
    "user": lambda values: UserTurn(**values),
    "image": lambda values: UserImage(**values),
    "agent": _agent,
    "tool": _tool,
    "summary": lambda values: Summary(**values),
}

__all__ = ["VERSION", "from_record", "to_record", "whole_record"]
