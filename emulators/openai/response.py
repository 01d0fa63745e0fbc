"""One response of the model: its events in the service's order. No clock, no socket.

Order: added events outside in (`output_item`, `conversation.item`, `content_part`), deltas, then
done events inside out, and `response.done` last. Cutting a response closes what is open the same
way, with the item `incomplete`. Where dones are batched, those of all items come at the end.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pybase64

from ..message import Message
from .context import Context
from .conversation import Conversation, Event
from .dialect import Dialect
from .dialects import GA
from .identifiers import Identifiers
from .items import Item
from .response_settings import ResponseSettings
from .sound_formats import sound_format
from .usage import Tokens, item_tokens, usage_of


@dataclass(slots=True)
class _OpenItem:
    """The output item that is being generated."""

    item: Item
    place: dict[str, Any]
    """The fields that say where a delta belongs."""
    ids: dict[str, str]
    """What is logged of its sound."""
    audio_prefix: bytes = b""
    words: str = ""
    """All that was said or written in it."""


class Response:
    """A response from created to done.

    Args:
        settings: What is in force for it.
        conversation: Where its items go; one out of band leaves it alone.
        identifiers: Makes its ids.
        context: What it reads.
        dialect: What its messages of sound are called.
        batched_dones: Whether the done events of all items come together at the end.
    """

    def __init__(
        self,
        settings: ResponseSettings,
        conversation: Conversation,
        identifiers: Identifiers,
        context: Context,
        dialect: Dialect = GA,
        *,
        batched_dones: bool = False,
    ) -> None:
        self.settings = settings
        self.context = context
        self.format = sound_format(settings.audio_output["format"])
        self.id = identifiers.new("resp")
        self.items: list[Item] = []
        self._conversation = None if settings.out_of_band else conversation
        self._identifiers = identifiers
        self._audio_type = dialect.type_of("response.output_audio.delta")
        self._audio_head = f'{{"type":"{self._audio_type}","event_id":"event_'.encode()
        # Of closed items whose done events are to come at the end.
        self._held: list[Event] | None = [] if batched_dones else None
        self._open: _OpenItem | None = None
        self._status = "in_progress"
        self._status_details: dict[str, Any] | str | None = None

    @property
    def finished(self) -> bool:
        return self._status != "in_progress"

    @property
    def produced(self) -> bool:
        """Whether anything of it was given to the client."""
        return bool(self.items)

    @property
    def spoken_ms(self) -> int:
        """How long its speech is so far."""
        return sum(item.audio_ms for item in self.items)

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
        item = Item({"id": self._identifiers.new("item"), **wire}, format=self.format)
        index = len(self.items)
        self.items.append(item)
        place = {"response_id": self.id, "item_id": item.id, "output_index": index}
        self._open = _OpenItem(item, place, {"response_id": self.id, "item_id": item.id})
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
        opened.item.say(delta)
        opened.words += delta
        is_speech = opened.item.content[0]["type"] == "output_audio"
        kind = "output_audio_transcript" if is_speech else "output_text"
        return {"type": f"response.{kind}.delta", **opened.place, **self._delta(delta)}

    def audio(self, sound: bytes) -> Message:
        """More speech of the open message, in the response's format, as a message of the wire.

        Audio is most of what a session sends; it is joined from bytes, not encoded as JSON.
        """
        opened = self._opened
        opened.item.sound(sound)
        data = b"".join(
            (
                self._audio_head,
                self._identifiers.letters(),
                opened.audio_prefix,
                pybase64.b64encode(sound),
                b'"}',
            )
        )
        size, ids = len(sound), opened.ids
        return Message(type=self._audio_type, data=data, audio_bytes=size, body=ids)

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
        talk = self._conversation
        if talk is not None and talk.find(opened.item.id) is opened.item:
            # It may have been deleted meanwhile, and its id given to another.
            events.append(talk.done(opened.item))
        index = opened.place["output_index"]
        events.append(self._item_event("response.output_item.done", opened.item, index))
        if self._held is None:
            return events
        self._held += events
        return []

    def finish(
        self, status: str, details: dict[str, Any] | None = None, *, as_text: bool = False
    ) -> list[Event]:
        """End the response, and the open item before it.

        Args:
            status: completed, cancelled, incomplete or failed.
            details: What `status_details` says besides the status.
            as_text: Say only the reason there, as a text.
        """
        events = self.close_item("completed" if status == "completed" else "incomplete")
        self._status = status
        self._status_details = None if details is None else {"type": status, **details}
        if as_text:
            self._status_details = str((details or {}).get("reason", status))
        nothing_done = status != "completed" and not self.produced
        context = self.context
        usage = (
            usage_of(Tokens(), Tokens(), Tokens())
            if nothing_done
            else usage_of(context.read, self.written, context.cached)
        )
        done: Event = {"type": "response.done", "response": self._wire(usage)}
        return [*(self._held or ()), *events, done]

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
        said = {"transcript": opened.words}
        yield {"type": "response.output_audio.done", **place}
        yield {"type": "response.output_audio_transcript.done", **place, **said}
        part = {"type": "audio", **said}
    else:
        said = {"text": opened.words}
        yield {"type": "response.output_text.done", **place, **said}
        part = {"type": "text", **said}
    yield {"type": "response.content_part.done", **place, "part": part}
