"""Tokens of a conversation, by the service's published rates, and what a turn is billed.

Sound: https://ai.google.dev/gemini-api/docs/live-guide, 25 tokens a second both ways. Text is
estimated at four characters a token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

AUDIO_TOKENS_PER_SECOND = 25
IMAGE_TOKENS = 258
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by modality."""

    text: int = 0
    audio: int = 0
    image: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    def __sub__(self, other: "Tokens") -> "Tokens":
        return Tokens(self.text - other.text, self.audio - other.audio, self.image - other.image)

    @property
    def total(self) -> int:
        return self.text + self.audio + self.image


def text_tokens(text: str) -> int:
    return ceil(len(text) / _CHARACTERS_PER_TOKEN)


def audio_tokens(ms: float) -> int:
    # Rounded first: milliseconds of sound are seldom exact as floats.
    return ceil(round(ms * AUDIO_TOKENS_PER_SECOND / 1000, 6))


def usage(
    read: Tokens, written: Tokens, thought: int, *, unlisted: int, vertex: bool
) -> Mapping[str, Any]:
    """The usageMetadata of a turn.

    Args:
        read: The whole prompt; all of the conversation is billed again each turn.
        written: The answer.
        thought: Tokens of thoughts, which the total leaves out.
        unlisted: Tokens of the prompt that no modality is said to have.
        vertex: Vertex has other names for the answer's.
    """
    answer = "candidates" if vertex else "response"
    metadata: dict[str, Any] = {
        "promptTokenCount": read.total + unlisted,
        f"{answer}TokenCount": written.total,
        "totalTokenCount": read.total + unlisted + written.total,
        "promptTokensDetails": _details(read),
        f"{answer}TokensDetails": _details(written),
    }
    if thought:
        metadata["thoughtsTokenCount"] = thought
    return metadata


def _details(tokens: Tokens) -> list[dict[str, Any]]:
    counts = {"TEXT": tokens.text, "AUDIO": tokens.audio, "IMAGE": tokens.image}
    return [{"modality": name, "tokenCount": count} for name, count in counts.items() if count]
