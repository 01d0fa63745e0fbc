"""What the faults of this wire do to a session."""

from collections.abc import Callable

from ..faults.script import Fault
from . import faults
from .answers import Answers
from .errors import error_event
from .outbox import Outbox
from .outcome import Outcome, failed
from .transcripts import Spoiling, Transcripts

_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"
_RATE_LIMIT = "Rate limit reached for tokens per minute. Please try again later."
_FAILURES = {
    "server_error": _SERVER_ERROR,
    "inference_rate_limit_exceeded": "Rate limit reached for inference. Please try again later.",
    "insufficient_quota": (
        "You exceeded your current quota, please check your plan and billing details."
    ),
}
_SPOILINGS: dict[type[Fault], Spoiling] = {
    faults.FailedTranscription: Spoiling.FAILED,
    faults.EmptyTranscription: Spoiling.EMPTY,
    faults.LateTranscription: Spoiling.LATE,
    faults.EarlyTranscription: Spoiling.EARLY,
    faults.OutOfOrderTranscription: Spoiling.OUT_OF_ORDER,
}


class Sufferer:
    """Lets faults strike one session.

    Args:
        answers: Its responses.
        transcripts: Its transcripts.
        outbox: Where events go.
        steal: Begins a response that nobody asked for.
        expire: Ends the session.
    """

    def __init__(
        self,
        answers: Answers,
        transcripts: Transcripts,
        outbox: Outbox,
        *,
        steal: Callable[[], None],
        expire: Callable[[], None],
    ) -> None:
        self._answers = answers
        self._transcripts = transcripts
        self._outbox = outbox
        self._steal = steal
        self._expire = expire

    def suffer(self, fault: Fault) -> None:
        """Let a fault of this wire strike."""
        match fault:
            case faults.SessionExpired():
                self._expire()
            case faults.ServerError():
                self._tell(_SERVER_ERROR, type="server_error", code="server_error")
            case faults.RateLimit():
                self._tell(_RATE_LIMIT, type="rate_limit_error", code="rate_limit_exceeded")
            case faults.ErrorEvent():
                self._tell(fault.message, type=fault.type, code=fault.code, param=fault.param)
            case faults.FailedResponse(code=code):
                self._answers.spoil(failed(_FAILURES[code], code=code))
            case faults.IncompleteResponse(reason=reason):
                self._answers.spoil(Outcome("incomplete", {"reason": reason}))
            case faults.TextStatusDetails():
                self._answers.say_details_as_text()
            case faults.StolenResponse():
                if not self._answers.active:
                    self._steal()
            case faults.LateTranscription(ms=ms):
                self._transcripts.spoil(Spoiling.LATE, ms)
            case _:
                self._transcripts.spoil(_SPOILINGS[type(fault)])

    def _tell(self, message: str, *, type: str, code: str | None, param: str | None = None) -> None:
        self._outbox.send([error_event(message, type=type, code=code, param=param)])
