import pytest
from pipecat.metrics.metrics import LLMTokenUsage, LLMUsageMetricsData, STTUsageMetricsData

from crossfade.conversation.usage import Usage
from crossfade.frames.usage import (
    ResponseUsageMetricsData,
    TranscriptionUsageMetricsData,
    service_provider,
    transcription_metrics,
    usage_metrics,
    usage_of,
)


def test_observers_of_pipecat_read_the_tokens_and_ours_read_all() -> None:
    usage = Usage(
        input_text_tokens=10, input_image_tokens=5, cached_text_tokens=4, output_audio_tokens=3
    )
    (data,) = usage_metrics("node", "m", usage, provider="openai", response_id="r").data
    assert isinstance(data, LLMUsageMetricsData)
    assert (data.value.prompt_tokens, data.value.cache_read_input_tokens) == (15, 4)
    assert isinstance(data, ResponseUsageMetricsData)
    assert (data.usage, data.provider, data.response_id) == (usage, "openai", "r")


@pytest.mark.parametrize(("prompt", "total"), [(1000, 1100), (400, 1100)])
def test_a_prompt_is_counted_with_its_part_in_the_cache(prompt: int, total: int) -> None:
    """OpenAI counts it within the prompt, Anthropic beside it."""
    tokens = LLMTokenUsage(
        prompt_tokens=prompt,
        completion_tokens=100,
        total_tokens=total,
        cache_read_input_tokens=600,
    )
    assert usage_of(tokens) == Usage(
        input_text_tokens=1000, cached_text_tokens=600, output_text_tokens=100
    )


@pytest.mark.parametrize(
    ("processor", "provider"),
    [
        ("DeepgramSTTService#0", "deepgram"),
        ("ElevenLabsRealtimeSTTService#3", "elevenlabs"),
        ("OpenAILLMService#0", "openai"),
        ("OLLamaLLMService#12", "ollama"),
        ("CartesiaHttpTTSService#0", "cartesia"),
        ("EmbeddedLLM#0", "embedded"),
        ("my own voice", "my own voice"),
        ("", ""),
    ],
)
def test_whose_service_it_is_is_in_its_name(processor: str, provider: str) -> None:
    assert service_provider(processor) == provider


def test_a_transcript_beside_a_conversation_is_told_as_recognition() -> None:
    (data,) = transcription_metrics("node", "whisper", Usage(), seconds=2, provider="openai").data
    assert isinstance(data, STTUsageMetricsData)
    assert isinstance(data, TranscriptionUsageMetricsData)
    assert (data.value.audio_seconds, data.provider) == (2, "openai")
