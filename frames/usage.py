"""What models used, in the form pipecat's observers read."""

import re

from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import (
    LLMTokenUsage,
    LLMUsageMetricsData,
    STTUsage,
    STTUsageMetricsData,
)

from crossfade.conversation.usage import Usage


class ResponseUsageMetricsData(LLMUsageMetricsData):
    """Tokens of one response with all that is known of them, for who adds up what it cost."""

    provider: str
    """As in `connect`, or as the service is named; empty where nobody knows."""
    usage: Usage
    response_id: str = ""
    """Empty for what belongs to no response of the conversation."""
    speech: bool = True
    """The model spoke by itself; else it wrote, as in a cascade."""


class TranscriptionUsageMetricsData(STTUsageMetricsData):
    """What another model took to write down what the caller said to one that speaks by itself."""

    provider: str
    """As in `connect`."""
    usage: Usage
    """Nothing, where it is paid by the seconds of `value`."""


def transcription_metrics(
    processor: str, model: str, usage: Usage, *, seconds: float, provider: str
) -> MetricsFrame:
    """Wrap what a transcript took."""
    data = TranscriptionUsageMetricsData(
        processor=processor,
        model=model,
        value=STTUsage(audio_seconds=seconds),
        provider=provider,
        usage=usage,
    )
    return MetricsFrame(data=[data])


def usage_metrics(
    processor: str,
    model: str,
    usage: Usage,
    *,
    provider: str = "",
    response_id: str = "",
    speech: bool = True,
) -> MetricsFrame:
    """Wrap the usage of one response; cached tokens are a part of the prompt tokens."""
    tokens = LLMTokenUsage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        input_audio_tokens=usage.input_audio_tokens,
        output_audio_tokens=usage.output_audio_tokens,
        cache_read_input_audio_tokens=usage.cached_audio_tokens,
    )
    data = ResponseUsageMetricsData(
        processor=processor,
        model=model,
        value=tokens,
        provider=provider,
        usage=usage,
        response_id=response_id,
        speech=speech,
    )
    return MetricsFrame(data=[data])


def usage_of(tokens: LLMTokenUsage) -> Usage:
    """The tokens of one of pipecat's models; what was read from its cache is a part of the input.

    Some services count their prompt without the cache's part; the total is with it always.
    """
    audio, cached = tokens.input_audio_tokens or 0, tokens.cache_read_input_tokens or 0
    cached_audio, spoken = (
        tokens.cache_read_input_audio_tokens or 0,
        tokens.output_audio_tokens or 0,
    )
    read = max(tokens.prompt_tokens, tokens.total_tokens - tokens.completion_tokens)
    return Usage(
        input_text_tokens=read - audio,
        input_audio_tokens=audio,
        cached_text_tokens=cached - cached_audio,
        cached_audio_tokens=cached_audio,
        output_text_tokens=tokens.completion_tokens - spoken,
        output_audio_tokens=spoken,
    )


_SERVICE_NAME = re.compile(r"^(\w+?)(?:Realtime|Segmented|HTTP|Http)*(?:STT|LLM|TTS)(?:Service)?\b")


def service_provider(processor: str) -> str:
    """Whose service it is, by its name in pipecat: DeepgramSTTService#0 is deepgram's."""
    found = _SERVICE_NAME.match(processor)
    return (found[1] if found else processor.partition("#")[0]).lower()


__all__ = [
    "ResponseUsageMetricsData",
    "TranscriptionUsageMetricsData",
    "service_provider",
    "transcription_metrics",
    "usage_metrics",
    "usage_of",
]
