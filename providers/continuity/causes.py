"""What the end of a connection, or an attempt that failed, says of the next one."""

from collections.abc import Sequence

from crossfade.errors import (
    ConnectionLost,
    CredentialsRefused,
    CrossfadeError,
    ProviderFault,
    SettingsError,
)
from crossfade.providers.events import Event, LineLost, ProviderError, ResponseDone, Severity

# What a lost connection tells those whose session ends with it.
_ADVICE = " Open a new session to go on."


def is_fatal(error: Exception) -> bool:
    """Whether no other connection to the same provider will do better."""
    match error:
        case CredentialsRefused() | SettingsError():
            return True
        case ProviderFault(code=code):
            return not _passes(code)
    return False


def _passes(code: str | None) -> bool:
    """Whether a status of HTTP tells of a state that passes: too many, or a failure of theirs."""
    if code is None or not code.isdecimal():
        return False
    return code in ("408", "425", "429") or 500 <= int(code) <= 599


def refusal_among(events: Sequence[Event]) -> ProviderError | None:
    """A response that was refused for a cause that does not pass: no other one will do better."""
    errors = (event for event in events if isinstance(event, ProviderError))
    refused = (error for error in errors if error.response_id is not None)
    return next((error for error in refused if error.severity is Severity.FATAL), None)


def ends_of(refusal: ProviderError, events: Sequence[Event]) -> list[ResponseDone]:
    """How the response ended that was refused."""
    ends = (event for event in events if isinstance(event, ResponseDone))
    return [end for end in ends if end.response_id == refusal.response_id]


def line_lost(error: CrossfadeError) -> LineLost:
    """What is told of a connection that died of this, while its session goes on."""
    code = getattr(error, "code", None) or getattr(error, "close_code", None)
    message = str(error).removesuffix(_ADVICE)
    return LineLost(message=message, code=None if code is None else str(code))


def silent(seconds: float) -> ConnectionLost:
    return ConnectionLost(
        f"The provider has told nothing for {seconds:g} s, though it should have."
    )


__all__ = ["ends_of", "is_fatal", "line_lost", "refusal_among", "silent"]
