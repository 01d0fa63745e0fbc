"""What the frames of a call add up to: responses, tools, interruptions, usage, errors. Pure."""

from dataclasses import dataclass

from crossfade.conversation.usage import Usage
from crossfade.frames.audio import SpeechPlayedFrame, TTSStartedFrame
from crossfade.frames.continuity import (
    AudioLostFrame,
    NodeSwitchedFrame,
    SessionContinuedFrame,
)
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
    FunctionCallCancelFrame,
    FunctionCallResultFrame,
    FunctionCallsStartedFrame,
    is_final,
)

from .unanswered import Edge, TurnEdge


@dataclass(slots=True, kw_only=True)
class ResponseTimes:
    """One response, as it came from the provider."""

    response_id: str
    started_s: float
    first_audio_s: float | None = None
    ended_s: float | None = None
    status: str | None = None

    @property
    def ttfb_ms(self) -> float | None:
        """From the response's start to the first byte of its sound."""
        return None if self.first_audio_s is None else (self.first_audio_s - self.started_s) * 1000

    @property
    def ttlb_ms(self) -> float | None:
        """From the response's start to its end."""
        return None if self.ended_s is None else (self.ended_s - self.started_s) * 1000


@dataclass(slots=True, kw_only=True)
class ToolTimes:
    """One call of a tool."""

    call_id: str
    name: str
    called_s: float
    acknowledge_s: float | None = None
    """When an acknowledgement was asked for."""
    answered_s: float | None = None
    is_error: bool = False

    @property
    def duration_ms(self) -> float | None:
        return None if self.answered_s is None else (self.answered_s - self.called_s) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """Another session of a provider came to serve."""

    at_s: float
    why: str
    """reconnect, rotation, failover or return."""
    provider: str
    """PROVIDER:MODEL."""
    gap_ms: float
    """For so long no session took the user's audio."""


class Tally:
    """Adds up what passes. Times are seconds since the call's start."""

    def __init__(self) -> None:
        self.user_turns = 0
        self.turn_edges: list[TurnEdge] = []
        self.interruptions_s: list[float] = []
        self.responses: dict[str, ResponseTimes] = {}
        """The model's, without phrases that are said in between."""
        self.tools: dict[str, ToolTimes] = {}
        self.usage = Usage()
        self.errors: list[str] = []
        self.session_changes: list[SessionChange] = []
        self.lost_audio_ms = 0.0

    def frame(self, frame: Frame, at_s: float) -> None:
        """Note a frame, each once."""
        match frame:
            case UserStartedSpeakingFrame() | UserStoppedSpeakingFrame() | UserTurnCommittedFrame():
                self._turn_went_on(frame, at_s)
            case SpeechPlayedFrame() if frame.interrupted and frame.items:
                self.interruptions_s.append(at_s)
            case ResponseStartFrame() if not frame.injected:
                self.responses[frame.response_id] = ResponseTimes(
                    response_id=frame.response_id, started_s=at_s
                )
            case TTSStartedFrame() | ResponseEndFrame():
                self._response_sounded(frame, at_s)
            case FunctionCallsStartedFrame():
                for call in frame.function_calls:
                    self.tools[call.tool_call_id] = ToolTimes(
                        call_id=call.tool_call_id, name=call.function_name, called_s=at_s
                    )
            case AcknowledgeFrame() if frame.call_id in self.tools:
                tool = self.tools[frame.call_id]
                if tool.acknowledge_s is None:
                    tool.acknowledge_s = at_s
            case FunctionCallResultFrame() | FunctionCallCancelFrame():
                self._tool_ended(frame, at_s)
            case SessionContinuedFrame() | NodeSwitchedFrame() | AudioLostFrame():
                self._went_on(frame, at_s)
            case ErrorFrame():
                self.errors.append(frame.error)

    def used(self, usage: Usage) -> None:
        """Note tokens that a model read and wrote."""
        self.usage += usage

    def audio_received(self, response_id: str, at_s: float) -> bool:
        """Note that sound of a response came over the wire; whether it is known yet."""
        response = self.responses.get(response_id)
        if response is not None and response.first_audio_s is None:
            response.first_audio_s = at_s
        return response is not None

    def _turn_went_on(
        self,
        frame: UserStartedSpeakingFrame | UserStoppedSpeakingFrame | UserTurnCommittedFrame,
        at_s: float,
    ) -> None:
        edge = Edge.BEGAN
        if isinstance(frame, UserStoppedSpeakingFrame):
            self.user_turns += 1
            edge = Edge.ENDED
        elif isinstance(frame, UserTurnCommittedFrame):
            edge = Edge.COMMITTED
        self.turn_edges.append(TurnEdge(edge=edge, at_s=at_s))

    def _went_on(
        self, frame: SessionContinuedFrame | NodeSwitchedFrame | AudioLostFrame, at_s: float
    ) -> None:
        if isinstance(frame, AudioLostFrame):
            self.lost_audio_ms += frame.lost_ms
            return
        why, provider = (
            ("switch", frame.node)
            if isinstance(frame, NodeSwitchedFrame)
            else (frame.why.value, frame.provider)
        )
        change = SessionChange(at_s=at_s, why=why, provider=provider, gap_ms=frame.gap_ms)
        self.session_changes.append(change)

    def _tool_ended(
        self, frame: FunctionCallResultFrame | FunctionCallCancelFrame, at_s: float
    ) -> None:
        tool = self.tools.get(frame.tool_call_id)
        if isinstance(frame, FunctionCallCancelFrame):
            ends, is_error = True, True
        else:
            ends, is_error = is_final(frame), frame.error is not None
        if tool is not None and ends:
            tool.answered_s, tool.is_error = at_s, is_error

    def _response_sounded(self, frame: TTSStartedFrame | ResponseEndFrame, at_s: float) -> None:
        if isinstance(frame, ResponseEndFrame):
            self._response_ended(frame, at_s)
        else:
            # Where no wire tells of sound, as in a cascade.
            self.audio_received(frame.context_id or "", at_s)

    def _response_ended(self, frame: ResponseEndFrame, at_s: float) -> None:
        response = self.responses.get(frame.response_id)
        if response is not None:
            response.ended_s, response.status = at_s, frame.status
