"""The conversation of a session: its items in order, and the events that changing them makes."""

from collections.abc import Mapping
from typing import Any

import orjson

from ..backends.backend import Told, ToolOutput
from .errors import RequestRefused
from .identifiers import Identifiers
from .item_checks import check_item
from .items import Item
from .sound_formats import PCM, SoundFormat

Event = dict[str, Any]

ROOT = "root"
KEPT_MEDIA_BYTES = 4 * 1024 * 1024
"""Sound and images of so much are kept, of the newest items and always of the last."""
ITEMS_LIMIT = 4096
"""A client may create so many; what is said beyond lets the oldest go. The service's own limit is
not known, nor that of text."""
TEXT_LIMIT_BYTES = 16 * 1024 * 1024
"""A client may create items with so much text."""
# An item takes so much besides its text.
_ITEM_BYTES = 1024


class Conversation:
    """Items in order. Methods return the events that the change makes, in the service's order."""

    def __init__(self, identifiers: Identifiers) -> None:
        self._identifiers = identifiers
        self.id = identifiers.new("conv")
        self.items: list[Item] = []
        self._by_id: dict[str, Item] = {}
        # What the text of the client's items takes.
        self._text_bytes: dict[str, int] = {}
        self._held_text_bytes = 0
        # Those whose sound and images are kept, in the order in which they came.
        self._with_media: list[Item] = []

    @property
    def has_assistant_audio(self) -> bool:
        return any(item.speaks for item in self.items)

    def find(self, id: str) -> Item | None:
        return self._by_id.get(id)

    def previous_id(self, item: Item) -> str | None:
        """The id of the item before `item`; None if it is the first."""
        newest = len(self.items) - 1
        index = newest if self.items[newest] is item else self.items.index(item)
        return self.items[index - 1].id if index else None

    @property
    def last_id(self) -> str | None:
        return self.items[-1].id if self.items else None

    def append(self, item: Item) -> Event:
        """Put `item` at the end, which makes a `conversation.item.added`."""
        if len(self.items) == ITEMS_LIMIT:
            self._remove(self.items[0])
        self._insert(len(self.items), item)
        return self.added(item)

    def _insert(self, index: int, item: Item) -> None:
        self.items.insert(index, item)
        self._by_id[item.id] = item
        if item.media_bytes or item.role == "assistant":
            self._keep(item)

    def _remove(self, item: Item) -> None:
        self.items.remove(item)
        if self._by_id.get(item.id) is item:
            del self._by_id[item.id]
        self._held_text_bytes -= self._text_bytes.pop(item.id, 0)
        if item in self._with_media:
            self._with_media.remove(item)

    def _keep(self, item: Item) -> None:
        """Keep the sound and images of a new item, and let go those of the oldest."""
        self._with_media.append(item)
        kept = sum(each.media_bytes for each in self._with_media)
        while kept > KEPT_MEDIA_BYTES and len(self._with_media) > 1:
            oldest = self._with_media.pop(0)
            kept -= oldest.media_bytes
            oldest.let_go()

    @property
    def size_bytes(self) -> int:
        """What its items take without sound and images, about."""
        return sum(len(orjson.dumps(item.wire)) + _ITEM_BYTES for item in self.items)

    def close(self) -> None:
        """Let go all sound and images."""
        for item in self._with_media:
            item.let_go()
        self._with_media.clear()

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

    def create(
        self, wire: Mapping[str, Any], after: str | None, format: SoundFormat = PCM
    ) -> tuple[Item, list[Event]]:
        """Take an item from the client.

        Args:
            wire: The item, not yet checked.
            after: The id of the item before it, `root` for the beginning, None for the end.
            format: Of its sound.

        Raises:
            RequestRefused: The item or its place is wrong.
        """
        check_item("item", wire)
        item = Item.created_by_client(wire, id=self._identifiers.new("item"), format=format)
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
        index = self._index_after(after)
        self._count_text(item)
        self._insert(index, item)
        return item, [self.added(item), self.done(item)]

    def _count_text(self, item: Item) -> None:
        size = len(orjson.dumps(item.wire))
        full = len(self.items) >= ITEMS_LIMIT
        if full or self._held_text_bytes + size > TEXT_LIMIT_BYTES:
            raise RequestRefused(
                f"Error adding item: the conversation holds {len(self.items)} items of "
                f"{self._held_text_bytes} bytes of text; delete some.",
                code="conversation_full",
            )
        self._text_bytes[item.id] = size
        self._held_text_bytes += size

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
        return [{"type": "conversation.item.retrieved", "item": item.with_media()}]

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
        self._remove(item)
        return [{"type": "conversation.item.deleted", "item_id": id}]


_TELLERS = {"user": Told.USER, "assistant": Told.AGENT, "system": Told.NOTICE}


def told_by(item: Item) -> list[tuple[Told, str]]:
    """What an item of the client's tells of the conversation, for who answers it."""
    match item.type:
        case "function_call":
            return [(Told.CALL, item.wire["name"])]
        case "function_call_output":
            return [(Told.RESULT, item.wire["output"])]
    who = _TELLERS.get(item.role or "")
    return [(who, item.text)] if who is not None and item.text.strip() else []


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
