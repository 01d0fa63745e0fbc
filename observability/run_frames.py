"""Turns the frames of a log back into what they add up to, by the functions of the running call."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from crossfade.frames.audio import PlayedSpeech, SpeechOrigin, SpeechPlayedFrame, TTSStartedFrame
from crossfade.frames.continuity import AudioLostFrame, NodeSwitchedFrame
from crossfade.frames.control import (
    ErrorFrame,
    Frame,
    ResponseEndFrame,
    ResponseStartFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
    UserTurnCommittedFrame,
)
from crossfade.frames.tools import (
    AcknowledgeFrame,
    FunctionCallFromLLM,
    FunctionCallResultFrame,
    FunctionCallResultProperties,
    ToolCallsFrame,
    ToolCancelFrame,
)

from .cost_use import Use
from .run_log import LogLine, RunLog
from .tally import SessionChange, Tally

_Fields = Mapping[str, Any]


def tally_of(log: RunLog) -> Tally:
    """What the lines of a log add up to; those that are malformed count nothing."""
    tally = Tally()
    for line in log.lines:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            _add(tally, line)
    return tally


def _add(tally: Tally, line: LogLine) -> None:
    match line.type:
        case "call.error":
            tally.errors.append(str(line.fields["error"]))
        case "call.usage":
            tally.used(Use.from_dict(line.fields).usage)
        case "SessionContinuedFrame":
            tally.session_changes.append(_session_change(line))
        case kind if line.direction == "frame" and kind in FRAMES:
            tally.frame(FRAMES[kind](line.fields), line.at_s)
        case _ if line.direction == "in" and "audio_bytes" in line.fields:
            tally.audio_received(str(line.fields.get("response_id", "")), line.at_s)


def _session_change(line: LogLine) -> SessionChange:
    return SessionChange(
        at_s=line.at_s,
        why=str(line.fields["why"]),
        provider=str(line.fields["provider"]),
        gap_ms=float(line.fields["gap_ms"]),
    )


def _played(fields: _Fields) -> Frame:
    items = tuple(
        PlayedSpeech(
            origin=SpeechOrigin(item_id=item["item_id"], response_id=item["response_id"]),
            played_ms=float(item["played_ms"]),
            received_ms=float(item["received_ms"]),
        )
        for item in fields["items"]
    )
    return SpeechPlayedFrame(items=items, interrupted=bool(fields["interrupted"]))


def _calls(fields: _Fields) -> Frame:
    calls = [
        FunctionCallFromLLM(
            function_name=call["name"],
            tool_call_id=call["call_id"],
            arguments={},
            context=None,
        )
        for call in fields["calls"]
    ]
    return ToolCallsFrame(function_calls=calls, response_id=str(fields.get("response_id", "")))


def _result(fields: _Fields) -> Frame:
    frame = FunctionCallResultFrame(
        function_name=fields["name"],
        tool_call_id=fields["call_id"],
        arguments={},
        result=fields.get("result"),
        properties=FunctionCallResultProperties(is_final=fields.get("final") is not False),
    )
    frame.error = "failed" if fields.get("is_error") else None
    return frame


FRAMES: dict[str, Callable[[_Fields], Frame]] = {
    "UserStartedSpeakingFrame": lambda fields: UserStartedSpeakingFrame(),
    "UserStoppedSpeakingFrame": lambda fields: UserStoppedSpeakingFrame(),
    "UserTurnCommittedFrame": lambda fields: UserTurnCommittedFrame(item_id=""),
    "SpeechPlayedFrame": _played,
    "ResponseStartFrame": lambda fields: ResponseStartFrame(
        response_id=fields["response_id"], injected=fields.get("injected") is True
    ),
    "ResponseEndFrame": lambda fields: ResponseEndFrame(
        response_id=fields["response_id"], status=str(fields["status"])
    ),
    "TTSStartedFrame": lambda fields: TTSStartedFrame(context_id=fields["response_id"]),
    "ToolCallsFrame": _calls,
    "FunctionCallsStartedFrame": _calls,
    "FunctionCallResultFrame": _result,
    "ToolCancelFrame": lambda fields: ToolCancelFrame(
        function_name=fields["name"], tool_call_id=fields["call_id"]
    ),
    "AcknowledgeFrame": lambda fields: AcknowledgeFrame(
        call_id=fields["call_id"], text=str(fields.get("text", ""))
    ),
    "NodeSwitchedFrame": lambda fields: NodeSwitchedFrame(
        left=str(fields["left"]),
        node=str(fields["node"]),
        why=str(fields["reason"]),
        gap_ms=float(fields["gap_ms"]),
    ),
    "AudioLostFrame": lambda fields: AudioLostFrame(lost_ms=float(fields["lost_ms"])),
    "ErrorFrame": lambda fields: ErrorFrame(error=str(fields["error"])),
}
"""How a frame of note is built from what the log says of it."""

__all__ = ["FRAMES", "tally_of"]
