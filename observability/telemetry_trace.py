"""The trace of one call: the call, its turns, and the hops of each."""

import json
import time
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from crossfade.frames.control import Frame, ResponseEndFrame, ResponseStartFrame

from . import telemetry_names as names
from .live_events import (
    AgentFinished,
    AgentSaid,
    AgentSpeaking,
    AnswerHeard,
    AudioLost,
    Continued,
    Failed,
    LineLost,
    LiveEvent,
    ToolAnswered,
    ToolCalled,
    UserSaid,
    UserSpeaking,
)
from .redaction import redact, without_secrets

_MOST_OPEN = 100
"""Responses and tools that were begun and not ended; the oldest are given up."""


class CallTrace:
    """Opens and closes spans as the call goes. Called with its live events.

    Args:
        tracer: Makes the spans.
        whose: Attributes of every span.
        call_id: The call's own name, if it has one.
        content: Whether words may be told.
    """

    def __init__(
        self, tracer: Tracer, whose: Mapping[str, str], *, call_id: str, content: bool
    ) -> None:
        self._tracer = tracer
        self._whose = dict(whose)
        self._content = content
        self._zero_ns = time.time_ns()
        self._now_ns = self._zero_ns
        told = {names.CONVERSATION_ID: call_id} if call_id else {}
        self._call = tracer.start_span(
            names.CALL, attributes={**self._whose, **told}, start_time=self._zero_ns
        )
        self._turn: Span | None = None
        self._turns = 0
        self._open: dict[str, Span] = {}
        self._said: list[str] = []

    def __call__(self, event: LiveEvent) -> None:
        """Take what happened."""
        at_ns = self._now_ns = self._zero_ns + round(event.at_s * 1e9)
        match event:
            case UserSpeaking(speaking=True):
                self._begin_turn(at_ns)
                self._begin(names.USER_SPEECH, names.USER_SPEECH, at_ns)
            case UserSpeaking():
                self._end(names.USER_SPEECH, at_ns)
            case AgentSpeaking(speaking=True):
                self._said.clear()
                self._begin(names.AGENT_SPEECH, names.AGENT_SPEECH, at_ns)
            case AgentSpeaking():
                self._end(names.AGENT_SPEECH, at_ns, self._words())
            case AgentSaid():
                self._said.append(event.text)
            case AgentFinished() if event.interrupted and names.AGENT_SPEECH in self._open:
                self._open[names.AGENT_SPEECH].set_attribute(names.INTERRUPTED, True)
            case UserSaid(final=True) if self._content and self._turn is not None:
                self._turn.set_attribute(names.USER_TEXT, without_secrets(event.text))
            case AnswerHeard():
                heard = self._span(
                    names.VOICE_TO_VOICE, at_ns - round(event.voice_to_voice_ms * 1e6)
                )
                heard.end(at_ns)
            case ToolCalled() | ToolAnswered():
                self._tool(event, at_ns)
            case _:
                self._note(event, at_ns)

    def frame(self, frame: Frame) -> None:
        """Take a frame of note: responses have no live events."""
        at_ns = max(self._now_ns, time.time_ns())
        match frame:
            case ResponseStartFrame():
                model = self._whose[names.MODEL]
                told = {
                    names.OPERATION: names.CHAT,
                    names.OUTPUT_TYPE: "speech",
                    names.RESPONSE_ID: frame.response_id,
                    names.INJECTED: frame.injected,
                }
                self._begin(frame.response_id, f"{names.CHAT} {model}", at_ns, told, client=True)
            case ResponseEndFrame():
                told = {names.STATUS: str(frame.status)}
                if frame.usage is not None:
                    told[names.INPUT_TOKENS] = frame.usage.input_tokens
                    told[names.OUTPUT_TOKENS] = frame.usage.output_tokens
                self._end(frame.response_id, at_ns, told)

    def end(self, *, failed: bool) -> None:
        """The call is over."""
        at_ns = max(self._now_ns, time.time_ns())
        for key in tuple(self._open):
            self._end(key, at_ns)
        if self._turn is not None:
            self._turn.end(at_ns)
        if failed:
            self._call.set_status(Status(StatusCode.ERROR))
        self._call.set_attribute(names.OUTCOME, "failed" if failed else "completed")
        self._call.end(at_ns)

    def _begin_turn(self, at_ns: int) -> None:
        if self._turn is not None:
            self._turn.end(at_ns)
        self._turns += 1
        self._turn = self._tracer.start_span(
            names.TURN,
            context=set_span_in_context(self._call),
            attributes={**self._whose, names.TURN_NUMBER: self._turns},
            start_time=at_ns,
        )

    def _tool(self, event: ToolCalled | ToolAnswered, at_ns: int) -> None:
        if isinstance(event, ToolCalled):
            told: dict[str, Any] = {
                names.OPERATION: names.EXECUTE_TOOL,
                names.TOOL_NAME: event.name,
                names.TOOL_CALL_ID: event.call_id,
            }
            if self._content:
                told[names.TOOL_ARGUMENTS] = _as_text(dict(event.arguments))
            self._begin(event.call_id, f"{names.EXECUTE_TOOL} {event.name}", at_ns, told)
            return
        told = {names.TOOL_RESULT: _as_text(event.result)} if self._content else {}
        if event.is_error and event.call_id in self._open:
            told[names.ERROR_TYPE] = "tool_error"
            self._open[event.call_id].set_status(Status(StatusCode.ERROR))
        self._end(event.call_id, at_ns, told)

    def _note(self, event: LiveEvent, at_ns: int) -> None:
        told: dict[str, Any]
        match event:
            case LineLost():
                name, told = names.SESSION_LOST, {}
            case Continued():
                name = names.SESSION_CONTINUED
                told = {names.WHY: event.why, names.GAP_MS: event.gap_ms}
            case AudioLost():
                name, told = names.AUDIO_LOST, {names.LOST_MS: event.lost_ms}
            case Failed():
                # What failed may quote what was said.
                name, told = names.FAILED, {}
                if self._content:
                    told[names.MESSAGE] = without_secrets(event.message)
            case _:
                return
        self._call.add_event(name, told, timestamp=at_ns)

    def _words(self) -> dict[str, Any]:
        said, self._said = "".join(self._said).strip(), []
        return {names.AGENT_TEXT: without_secrets(said)} if self._content and said else {}

    def _span(
        self,
        name: str,
        at_ns: int,
        told: Mapping[str, Any] | None = None,
        *,
        client: bool = False,
    ) -> Span:
        """A span within the turn; what comes before the first is within the call."""
        return self._tracer.start_span(
            name,
            context=set_span_in_context(self._turn or self._call),
            kind=SpanKind.CLIENT if client else SpanKind.INTERNAL,
            attributes={**self._whose, **(told or {})},
            start_time=at_ns,
        )

    def _begin(
        self,
        key: str,
        name: str,
        at_ns: int,
        told: Mapping[str, Any] | None = None,
        *,
        client: bool = False,
    ) -> None:
        self._end(key, at_ns)
        if len(self._open) >= _MOST_OPEN:
            self._end(next(iter(self._open)), at_ns)
        self._open[key] = self._span(name, at_ns, told, client=client)

    def _end(self, key: str, at_ns: int, told: Mapping[str, Any] | None = None) -> None:
        span = self._open.pop(key, None)
        if span is not None:
            span.set_attributes(dict(told or {}))
            span.end(at_ns)


def _as_text(value: Any) -> str:
    kept = redact({"result": value}, content=True)["result"]
    return json.dumps(kept, ensure_ascii=False, default=str)


__all__ = ["CallTrace"]
