"""How many tokens an item of a conversation comes to, estimated from its letters.

No tokeniser of a provider is asked: each has its own, and none is public for all models. The
estimate would rather be too high than too low, for prose by up to a half; it never exceeds the
UTF-8 bytes of the text, which no tokeniser does, plus `ITEM_TOKENS`. Of speech only the words
count, for a history is told in writing.
"""

import json
import math
from typing import Any

from crossfade.conversation.history import HistoryItem, Notice, Picture, Utterance
from crossfade.conversation.image_size import image_size
from crossfade.conversation.tools import ToolCall

ITEM_TOKENS = 8
"""What marks an item as one: who speaks, where it begins and ends."""
LARGEST_PICTURE_TOKENS = 85 + 170 * 8

# Characters for a token: English takes 4 to 5, other languages in Latin letters 3 to 4.
_LATIN = 3.0
# Greek, Cyrillic, Hebrew, Arabic and their neighbours.
_ALPHABETS = 2.0
# Pictures are counted in squares, once the longer side is 2048 pixels and the shorter 768 at most.
_SQUARE_PX, _LONG_PX, _SHORT_PX = 512, 2048, 768


def estimate(item: HistoryItem) -> int:
    """Estimate the tokens of an item."""
    match item:
        case Utterance(text=text) | Notice(text=text):
            tokens = text_tokens(text)
        case Picture(data=data):
            tokens = picture_tokens(data)
        case ToolCall():
            asked = _json(dict(item.arguments)) if item.unparsed is None else item.unparsed
            tokens = text_tokens(item.name) + text_tokens(item.id) + text_tokens(asked)
        case _:
            tokens = text_tokens(item.call_id) + text_tokens(_json(item.output))
    return ITEM_TOKENS + tokens


def text_tokens(text: str) -> int:
    """Estimate the tokens of a text: by its scripts, dense ones a token a character."""
    latin = sum(character < "\u0370" for character in text)
    alphabets = sum("\u0370" <= character < "\u0700" for character in text)
    dense = sum("\u0700" <= character < "\U00010000" for character in text)
    # Emoji and rare scripts, four bytes each.
    rare = len(text) - latin - alphabets - dense
    return math.ceil(latin / _LATIN + alphabets / _ALPHABETS + dense + 3 * rare)


def picture_tokens(data: bytes) -> int:
    """Estimate the tokens of a picture, as OpenAI counts its larger ones; others count less.

    Args:
        data: A JPEG or PNG file; one that does not tell its size counts as the largest.
    """
    size = image_size(data)
    if size is None or not all(size):
        return LARGEST_PICTURE_TOKENS
    scale = min(1.0, _LONG_PX / max(size), _SHORT_PX / min(size))
    across, down = (math.ceil(max(1.0, side * scale) / _SQUARE_PX) for side in size)
    return min(85 + 170 * across * down, LARGEST_PICTURE_TOKENS)


def _json(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


__all__ = [
    "ITEM_TOKENS",
    "LARGEST_PICTURE_TOKENS",
    "estimate",
    "picture_tokens",
    "text_tokens",
]
