"""What a capture learns inside the chain of a call."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipecat.observers.base_observer import BaseObserver, FramePushed
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from crossfade.audio.vad import SpeechEvent
from crossfade.frames.audio import AudioRawFrame, SpeechFrame
from crossfade.frames.control import Frame, PlayoutHoldFrame, PlayoutResumeFrame
from crossfade.frames.images import UserImageFrame
from crossfade.frames.text import InputTextRawFrame
from crossfade.observability.capture import Capture
from crossfade.processors.audio_tap import AudioTap
from crossfade.processors.base import Processor
from crossfade.processors.voice_activity import VoiceActivity


def captured_speech(capture: Capture | None) -> list[Processor]:
    """What keeps the marks of the speech that comes to the playout queue behind it."""
    if capture is None:
        return []

    def keep(frame: AudioRawFrame) -> None:
        origin = frame.origin if isinstance(frame, SpeechFrame) else None
        item_id, response_id = ("", "") if origin is None else (origin.item_id, origin.response_id)
        capture.speech(frame.audio, item_id, response_id)

    return [AudioTap(keep)]


def keep_decisions(capture: Capture | None, chain: Iterable[FrameProcessor]) -> None:
    """Keep what decides on the caller's speech, and each decision with its place in the sound."""
    if capture is None:
        return

    def keep(event: SpeechEvent) -> None:
        capture.note("heard", {"event": type(event).__name__, **asdict(event)})

    for processor in chain:
        if isinstance(processor, VoiceActivity):
            capture.settings("voice_activity", processor.settings)
            processor.on_decision = keep


class _Ends(BaseObserver):
    """Sees what the two ends of a transport push."""

    def __init__(self, capture: Capture, ends: Iterable[FrameProcessor]) -> None:
        super().__init__(observe_every_push=False)
        self._capture = capture
        self._ends = tuple(ends)

    async def on_push_frame(self, data: FramePushed) -> None:
        if data.first_push and data.source in self._ends:
            fields = _from_client(data.frame)
            if fields is not None:
                upstream = data.direction is FrameDirection.UPSTREAM
                kept = {"type": type(data.frame).__name__, "upstream": upstream, **fields}
                self._capture.note("client", kept, size_bytes=len(str(fields)))


def captured_client(
    capture: Capture | None, ends: Iterable[FrameProcessor]
) -> Sequence[BaseObserver]:
    """What keeps all that comes from the client beside its sound: text, pictures, and where its
    loss holds the agent.

    Args:
        capture: Where it is kept; None keeps nothing.
        ends: Of the transport: its input and its output.
    """
    return [] if capture is None else [_Ends(capture, ends)]


def _from_client(frame: Frame) -> dict[str, Any] | None:
    match frame:
        case PlayoutHoldFrame() | PlayoutResumeFrame():
            return {}
        case InputTextRawFrame():
            return {"text": frame.text}
        case UserImageFrame():
            data = base64.b64encode(frame.data).decode()
            return {"media_type": frame.media_type, "data": data}
    return None


def client_frame(fields: Mapping[str, Any]) -> Frame:
    """The frame of a `client` record."""
    match fields["type"]:
        case "PlayoutHoldFrame":
            return PlayoutHoldFrame()
        case "PlayoutResumeFrame":
            return PlayoutResumeFrame()
        case "InputTextRawFrame":
            return InputTextRawFrame(text=fields["text"])
    return UserImageFrame(data=base64.b64decode(fields["data"]), media_type=fields["media_type"])


__all__ = ["captured_client", "captured_speech", "client_frame", "keep_decisions"]
