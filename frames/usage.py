"""Token counts in the form pipecat's observers read."""

from pipecat.frames.frames import MetricsFrame
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData

from crossfade.conversation.usage import Usage


def usage_metrics(processor: str, model: str, usage: Usage) -> MetricsFrame:
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
    return MetricsFrame(data=[LLMUsageMetricsData(processor=processor, model=model, value=tokens)])
