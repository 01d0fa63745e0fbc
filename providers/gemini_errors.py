"""What Gemini's close codes and their reasons mean for a session.

Gemini reports almost every error by closing the connection, with a code that several causes
share; the reason tells them apart. Source: https://ai.google.dev/api/live, and the closes that the
service was seen to make.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from crossfade.errors import CredentialsRefused, ProviderFault
from crossfade.providers.events import ProviderError, Severity
from crossfade.providers.gemini_profiles import GEMINI_GENERATIONS
from crossfade.providers.wire_json import JsonObject, string

CREDENTIALS = "credentials_refused"
MODEL = "model_not_found"
HANDLE = "handle_refused"
"""The session cannot be resumed: begin a new one, without the handle, and tell it the history."""
QUOTA = "quota_exceeded"
REQUEST = "invalid_request"
UNSUPPORTED = "unsupported_operation"
ABORTED = "aborted"
UNAVAILABLE = "unavailable"

# The first whose words are in the reason counts.
_CAUSES = (
    ("api key", CREDENTIALS, Severity.FATAL),
    ("api_key", CREDENTIALS, Severity.FATAL),
    ("auth_token", CREDENTIALS, Severity.FATAL),
    ("unauthenticated", CREDENTIALS, Severity.FATAL),
    ("authentication", CREDENTIALS, Severity.FATAL),
    ("permission", CREDENTIALS, Severity.FATAL),
    ("unregistered callers", CREDENTIALS, Severity.FATAL),
    ("denied access", CREDENTIALS, Severity.FATAL),
    ("token expired", CREDENTIALS, Severity.FATAL),
    ("token has expired", CREDENTIALS, Severity.FATAL),
    ("session handle", HANDLE, Severity.RETRY),
    ("session not found", HANDLE, Severity.RETRY),
    ("not supported for bidigeneratecontent", MODEL, Severity.FATAL),
    ("is not found for api version", MODEL, Severity.FATAL),
    ("publisher model", MODEL, Severity.FATAL),
    ("quota", QUOTA, Severity.FATAL),
    ("is not implemented, or supported, or enabled", UNSUPPORTED, Severity.RETRY),
    ("aborted", ABORTED, Severity.RETRY),
    ("deadline expired", UNAVAILABLE, Severity.RETRY),
    ("unavailable", UNAVAILABLE, Severity.RETRY),
    ("internal error", UNAVAILABLE, Severity.RETRY),
)
_BAD_PAYLOAD, _POLICY, _INTERNAL_ERROR = 1007, 1008, 1011
_KEY = re.compile(r"\bAIza[\w\-]+|\bauth_tokens/[\w.\-]+|\b(?:ya29|AQ)\.[\w.\-]+")


def classify_close(
    code: int, reason: str, *, resuming: bool = False, opened: bool = False
) -> ProviderError | None:
    """Say why the provider closed the connection; None if only the line went.

    Args:
        code: Close code of the WebSocket.
        reason: The words that came with it, which may be cut short.
        resuming: The set-up named a handle.
        opened: The set-up had been accepted.
    """
    if code not in (_BAD_PAYLOAD, _POLICY, _INTERNAL_ERROR):
        return None
    error = _by_words(reason)
    if error is not None and (opened or error.code != UNSUPPORTED):
        return error
    # A dead handle is refused in the words of any other mistake.
    if resuming and not opened:
        return _error(reason, HANDLE, Severity.RETRY)
    # What the set-up asks for will not be had the next time.
    if error is not None:
        return replace(error, severity=Severity.FATAL)
    if code == _INTERNAL_ERROR:
        return _error(reason, UNAVAILABLE, Severity.RETRY)
    # In a running session this is also how a full context ends.
    return _error(reason, REQUEST, Severity.RETRY if opened else Severity.FATAL)


def classify_error(body: JsonObject) -> ProviderError:
    """Read an `error` object that came as a message."""
    message = string(body, "message") or string(body, "status")
    return _by_words(message) or _error(message, string(body, "status") or None, Severity.REQUEST)


def as_fault(error: ProviderError, model: str, key_variables: Sequence[str]) -> ProviderFault:
    """Turn a fatal error into the one to raise, with what to do."""
    said = f'Gemini said: "{error.message}".'
    if error.code == CREDENTIALS:
        return CredentialsRefused(
            f"Gemini refused the key. Check {' or '.join(key_variables)}. {said}", code=error.code
        )
    if error.code == MODEL:
        known = ", ".join(GEMINI_GENERATIONS)
        return ProviderFault(
            f'Gemini does not serve the model "{model}". Known models: {known}. {said}',
            code=error.code,
        )
    if error.code == QUOTA:
        return ProviderFault(
            f"The quota of this key is used up. Raise it, or use another key. {said}",
            code=error.code,
        )
    return ProviderFault(
        f"Gemini refused the session. Check the configuration. {said}", code=error.code
    )


def _by_words(reason: str) -> ProviderError | None:
    words = reason.lower()
    for part, code, severity in _CAUSES:
        if part in words:
            return _error(reason, code, severity)
    return None


def _error(reason: str, code: str | None, severity: Severity) -> ProviderError:
    message = _KEY.sub("[key]", reason) or "no reason given"
    return ProviderError(message=message, severity=severity, code=code)


__all__ = [
    "ABORTED",
    "CREDENTIALS",
    "HANDLE",
    "MODEL",
    "QUOTA",
    "REQUEST",
    "UNAVAILABLE",
    "UNSUPPORTED",
    "as_fault",
    "classify_close",
    "classify_error",
]
