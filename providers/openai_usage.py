"""What OpenAI counts: tokens of a response, and what is left of the limits.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events/response/done and
https://platform.openai.com/docs/api-reference/realtime-server-events/rate_limits/updated
"""

import math

from crossfade.conversation.usage import Usage
from crossfade.providers.events import Event, RateLimit, RateLimits, TranscriptionUsed
from crossfade.providers.wire_json import JsonObject, child, children, string, whole

_MOST_LIMITS = 16


def read_usage(usage: JsonObject) -> Usage | None:
    """Read `response.usage`; None if there is none. Tokens of unknown kind count as text."""
    if not usage:
        return None
    given = child(usage, "input_token_details")
    cached = child(given, "cached_tokens_details")
    made = child(usage, "output_token_details")
    input_audio, input_image = whole(given, "audio_tokens"), whole(given, "image_tokens")
    cached_audio, cached_image = whole(cached, "audio_tokens"), whole(cached, "image_tokens")
    output_audio = whole(made, "audio_tokens")
    return Usage(
        input_text_tokens=_text(usage, "input_tokens", given, input_audio + input_image),
        input_audio_tokens=input_audio,
        input_image_tokens=input_image,
        cached_text_tokens=_text(given, "cached_tokens", cached, cached_audio + cached_image),
        cached_audio_tokens=cached_audio,
        cached_image_tokens=cached_image,
        output_text_tokens=_text(usage, "output_tokens", made, output_audio),
        output_audio_tokens=output_audio,
    )


def read_transcription(fields: JsonObject, model: str) -> list[Event]:
    """Read the `usage` of a transcript: tokens or seconds, as its model is paid.

    Source: https://platform.openai.com/docs/api-reference/realtime-server-events
    """
    told = child(fields, "usage")
    seconds = told.get("seconds")
    used = TranscriptionUsed(
        item_id=string(fields, "item_id"),
        model=model,
        usage=read_usage(told) or Usage(),
        seconds=_seconds(seconds) or 0.0,
    )
    return [used] if used.seconds or used.usage != Usage() else []


def read_limits(fields: JsonObject) -> list[Event]:
    """Read `rate_limits.updated`; those without a name say nothing."""
    limits = tuple(
        RateLimit(
            name=string(limit, "name"),
            limit=whole(limit, "limit"),
            remaining=whole(limit, "remaining"),
            reset_s=_seconds(limit.get("reset_seconds")),
        )
        for limit in children(fields, "rate_limits")[:_MOST_LIMITS]
        if string(limit, "name")
    )
    return [RateLimits(limits=limits)] if limits else []


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < math.inf else 0.0


def _text(totals: JsonObject, total: str, details: JsonObject, others: int) -> int:
    """Text tokens: as detailed, or what the total leaves for them."""
    return max(whole(details, "text_tokens"), whole(totals, total) - others)


__all__ = ["read_limits", "read_transcription", "read_usage"]
