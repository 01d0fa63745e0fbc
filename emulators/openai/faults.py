"""What goes wrong on this wire alone, by the names that a script gives it."""

from typing import Literal

from pydantic import PositiveInt

from ..faults.script import Drop, Duplicate, Fault, Trail
from ..faults.transcription import EmptyTranscription as EmptyTranscription
from ..faults.transcription import FailedTranscription as FailedTranscription
from ..faults.transcription import LateTranscription as LateTranscription


class SessionExpired(Fault):
    """The session is at its end before its time: an error, then close 1001."""

    fault: Literal["session_expired"] = "session_expired"


class ServerError(Fault):
    """An `error` event of the service's own making; the session goes on."""

    fault: Literal["server_error"] = "server_error"


class RateLimit(Fault):
    """An `error` event rate_limit_exceeded; the session goes on."""

    fault: Literal["rate_limit"] = "rate_limit"


class ErrorEvent(Fault):
    """An `error` event with a code of your own; the session goes on."""

    fault: Literal["error_event"] = "error_event"
    type: str = "invalid_request_error"
    code: str | None = None
    message: str = "The request could not be processed."
    param: str | None = None


class FailedResponse(Fault):
    """The response that runs, or the next one, fails."""

    fault: Literal["failed_response"] = "failed_response"
    code: Literal["server_error", "inference_rate_limit_exceeded", "insufficient_quota"] = (
        "server_error"
    )


class IncompleteResponse(Fault):
    """The response that runs, or the next one, ends incomplete."""

    fault: Literal["incomplete_response"] = "incomplete_response"
    reason: Literal["content_filter", "max_output_tokens"] = "content_filter"


class TextStatusDetails(Fault):
    """The next response.done has a text for `status_details`, as other services have."""

    marks = True
    fault: Literal["text_status_details"] = "text_status_details"


class StolenResponse(Fault):
    """The service begins a response of its own, so that one of the client's is refused."""

    fault: Literal["stolen_response"] = "stolen_response"


class MissingResponseCreated(Fault):
    """The next response begins without its response.created."""

    marks = True
    fault: Literal["missing_response_created"] = "missing_response_created"


class DuplicatedSpeechStarted(Fault):
    """The next speech_started comes twice."""

    marks = True
    fault: Literal["duplicated_speech_started"] = "duplicated_speech_started"


class TrailingDeltas(Fault):
    """After the next response.done the last delta of sound comes `count` times more."""

    marks = True
    fault: Literal["trailing_deltas"] = "trailing_deltas"
    count: PositiveInt = 3


class EarlyTranscription(Fault):
    """The next transcript of the user comes before the response to it begins."""

    marks = True
    fault: Literal["early_transcription"] = "early_transcription"


class OutOfOrderTranscription(Fault):
    """The next transcript of the user comes only after that of a later turn."""

    marks = True
    fault: Literal["out_of_order_transcription"] = "out_of_order_transcription"


OWN_FAULTS: tuple[type[Fault], ...] = (
    SessionExpired,
    ServerError,
    RateLimit,
    ErrorEvent,
    FailedResponse,
    IncompleteResponse,
    TextStatusDetails,
    StolenResponse,
    MissingResponseCreated,
    DuplicatedSpeechStarted,
    TrailingDeltas,
    FailedTranscription,
    EmptyTranscription,
    LateTranscription,
    EarlyTranscription,
    OutOfOrderTranscription,
)
"""The faults of this wire."""


def general_fault(fault: Fault, audio_delta: str) -> Fault | None:
    """The general fault of which `fault` is only a name, if it is one.

    Args:
        fault: A fault of this wire.
        audio_delta: What a delta of sound is called in the session's dialect.
    """
    match fault:
        case MissingResponseCreated():
            return Drop(type="response.created")
        case DuplicatedSpeechStarted():
            return Duplicate(type="input_audio_buffer.speech_started")
        case TrailingDeltas(count=count):
            return Trail(type=audio_delta, after="response.done", count=count)
    return None
