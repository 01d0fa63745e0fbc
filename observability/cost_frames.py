"""What pipecat's metrics say of the use of models."""

from collections.abc import Iterator

from pipecat.metrics.metrics import (
    LLMUsageMetricsData,
    MetricsData,
    STTUsageMetricsData,
    TTSUsageMetricsData,
)

from crossfade.frames.control import MetricsFrame
from crossfade.frames.usage import (
    ResponseUsageMetricsData,
    TranscriptionUsageMetricsData,
    service_provider,
    usage_of,
)

from .cost_use import Service, Use


def uses_of(frame: MetricsFrame, *, turn: int) -> Iterator[Use]:
    """The uses of models that a frame tells of; other metrics pass by.

    Args:
        frame: Of any processor.
        turn: How many turns the caller has ended.
    """
    for data in frame.data:
        if (use := _use(data, turn)) is not None:
            yield use


def _use(data: MetricsData, turn: int) -> Use | None:
    model = data.model or ""
    if isinstance(data, ResponseUsageMetricsData):
        return Use(
            service=Service.SPEECH if data.speech else Service.LLM,
            provider=data.provider,
            model=model,
            usage=data.usage,
            response_id=data.response_id,
            turn=turn,
        )
    provider = service_provider(data.processor)
    match data:
        case TranscriptionUsageMetricsData():
            return Use(
                service=Service.TRANSCRIPTION,
                provider=data.provider,
                model=model,
                usage=data.usage,
                seconds=data.value.audio_seconds,
                turn=turn,
            )
        case LLMUsageMetricsData():
            usage = usage_of(data.value)
            return Use(service=Service.LLM, provider=provider, model=model, usage=usage, turn=turn)
        case STTUsageMetricsData():
            seconds = data.value.audio_seconds
            return Use(
                service=Service.STT, provider=provider, model=model, seconds=seconds, turn=turn
            )
        case TTSUsageMetricsData():
            spoken = data.value
            return Use(
                service=Service.TTS, provider=provider, model=model, characters=spoken, turn=turn
            )
    return None


__all__ = ["uses_of"]
