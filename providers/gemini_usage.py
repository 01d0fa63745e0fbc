"""Tokens of a turn, as Gemini counts them.

Source: https://ai.google.dev/api/live#UsageMetadata
"""

from crossfade.conversation.usage import Usage
from crossfade.providers.gemini_keys import children
from crossfade.providers.wire_json import JsonObject, string, whole

_IMAGES = ("IMAGE", "VIDEO")


def read_usage(usage: JsonObject) -> Usage | None:
    """Read `usageMetadata`; None if there is none.

    It counts one turn, with all that was said before as its input. Thoughts stand beside the
    response's tokens and cost what text costs; so do tokens of unknown modality.
    """
    if not usage:
        return None
    given = _by_modality(usage, "promptTokensDetails", "toolUsePromptTokensDetails")
    cached = _by_modality(usage, "cacheTokensDetails")
    made = _by_modality(usage, "responseTokensDetails", "candidatesTokensDetails")
    input_audio, input_image = given.get("AUDIO", 0), _images(given)
    cached_audio, cached_image = cached.get("AUDIO", 0), _images(cached)
    output_audio = made.get("AUDIO", 0)
    prompt = whole(usage, "promptTokenCount") + whole(usage, "toolUsePromptTokenCount")
    response = whole(usage, "responseTokenCount") or whole(usage, "candidatesTokenCount")
    return Usage(
        input_text_tokens=_text(prompt, given, input_audio + input_image),
        input_audio_tokens=input_audio,
        input_image_tokens=input_image,
        cached_text_tokens=_text(
            whole(usage, "cachedContentTokenCount"), cached, cached_audio + cached_image
        ),
        cached_audio_tokens=cached_audio,
        cached_image_tokens=cached_image,
        output_text_tokens=_text(response, made, output_audio) + whole(usage, "thoughtsTokenCount"),
        output_audio_tokens=output_audio,
    )


def _by_modality(usage: JsonObject, *keys: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for key in keys:
        for detail in children(usage, key):
            modality = string(detail, "modality")
            counts[modality] = counts.get(modality, 0) + whole(detail, "tokenCount")
    return counts


def _images(counts: dict[str, int]) -> int:
    return sum(counts.get(modality, 0) for modality in _IMAGES)


def _text(total: int, counts: dict[str, int], others: int) -> int:
    """Text tokens: as detailed, or what the total leaves for them."""
    return max(counts.get("TEXT", 0), total - others)


__all__ = ["read_usage"]
