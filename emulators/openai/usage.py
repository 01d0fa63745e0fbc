"""Tokens of a response, by the service's published rates.

Sound: https://platform.openai.com/docs/guides/realtime-costs, one token for each 100 ms of the
user and each 50 ms of the assistant. Text is estimated at four characters a token. Nothing is
counted as cached, and images are not counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import orjson

from .items import Item

USER_MS_PER_TOKEN = 100
ASSISTANT_MS_PER_TOKEN = 50
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by modality."""

    text: int = 0
    audio: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio)

    @property
    def total(self) -> int:
        return self.text + self.audio


def text_tokens(text: str) -> int:
    return ceil(len(text) / _CHARACTERS_PER_TOKEN)


def item_tokens(item: Item) -> Tokens:
    """What one item costs as input, or as output when it was just generated."""
    assistant = item.role == "assistant"
    audio = ceil(item.audio_ms / (ASSISTANT_MS_PER_TOKEN if assistant else USER_MS_PER_TOKEN))
    # The transcript of user audio is another model's and no part of the context.
    written = "".join(part.get("text") or "" for part in item.content)
    spoken = "".join(part.get("transcript") or "" for part in item.content) if assistant else ""
    called = item.wire.get("name", "") + item.wire.get("arguments", "")
    return Tokens(text_tokens(written + spoken + called + item.wire.get("output", "")), audio)


def input_tokens(
    items: Iterable[Item], instructions: str, tools: Sequence[dict[str, Any]]
) -> Tokens:
    """What a response reads: the whole conversation, the instructions and the declared tools."""
    declared = orjson.dumps(tools).decode() if tools else ""
    fixed = Tokens(text_tokens(instructions) + text_tokens(declared))
    return sum((item_tokens(item) for item in items), fixed)


def usage_of(read: Tokens, written: Tokens) -> dict[str, Any]:
    """The `usage` of a response.done."""
    nothing_cached = {"text_tokens": 0, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": read.total + written.total,
        "input_tokens": read.total,
        "output_tokens": written.total,
        "input_token_details": {
            "text_tokens": read.text,
            "audio_tokens": read.audio,
            "image_tokens": 0,
            "cached_tokens": 0,
            "cached_tokens_details": nothing_cached,
        },
        "output_token_details": {"text_tokens": written.text, "audio_tokens": written.audio},
    }
