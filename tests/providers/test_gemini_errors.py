import pytest

from crossfade.errors import CredentialsRefused, ProviderFault
from crossfade.providers.events import ProviderError, Severity
from crossfade.providers.gemini_errors import (
    ABORTED,
    CREDENTIALS,
    HANDLE,
    MODEL,
    QUOTA,
    REQUEST,
    UNAVAILABLE,
    UNSUPPORTED,
    as_fault,
    classify_close,
)
from tests.providers.gemini_messages import Wire

FATAL, RETRY = Severity.FATAL, Severity.RETRY
NOT_FOUND = (
    "models/gemini-9 is not found for API version v1beta, or is not supported for "
    "bidiGenerateContent. Call ListModels"
)
NOT_ENABLED = "Operation is not implemented, or supported, or enabled."
REFUSED = "Request contains an invalid argument."


@pytest.mark.parametrize(
    ("code", "reason", "cause", "severity"),
    [
        (1007, "API key not valid. Please pass a valid API key.", CREDENTIALS, FATAL),
        (1008, NOT_FOUND, MODEL, FATAL),
        (1008, "Publisher Model `projects/p/x` was not found or your project", MODEL, FATAL),
        (1007, REFUSED, REQUEST, FATAL),
        (1007, 'Invalid JSON payload received. Unknown name "x"', REQUEST, FATAL),
        (1007, "Invalid session handle", HANDLE, RETRY),
        (1008, "BidiGenerateContent session not found", HANDLE, RETRY),
        (1008, NOT_ENABLED, UNSUPPORTED, FATAL),
        (1008, "The operation was aborted", ABORTED, RETRY),
        (1011, "Internal error encountered.", UNAVAILABLE, RETRY),
        (1011, "The service is currently unavailable.", UNAVAILABLE, RETRY),
        (1011, "Deadline expired before operation could complete.", UNAVAILABLE, RETRY),
        (1011, "", UNAVAILABLE, RETRY),
        (1008, "Token expired", CREDENTIALS, FATAL),
        (1008, "Your project has been denied access. Please contact support.", CREDENTIALS, FATAL),
        (1008, "Method doesn't allow unregistered callers (callers without", CREDENTIALS, FATAL),
        (1011, "You exceeded your current quota, please check your plan", QUOTA, FATAL),
    ],
)
def test_the_reason_tells_the_causes_of_a_code_apart(
    code: int, reason: str, cause: str, severity: Severity
) -> None:
    error = classify_close(code, reason)
    assert error is not None
    assert (error.code, error.severity) == (cause, severity)


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 4000])
def test_other_closes_say_only_that_the_line_went(code: int) -> None:
    assert classify_close(code, "bye") is None


@pytest.mark.parametrize("reason", [REFUSED, NOT_ENABLED, "Requested entity was not found."])
def test_a_refused_handle_is_not_a_refused_configuration(reason: str) -> None:
    error = Wire(resume="h", opened=False).protocol.closed(1007, reason)
    assert error is not None
    assert (error.code, error.severity) == (HANDLE, RETRY)


def test_a_refused_key_stays_one_with_a_handle() -> None:
    error = Wire(resume="h", opened=False).protocol.closed(1007, "API key not valid.")
    assert error is not None
    assert error.severity is FATAL


@pytest.mark.parametrize("reason", [REFUSED, NOT_ENABLED])
def test_a_running_session_that_is_refused_may_be_begun_anew(reason: str) -> None:
    # The context may be full, or audio crossed a call.
    error = Wire().protocol.closed(1007, reason)
    assert error is not None
    assert error.severity is RETRY


def test_a_refused_key_names_the_variables() -> None:
    protocol = Wire().protocol
    fault = protocol.fault(ProviderError(message="no", severity=FATAL, code=CREDENTIALS))
    assert isinstance(fault, CredentialsRefused)
    assert "GOOGLE_API_KEY or GEMINI_API_KEY" in str(fault)


@pytest.mark.parametrize(
    ("code", "part"),
    [(MODEL, "gemini-3.8-live"), (QUOTA, "quota"), (REQUEST, "configuration")],
)
def test_a_fault_says_what_to_do(code: str, part: str) -> None:
    error = ProviderError(message="why", severity=FATAL, code=code)
    fault = as_fault(error, "gemini-9", ("K",))
    assert type(fault) is ProviderFault
    assert fault.code == code
    assert part in str(fault)
    assert "why" in str(fault)


def test_a_key_in_a_reason_is_left_out() -> None:
    error = classify_close(1007, "API key AIzaSyHeron-1 or auth_tokens/abc.d not valid")
    assert error is not None
    assert error.message == "API key [key] or [key] not valid"
