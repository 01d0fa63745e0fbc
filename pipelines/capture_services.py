"""Services of a cascade, whose questions and answers are kept in the capture of the call."""

import re
from collections import deque
from typing import Any

import orjson
from pipecat.processors.frame_processor import FrameProcessor

from crossfade.frames.control import Frame
from crossfade.observability.capture import Capture
from crossfade.processors.cascade_hearing import in_segments
from crossfade.providers.tap import WireDirection

from .service_frames import Body, answered, asked

_INSTANCE = re.compile(r"#\d+$")
_SIBLINGS_KEPT = 64


def keep_service(capture: Capture, role: str, service: FrameProcessor) -> None:
    """Keep all that a service is asked from now on, and what it answers, as a line of the call.

    Args:
        capture: Where it is kept.
        role: What it does: stt, llm or tts.
        service: One of pipecat's.
    """
    name = _INSTANCE.sub("", service.name)
    line = capture.service(role, name, in_segments=in_segments(service))
    siblings: deque[int] = deque(maxlen=_SIBLINGS_KEPT)

    async def before_process(_: FrameProcessor, frame: Frame) -> None:
        if (body := asked(frame)) is not None:
            line.message(WireDirection.SENT, _written(body))

    async def before_push(_: FrameProcessor, frame: Frame) -> None:
        # A broadcast is two frames, one each way.
        if frame.id in siblings:
            return
        if frame.broadcast_sibling_id is not None:
            siblings.append(frame.broadcast_sibling_id)
        if (body := answered(frame)) is not None:
            line.message(WireDirection.RECEIVED, _written(body))

    service.add_event_handler("on_before_process_frame", before_process)
    service.add_event_handler("on_before_push_frame", before_push)


def _written(body: Body) -> str:
    return orjson.dumps(body, default=_plain).decode()


def _plain(value: Any) -> Any:
    """What JSON does not know, such as messages that are one text model's own."""
    return vars(value) if hasattr(value, "__dict__") else str(value)


__all__ = ["keep_service"]
