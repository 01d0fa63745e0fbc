"""The conversation of a session: its items in order, and the events that changing them makes."""

from collections.abc import Mapping
from typing import Any

from ..backends.backend import ToolOutput
from .errors import RequestRefused
from .identifiers import Identifiers
from .items import Item, check_item

Event = dict[str, Any]

ROOT = "root"


class Conversation:
    """Items in order. Methods return the events that the change makes, in the service's order."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self.id = identifiers.new("conv")
        self.items: list[Item] = []

    @property
    def has_assistant_audio(self) -> bool:
        return any(item.speaks for item in self.items)

    def find(self, id: str) -> Item | None:
        return next((item for item in self.items if item.id == id), None)

    def previous_id(self, item: Item) -> str | None:
        """The id of the item before `item`; None if it is the first."""
        index = self.items.index(item)
        return self.items[index - 1].id if index else None

    @property
    def last_id(self) -> str | None:
        return self.items[-1].id if self.items else None

    def append(self, item: Item) -> Event:
        """Put `item` at the end, which makes a `conversation.item.added`."""
        self.items.append(item)
        return self.added(item)

    def added(self, item: Item) -> Event:
        return self._placed("conversation.item.added", item)

    def done(self, item: Item) -> Event:
        event = self._placed("conversation.item.done", item)
        spoken = any(part["type"] == "output_audio" for part in item.content)
        if spoken or item.type == "function_call":
            # So in captures: the place of speech and calls is given by `added` alone.
            event["previous_item_id"] = None
        return event

    def _placed(self, type: str, item: Item) -> Event:
        return {
            "type": type,
            "previous_item_id": self.previous_id(item),
            "item": item.snapshot(),
        }

    def create(self, wire: Mapping[str, Any], after: str | None) -> tuple[Item, list[Event]]:
        """Take an item from the client.

        Args:
            wire: The item, not yet checked.
            after: The id of the item before it, `root` for the beginning, None for the end.

        Raises:
            RequestRefused: The item or its place is wrong.
        """
        check_item("item", wire)
        item = Item.created_by_client(wire, id=self._identifiers.new("item"))
        if self.find(item.id) is not None:
            raise RequestRefused(
                f"Error adding item: an item with id '{item.id}' already exists.",
                code="invalid_value",
                param="item.id",
            )
        if item.type == "function_call":
            item.wire.setdefault("call_id", self._identifiers.new("call"))
        if item.type == "function_call_output":
            self._check_call(item.wire["call_id"])
        self.items.insert(self._index_after(after), item)
        return item, [self.added(item), self.done(item)]

    def _check_call(self, call_id: str) -> None:
        if call_id not in self.called_names():
            raise RequestRefused(
                f"Tool call ID '{call_id}' not found in conversation.", code="invalid_tool_call_id"
            )

    def _index_after(self, after: str | None) -> int:
        if after is None:
            return len(self.items)
        if after == ROOT:
            return 0
        previous = self.find(after)
        if previous is None:
            raise RequestRefused(
                f"Error adding item: the previous item with id '{after}' does not exist.",
                code="item_not_found",
                param="previous_item_id",
            )
        return self.items.index(previous) + 1

    def called_names(self) -> dict[str, str]:
        """The function of each call id."""
        calls = (item.wire for item in self.items if item.type == "function_call")
        return {call["call_id"]: call["name"] for call in calls}

    def pending_calls(self) -> set[str]:
        """The ids of the calls that the client has not answered."""
        ids: dict[str, set[str]] = {"function_call": set(), "function_call_output": set()}
        for item in self.items:
            if item.type in ids:
                ids[item.type].add(item.wire["call_id"])
        return ids["function_call"] - ids["function_call_output"]

    def retrieve(self, id: str) -> list[Event]:
        item = self.find(id)
        if item is None:
            raise _no_such_item("retrieving", "item_retrieve_invalid_item_id", id)
        return [{"type": "conversation.item.retrieved", "item": item.with_audio()}]

    def truncate(self, id: str, content_index: int, audio_end_ms: int) -> list[Event]:
        """Cut the model's speech to what the user heard of it.

        Raises:
            RequestRefused: There is no such item, it is no speech, or it is shorter already.
        """
        item = self.find(id)
        if item is None:
            raise _no_such_item("truncating", "item_truncate_invalid_item_id", id)
        if not item.speaks:
            raise RequestRefused(
                "Only model output audio messages can be truncated",
                code="unsupported_content_type",
            )
        if content_index != 0:
            raise RequestRefused(
                f"Error truncating item: it has no content at index {content_index}.",
                code="invalid_value",
                param="content_index",
            )
        if audio_end_ms > item.audio_ms:
            raise RequestRefused(
                f"Audio content of {item.audio_ms}ms is already shorter than {audio_end_ms}ms",
                code="invalid_value",
                param="audio_end_ms",
            )
        item.cut(audio_end_ms)
        return [
            {
                "type": "conversation.item.truncated",
                "item_id": id,
                "content_index": content_index,
                "audio_end_ms": audio_end_ms,
            }
        ]

    def delete(self, id: str) -> list[Event]:
        item = self.find(id)
        if item is None:
            raise _no_such_item("deleting", "item_delete_invalid_item_id", id)
        self.items.remove(item)
        return [{"type": "conversation.item.deleted", "item_id": id}]


def newest_input(items: list[Item]) -> list[Item]:
    """What the model has not answered: the items after its last message or call."""
    for index in range(len(items) - 1, -1, -1):
        if items[index].role == "assistant" or items[index].type == "function_call":
            return items[index + 1 :]
    return items


def tool_outputs(items: list[Item], names: Mapping[str, str]) -> list[ToolOutput]:
    """The answered calls among `items`; `names` gives the function of each call id."""
    return [
        ToolOutput(name=names.get(item.wire["call_id"], ""), output=item.wire["output"])
        for item in items
        if item.type == "function_call_output"
    ]


def _no_such_item(action: str, code: str, id: str) -> RequestRefused:
    return RequestRefused(
        f"Error {action} item: the item with id '{id}' does not exist.", code=code
    )
