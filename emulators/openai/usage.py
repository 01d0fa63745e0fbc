"""Tokens of a response, by the service's published rates.

Sound: https://platform.openai.com/docs/guides/realtime-costs, one token for each 100 ms of the
user and each 50 ms of the assistant. Text is estimated at four characters a token.
"""

from collections.abc import Sequence
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
    image: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    @property
    def total(self) -> int:
        return self.text + self.audio + self.image

    def up_to(self, total: int) -> "Tokens":
        """The first `total` of these, text before sound before images."""
        text = min(self.text, total)
        audio = min(self.audio, total - text)
        return Tokens(text, audio, min(self.image, total - text - audio))


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
    words = written + spoken + called + item.wire.get("output", "")
    return Tokens(text_tokens(words), audio, item.image_tokens)


def fixed_tokens(instructions: str, tools: Sequence[dict[str, Any]]) -> Tokens:
    """What stands before every conversation: the instructions and the declared tools."""
    declared = orjson.dumps(tools).decode() if tools else ""
    return Tokens(text_tokens(instructions) + text_tokens(declared))


def usage_of(read: Tokens, written: Tokens, cached: Tokens) -> dict[str, Any]:
    """The `usage` of a response.done; `cached` is the part of `read` that is billed as such."""
    return {
        "total_tokens": read.total + written.total,
        "input_tokens": read.total,
        "output_tokens": written.total,
        "input_token_details": {
            **_by_modality(read),
            "cached_tokens": cached.total,
            "cached_tokens_details": _by_modality(cached),
        },
        "output_token_details": {"text_tokens": written.text, "audio_tokens": written.audio},
    }


def _by_modality(tokens: Tokens) -> dict[str, int]:
    return {
        "text_tokens": tokens.text,
        "audio_tokens": tokens.audio,
        "image_tokens": tokens.image,
    }
