"""What the services of a cascade are asked and answer, as a capture keeps it, and back."""

import base64
from collections.abc import Mapping
from typing import Any

from pipecat.frames.frames import (
    AggregatedTextFrame,
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    LLMContextFrame,
    ServiceUpdateSettingsFrame,
    STTMetadataFrame,
)
from pipecat.metrics import metrics
from pipecat.processors.aggregators.llm_context import LLMContext

from crossfade.frames.audio import TTSAudioRawFrame
from crossfade.frames.control import (
    ErrorFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.text import InterimTranscriptionFrame, LLMTextFrame, TranscriptionFrame
from crossfade.frames.tools import FunctionCallFromLLM, FunctionCallsStartedFrame
from crossfade.processors.cascade_trouble import told

Body = dict[str, Any]
"""A frame as JSON; `type` names it."""

_MARKS = {kind.__name__: kind for kind in (ResponseStartFrame, ResponseEndFrame)}
"""They go through a synthesiser in the order of its sound."""
_HEARS = (
    SpeechDroppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
_EMPTY = {
    kind.__name__: kind
    for kind in (EagerEndOfTurnCancelFrame, LLMFullResponseEndFrame, LLMFullResponseStartFrame)
}
_NO_TIME = ""


def is_mark(frame: Frame) -> bool:
    """Whether a frame passes through a synthesiser in its place among the sound."""
    return isinstance(frame, tuple(_MARKS.values()))


def asked(frame: Frame) -> Body | None:
    """What a service is asked with a frame; None for sound, and for what asks nothing."""
    body: Body = {"type": type(frame).__name__}
    match frame:
        case LLMContextFrame():
            tools = getattr(frame.context.tools, "standard_tools", ())
            body["messages"] = frame.context.get_messages()
            body["tools"] = [tool.to_default_dict() for tool in tools]
        case ServiceUpdateSettingsFrame():
            delta = frame.delta
            body["settings"] = dict(frame.settings) if delta is None else delta.given_fields()
        case AggregatedTextFrame():
            body["text"] = frame.text
        case _ if not (is_mark(frame) or isinstance(frame, _HEARS)):
            return None
    return body


def answered(frame: Frame) -> Body | None:
    """What a service answers with a frame; None if that means nothing to a cascade."""
    body: Body = {"type": type(frame).__name__}
    match frame:
        case TranscriptionFrame():
            body |= {"text": frame.text, "finalized": bool(frame.finalized)}
        case InterimTranscriptionFrame() | EagerTranscriptionFrame() | LLMTextFrame():
            body["text"] = frame.text
        case STTMetadataFrame():
            body["ttfs_p99_latency"] = frame.ttfs_p99_latency
        case FunctionCallsStartedFrame():
            body["calls"] = [
                {
                    "id": call.tool_call_id,
                    "name": call.function_name,
                    "arguments": dict(call.arguments),
                }
                for call in frame.function_calls
            ]
        case TTSAudioRawFrame():
            body["audio"] = base64.b64encode(frame.audio).decode()
            body["sample_rate"] = frame.sample_rate
        case MetricsFrame():
            body["data"] = [
                {"kind": type(each).__name__, **each.model_dump()} for each in frame.data
            ]
        case ErrorFrame():
            ends = frame.processor is not None and not frame.processor.is_usable
            error = frame if frame.processor is None else told(frame.processor, frame)
            body |= {"error": error.error, "ends": ends}
        case _ if not (is_mark(frame) or isinstance(frame, tuple(_EMPTY.values()))):
            return None
    return body


def mark_of(body: Mapping[str, Any]) -> type[Frame] | None:
    """Which mark passed the service with an answer, if it was one."""
    return _MARKS.get(body["type"])


def frame_of(body: Mapping[str, Any]) -> Frame | None:
    """The frame of an answer that is no mark and no error; None if it is not known.

    Raises:
        LookupError, TypeError, ValueError: Somebody changed it.
    """
    kind = body["type"]
    if empty := _EMPTY.get(kind):
        return empty()
    match kind:
        case "TranscriptionFrame":
            said = TranscriptionFrame(body["text"], "", _NO_TIME)
            said.finalized = body["finalized"]
            return said
        case "InterimTranscriptionFrame":
            return InterimTranscriptionFrame(body["text"], "", _NO_TIME)
        case "EagerTranscriptionFrame":
            return EagerTranscriptionFrame(body["text"], "", _NO_TIME)
        case "LLMTextFrame":
            return LLMTextFrame(body["text"])
        case "STTMetadataFrame":
            return STTMetadataFrame(service_name="", ttfs_p99_latency=body["ttfs_p99_latency"])
        case "FunctionCallsStartedFrame":
            return FunctionCallsStartedFrame([_call(each) for each in body["calls"]])
        case "TTSAudioRawFrame":
            sound = base64.b64decode(body["audio"])
            return TTSAudioRawFrame(audio=sound, sample_rate=body["sample_rate"], num_channels=1)
        case "MetricsFrame":
            measured = [_measured(each) for each in body["data"]]
            return MetricsFrame(data=[each for each in measured if each is not None])
    return None


def _call(call: Mapping[str, Any]) -> FunctionCallFromLLM:
    return FunctionCallFromLLM(
        function_name=call["name"],
        tool_call_id=call["id"],
        arguments=call["arguments"],
        context=LLMContext(),
    )


def _measured(data: Mapping[str, Any]) -> metrics.MetricsData | None:
    kind = getattr(metrics, data["kind"], None)
    if not (isinstance(kind, type) and issubclass(kind, metrics.MetricsData)):
        return None
    return kind.model_validate({name: each for name, each in data.items() if name != "kind"})


__all__ = ["Body", "answered", "asked", "frame_of", "is_mark", "mark_of"]
