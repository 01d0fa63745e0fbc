"""One response of the model: its events in the service's order. No clock, no socket.

Order: added events outside in (`output_item`, `conversation.item`, `content_part`), deltas, then
done events inside out, and `response.done` last. Cutting a response closes what is open the same
way, with the item `incomplete`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pybase64

from ..message import Message
from .conversation import Conversation, Event
from .identifiers import Identifiers
from .items import Item
from .response_settings import ResponseSettings
from .usage import Tokens, item_tokens, usage_of


@dataclass(slots=True)
class _OpenItem:
    """The output item that is being generated."""

    item: Item
    place: dict[str, Any]
    """The fields that say where a delta belongs."""
    audio_prefix: bytes = field(default=b"")


class Response:
    """A response from created to done.

    Args:
        settings: What is in force for it.
        conversation: Where its items go; one out of band leaves it alone.
        identifiers: Makes its ids.
        read: The tokens of its input.
    """

    def __init__(
        self,
        settings: ResponseSettings,
        conversation: Conversation,
        identifiers: Identifiers,
        read: Tokens,
    ) -> None:
        self.settings = settings
        self.id = identifiers.new("resp")
        self.items: list[Item] = []
        self._conversation = None if settings.out_of_band else conversation
        self._identifiers = identifiers
        self._read = read
        self._open: _OpenItem | None = None
        self._status = "in_progress"
        self._status_details: dict[str, Any] | None = None

    @property
    def finished(self) -> bool:
        return self._status != "in_progress"

    @property
    def produced(self) -> bool:
        """Whether anything of it was given to the client."""
        return bool(self.items)

    def created(self) -> list[Event]:
        return [{"type": "response.created", "response": self._wire(usage=None)}]

    def _wire(self, usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self._status,
            "status_details": self._status_details,
            "output": [item.snapshot() for item in self.items] if self.finished else [],
            "conversation_id": self._conversation.id if self._conversation else None,
            "output_modalities": [self.settings.modality],
            "max_output_tokens": self.settings.max_output_tokens,
            "audio": {"output": self.settings.audio_output},
            "usage": usage,
            "metadata": self.settings.metadata,
        }

    def open_message(self) -> list[Event]:
        """Begin a message, with its one content part."""
        wire = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        events = self._open_item(wire)
        opened = self._opened
        if self.settings.modality == "audio":
            part = {"type": "audio", "transcript": ""}
            opened.item.content.append({"type": "output_audio", "transcript": ""})
        else:
            part = {"type": "text", "text": ""}
            opened.item.content.append({"type": "output_text", "text": ""})
        opened.place["content_index"] = 0
        opened.audio_prefix = (
            f'","response_id":"{self.id}","item_id":"{opened.item.id}",'
            f'"output_index":{opened.place["output_index"]},"content_index":0,"delta":"'
        ).encode()
        return [*events, {"type": "response.content_part.added", **opened.place, "part": part}]

    def open_call(self, name: str) -> list[Event]:
        """Begin a function call."""
        call_id = self._identifiers.new("call")
        wire = {"type": "function_call", "status": "in_progress", "name": name}
        events = self._open_item({**wire, "call_id": call_id, "arguments": ""})
        self._opened.place["call_id"] = call_id
        return events

    def _open_item(self, wire: dict[str, Any]) -> list[Event]:
        item = Item({"id": self._identifiers.new("item"), **wire})
        index = len(self.items)
        self.items.append(item)
        place = {"response_id": self.id, "item_id": item.id, "output_index": index}
        self._open = _OpenItem(item, place)
        events = [self._item_event("response.output_item.added", item, index)]
        if self._conversation is not None:
            events.append(self._conversation.append(item))
        return events

    def _item_event(self, type: str, item: Item, index: int) -> Event:
        return {
            "type": type,
            "response_id": self.id,
            "output_index": index,
            "item": item.snapshot(),
        }

    @property
    def _opened(self) -> _OpenItem:
        assert self._open is not None, "no item is open"
        return self._open

    def words(self, delta: str) -> Event:
        """More text of the open message, written or as the transcript of its speech."""
        opened = self._opened
        part = opened.item.content[0]
        if part["type"] == "output_audio":
            part["transcript"] += delta
            type = "response.output_audio_transcript.delta"
        else:
            part["text"] += delta
            type = "response.output_text.delta"
        return {"type": type, **opened.place, **self._delta(delta)}

    def audio(self, pcm: bytes) -> Message:
        """More speech of the open message, as a whole message of the wire.

        Audio is most of what a session sends; it is joined from bytes, not encoded as JSON.
        """
        opened = self._opened
        opened.item.audio += pcm
        event_id = self._identifiers.new("event")
        data = b"".join(
            (
                b'{"type":"response.output_audio.delta","event_id":"',
                event_id.encode(),
                opened.audio_prefix,
                pybase64.b64encode(pcm),
                b'"}',
            )
        )
        ids = {"response_id": self.id, "item_id": opened.item.id}
        type = "response.output_audio.delta"
        return Message(type=type, data=data, audio_bytes=len(pcm), body=ids)

    def arguments(self, delta: str) -> Event:
        """More of the open call's arguments."""
        opened = self._opened
        opened.item.wire["arguments"] += delta
        type = "response.function_call_arguments.delta"
        return {"type": type, **opened.place, **self._delta(delta)}

    def _delta(self, text: str) -> dict[str, str]:
        return {"delta": text, "obfuscation": self._identifiers.padding(text)}

    def close_item(self, status: str = "completed") -> list[Event]:
        """End the open item, if one is open."""
        if self._open is None:
            return []
        opened, self._open = self._open, None
        opened.item.wire["status"] = status
        events = list(_closing(opened))
        if self._conversation is not None and self._conversation.find(opened.item.id):
            events.append(self._conversation.done(opened.item))
        index = opened.place["output_index"]
        return [*events, self._item_event("response.output_item.done", opened.item, index)]

    def finish(self, status: str, details: dict[str, Any] | None = None) -> list[Event]:
        """End the response, and the open item before it.

        Args:
            status: completed, cancelled, incomplete or failed.
            details: What `status_details` says besides the status.
        """
        events = self.close_item("completed" if status == "completed" else "incomplete")
        self._status = status
        self._status_details = None if details is None else {"type": status, **details}
        nothing_done = status != "completed" and not self.produced
        read = Tokens() if nothing_done else self._read
        usage = usage_of(read, self.written)
        return [*events, {"type": "response.done", "response": self._wire(usage)}]

    @property
    def written(self) -> Tokens:
        """The tokens of its output so far."""
        return sum((item_tokens(item) for item in self.items), Tokens())


def _closing(opened: _OpenItem) -> Iterator[Event]:
    """The done events of what an item holds."""
    item, place = opened.item, opened.place
    if item.type == "function_call":
        call = {"name": item.wire["name"], "arguments": item.wire["arguments"]}
        yield {"type": "response.function_call_arguments.done", **place, **call}
        return
    content = item.content[0]
    if content["type"] == "output_audio":
        said = {"transcript": content["transcript"]}
        yield {"type": "response.output_audio.done", **place}
        yield {"type": "response.output_audio_transcript.done", **place, **said}
        part = {"type": "audio", **said}
    else:
        said = {"text": content["text"]}
        yield {"type": "response.output_text.done", **place, **said}
        part = {"type": "text", **said}
    yield {"type": "response.content_part.done", **place, "part": part}
