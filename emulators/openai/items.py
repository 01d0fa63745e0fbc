"""Conversation items: what the wire shows of them, and their sound and images."""

from collections.abc import Mapping
from typing import Any

import pybase64

from .images import image_tokens
from .sound_formats import PCM, SoundFormat

WireItem = dict[str, Any]


class Item:
    """One item of a conversation: what the wire shows of it, and the media that it does not.

    Args:
        wire: The item as its events show it; never with sound or images in it.
        audio: Sound of the item's first audio content.
        format: How the sound is written.
    """

    def __init__(self, wire: WireItem, audio: bytes = b"", format: SoundFormat = PCM) -> None:
        self.wire = wire
        self.audio = bytearray(audio)
        """Empty also where the sound was let go."""
        self.format = format
        self.image_tokens = 0
        self.is_silence = False
        """Made by an idle timeout: nobody speaks in it."""
        self.heard: str | None = None
        """The words recognised in its sound; None before they were."""
        # Images by their place in the content.
        self._images: dict[int, str] = {}
        self._audio_bytes = len(audio)
        self._sounded = bool(audio)
        self._is_cut = False

    @classmethod
    def created_by_client(
        cls, wire: Mapping[str, Any], *, id: str, format: SoundFormat = PCM
    ) -> "Item":
        """A checked item of a client.

        Args:
            wire: The item.
            id: Serves where it has none.
            format: Of its sound.
        """
        kept: WireItem = {"id": wire.get("id", id), "type": wire["type"]}
        if wire["type"] != "function_call_output":
            kept["status"] = "completed"
        audio = b""
        images = {}
        for name in ("role", "call_id", "name", "arguments", "output"):
            if name in wire:
                kept[name] = wire[name]
        if wire["type"] == "message":
            kept["content"] = [dict(part) for part in wire["content"]]
            for index, part in enumerate(kept["content"]):
                if part["type"] == "input_audio":
                    audio += pybase64.b64decode(part.pop("audio"))
                    part.setdefault("transcript", None)
                elif part["type"] == "input_image":
                    images[index] = part.pop("image_url")
                    part.setdefault("detail", "auto")
        item = cls(kept, audio, format)
        item._images = images
        item.image_tokens = sum(
            image_tokens(url, kept["content"][index]["detail"]) for index, url in images.items()
        )
        return item

    @classmethod
    def spoken_by_user(cls, id: str, audio: bytes, format: SoundFormat = PCM) -> "Item":
        """The item that a commit of the input audio makes."""
        content = [{"type": "input_audio", "transcript": None}]
        wire = {
            "id": id,
            "type": "message",
            "status": "completed",
            "role": "user",
            "content": content,
        }
        return cls(wire, audio, format)

    @property
    def id(self) -> str:
        return str(self.wire["id"])

    @property
    def type(self) -> str:
        return str(self.wire["type"])

    @property
    def role(self) -> str | None:
        """Of a message: system, user or assistant."""
        return self.wire.get("role")

    @property
    def content(self) -> list[dict[str, Any]]:
        content: list[dict[str, Any]] = self.wire.get("content", [])
        return content

    @property
    def text(self) -> str:
        """Every written word and transcript of a message."""
        words = (part.get("text") or part.get("transcript") or "" for part in self.content)
        return " ".join(word for word in words if word)

    @property
    def audio_ms(self) -> int:
        """How long the item sounds, also where the sound itself was let go."""
        return self._audio_bytes // self.format.bytes_per_ms

    @property
    def media_bytes(self) -> int:
        """How much sound and how many images it holds."""
        return len(self.audio) + sum(map(len, self._images.values()))

    @property
    def is_spoken(self) -> bool:
        """Whether it has sound of the user in it."""
        return any(part["type"] == "input_audio" for part in self.content)

    @property
    def speaks(self) -> bool:
        """Whether it is speech of the model, with some sound given."""
        return self._sounded and any(part["type"] == "output_audio" for part in self.content)

    def sound(self, more: bytes) -> None:
        """Take more speech of the model; what comes after a cut is not part of the item."""
        self._sounded = True
        if not self._is_cut:
            self.audio += more
            self._audio_bytes += len(more)

    def say(self, words: str) -> None:
        """Take more words of the model, unless its speech was cut before."""
        part = self.content[0]
        name = "transcript" if part["type"] == "output_audio" else "text"
        if not self._is_cut:
            part[name] += words

    def snapshot(self) -> WireItem:
        """The item as an event shows it now."""
        wire = dict(self.wire)
        if "content" in wire:
            wire["content"] = [dict(part) for part in wire["content"]]
        return wire

    def with_media(self) -> WireItem:
        """The item as `conversation.item.retrieved` shows it."""
        wire = self.snapshot()
        content = wire.get("content", [])
        for part in content:
            if part["type"] in ("input_audio", "output_audio") and self.audio:
                part["audio"] = pybase64.b64encode(bytes(self.audio)).decode()
                break
        for index, url in self._images.items():
            content[index]["image_url"] = url
        return wire

    def cut(self, audio_end_ms: int) -> None:
        """Forget the sound after `audio_end_ms`, and the transcript as a whole."""
        self._audio_bytes = audio_end_ms * self.format.bytes_per_ms
        del self.audio[self._audio_bytes :]
        self._is_cut = True
        for part in self.content:
            if part["type"] == "output_audio":
                part["transcript"] = None

    def let_go(self) -> None:
        """Forget sound and images; their length and cost stay known."""
        self.audio = bytearray()
        self._images.clear()
