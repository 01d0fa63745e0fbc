"""What can go wrong on Gemini's wire alone; see `emulators.faults` for what can on every wire."""

from typing import Annotated, Literal

from pydantic import AfterValidator, NonNegativeFloat

from ..faults.script import Fault
from ..faults.transcription import EmptyTranscription as EmptyTranscription
from ..faults.transcription import FailedTranscription as FailedTranscription
from ..faults.transcription import LateTranscription as LateTranscription
from .closes import CLOSES


class GoAway(Fault):
    """The service announces the connection's end, and then ends it or falls silent."""

    fault: Literal["go_away"] = "go_away"
    time_left_ms: NonNegativeFloat = 50_000
    then: Literal["close", "silence"] = "close"


class Expire(Fault):
    """The connection reaches its limit; nothing announced it."""

    fault: Literal["expire"] = "expire"


def _known(name: str) -> str:
    if name not in CLOSES:
        raise ValueError(f"must be one of {', '.join(CLOSES)}")
    return name


class ServiceClose(Fault):
    """The service closes the connection for a reason of its own, by that reason's name."""

    fault: Literal["service_close"] = "service_close"
    name: Annotated[str, AfterValidator(_known)]


class ServerError(Fault):
    """The service fails."""

    fault: Literal["server_error"] = "server_error"


class RefuseResume(Fault):
    """A session is not resumed, although its handle is good."""

    marks = True
    fault: Literal["refuse_resume"] = "refuse_resume"
    code: Literal[1007, 1008, 1011] = 1007
    """1007: the handle is not valid. 1008: the session is gone. 1011: the service fails, as while
    the old connection is open."""


class CallCancellation(Fault):
    """The service takes back the calls that wait for an answer; nobody interrupted."""

    fault: Literal["call_cancellation"] = "call_cancellation"


class LateInterruption(Fault):
    """`interrupted` comes behind the next turnComplete, as while the client still plays."""

    marks = True
    fault: Literal["interrupted_after_turn_complete"] = "interrupted_after_turn_complete"


class RejectTurn(Fault):
    """The next answer ends before it began, with a reason."""

    marks = True
    fault: Literal["reject_turn"] = "reject_turn"
    reason: Literal[
        "MALFORMED_FUNCTION_CALL",
        "RESPONSE_REJECTED",
        "NEED_MORE_INPUT",
        "PROHIBITED_INPUT_CONTENT",
    ] = "RESPONSE_REJECTED"


OWN_FAULTS: tuple[type[Fault], ...] = (
    GoAway,
    Expire,
    ServiceClose,
    ServerError,
    RefuseResume,
    CallCancellation,
    EmptyTranscription,
    FailedTranscription,
    LateTranscription,
    LateInterruption,
    RejectTurn,
)
