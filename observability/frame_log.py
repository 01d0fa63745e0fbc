"""Which frames are worth a line in the event log, and what it says."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

from pipecat.observers.base_observer import BaseObserver, FramePushed

from crossfade.conversation.usage import Usage
from crossfade.frames.audio import AudioRawFrame, SpeechPlayedFrame, TTSStartedFrame
from crossfade.frames.continuity import (
    AudioLostFrame,
    NodeFailedFrame,
    NodeSwitchedFrame,
    SessionContinuedFrame,
    SessionLostFrame,
)
from crossfade.frames.control import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    ErrorFrame,
    Frame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    MetricsFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
    UserTurnStartProposedFrame,
    UserTurnStopProposedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import (
    InputTextRawFrame,
    InterimTranscriptionFrame,
    SpokenTextFrame,
    TranscriptionFrame,
    TTSTextFrame,
    UserPartialTranscriptFrame,
    UserTranscriptFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    ToolCallsFrame,
    ToolCancelFrame,
    is_final,
)

Fields = dict[str, Any]
_SIBLINGS_KEPT = 256


@singledispatch
def describe(frame: Frame) -> Fields | None:
    """What the log says about a frame beside its type; None if it is not worth a line."""
    return None


_NOTHING = describe.dispatch(Frame)

for _kind in (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    InterruptionFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    PlayoutHoldFrame,
    PlayoutResumeFrame,
    SpeechConfirmedFrame,
    SpeechDroppedFrame,
    StartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
):
    describe.register(_kind, lambda frame: {})


@describe.register
def _(frame: UserTurnStartProposedFrame) -> Fields:
    return {"item_id": frame.item_id}


@describe.register
def _(frame: UserTurnStopProposedFrame) -> Fields:
    return {"item_id": frame.item_id}


@describe.register
def _(frame: UserTurnCommittedFrame) -> Fields:
    return {"item_id": frame.item_id}


@describe.register
def _(frame: ResponseStartFrame) -> Fields:
    return {"response_id": frame.response_id, "injected": frame.injected}


@describe.register
def _(frame: TTSStartedFrame) -> Fields:
    return {"response_id": frame.context_id or ""}


@describe.register
def _(frame: ResponseEndFrame) -> Fields:
    fields: Fields = {"response_id": frame.response_id, "status": frame.status}
    if frame.reason is not None:
        fields["reason"] = frame.reason
    if frame.usage is not None:
        fields["usage"] = {name: getattr(frame.usage, name) for name in Usage.__slots__}
    return fields


@describe.register
def _(frame: TranscriptionFrame) -> Fields:
    item_id = frame.item_id if isinstance(frame, UserTranscriptFrame) else ""
    return {"item_id": item_id, "text": frame.text, "final": True}


@describe.register
def _(frame: InterimTranscriptionFrame) -> Fields:
    item_id = frame.item_id if isinstance(frame, UserPartialTranscriptFrame) else ""
    return {"item_id": item_id, "text": frame.text, "final": False}


@describe.register
def _(frame: InputTextRawFrame) -> Fields:
    return {"text": frame.text}


@describe.register
def _(frame: TTSTextFrame) -> Fields:
    fields: Fields = {"item_id": frame.context_id or "", "text": frame.text}
    if isinstance(frame, SpokenTextFrame):
        fields |= {"response_id": frame.response_id, "injected": frame.injected}
    return fields


@describe.register
def _(frame: FunctionCallsStartedFrame) -> Fields:
    calls = [
        {"call_id": call.tool_call_id, "name": call.function_name, "arguments": call.arguments}
        for call in frame.function_calls
    ]
    response_id = frame.response_id if isinstance(frame, ToolCallsFrame) else ""
    return {"response_id": response_id, "calls": calls}


@describe.register
def _(frame: FunctionCallInProgressFrame) -> Fields:
    return {"call_id": frame.tool_call_id, "name": frame.function_name}


@describe.register
def _(frame: FunctionCallResultFrame) -> Fields:
    return {
        "call_id": frame.tool_call_id,
        "name": frame.function_name,
        "result": frame.result,
        "is_error": frame.error is not None,
        **({} if is_final(frame) else {"final": False}),
    }


@describe.register
def _(frame: ToolCancelFrame) -> Fields:
    return {"call_id": frame.tool_call_id, "name": frame.function_name, "reason": frame.reason}


@describe.register
def _(frame: AcknowledgeFrame) -> Fields:
    return {"call_id": frame.call_id, "text": frame.text}


@describe.register
def _(frame: SpeechPlayedFrame) -> Fields:
    played = [
        {
            "item_id": item.origin.item_id,
            "response_id": item.origin.response_id,
            "played_ms": round(item.played_ms, 3),
            "received_ms": round(item.received_ms, 3),
        }
        for item in frame.items
    ]
    return {"items": played, "interrupted": frame.interrupted}


@describe.register
def _(frame: UserImageFrame) -> Fields:
    return {"media_type": frame.media_type, "size_bytes": len(frame.data)}


@describe.register
def _(frame: SessionLostFrame) -> Fields:
    code = {} if frame.code is None else {"code": frame.code}
    return {"reason": frame.message, **code}


@describe.register
def _(frame: SessionContinuedFrame) -> Fields:
    return {
        "why": frame.why.value,
        "provider": frame.provider,
        "session_id": frame.session_id,
        "resumed": frame.resumed,
        "open_calls": frame.open_calls,
        "gap_ms": round(frame.gap_ms, 3),
        "replayed_ms": round(frame.replayed_ms, 3),
    }


@describe.register
def _(frame: NodeSwitchedFrame) -> Fields:
    return {
        "left": frame.left,
        "node": frame.node,
        "reason": frame.why,
        "open_calls": frame.open_calls,
        "gap_ms": round(frame.gap_ms, 3),
        "replayed_ms": round(frame.replayed_ms, 3),
    }


@describe.register
def _(frame: NodeFailedFrame) -> Fields:
    return {"node": frame.node, "reason": frame.message, "served": frame.served}


@describe.register
def _(frame: AudioLostFrame) -> Fields:
    return {"lost_ms": round(frame.lost_ms, 3)}


@describe.register
def _(frame: ErrorFrame) -> Fields:
    source = getattr(frame.processor, "name", None)
    return {"error": frame.error, "processor": source}


class FrameLog(BaseObserver):
    """Hands each frame of note, and what is measured, on once, at its first push.

    Audio frames between Crossfade's processors never reach observers; others are passed over.

    Args:
        on_frame: Called with the frame and the fields of its line.
        on_metrics: Called with what a processor measured, which is no line of the log.
    """

    def __init__(
        self,
        on_frame: Callable[[Frame, Fields], None],
        on_metrics: Callable[[MetricsFrame], None] = lambda _: None,
    ) -> None:
        super().__init__(observe_every_push=False)
        self._on_frame = on_frame
        self._on_metrics = on_metrics
        # A broadcast is two frames, one each way; the ids of those whose sibling was seen.
        self._told: dict[int, None] = {}

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.first_push and self.notes(type(data.frame)):
            self.see(data.frame)

    def notes(self, kind: type[Frame]) -> bool:
        """Whether frames of a kind are of note."""
        if issubclass(kind, AudioRawFrame):
            return False
        return issubclass(kind, MetricsFrame) or describe.dispatch(kind) is not _NOTHING

    def see(self, frame: Frame) -> None:
        """Take a frame of note at its first push."""
        if isinstance(frame, MetricsFrame):
            self._on_metrics(frame)
            return
        fields = describe(frame)
        if fields is None:
            return
        if frame.id in self._told:
            del self._told[frame.id]
            return
        if frame.broadcast_sibling_id is not None:
            self._told[frame.broadcast_sibling_id] = None
            if len(self._told) > _SIBLINGS_KEPT:
                del self._told[next(iter(self._told))]
        self._on_frame(frame, fields)
