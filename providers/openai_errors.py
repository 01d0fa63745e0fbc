"""What OpenAI's error and close codes mean for a session.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events/error, and the codes
that the service was seen to send.
"""

import re

from crossfade.errors import CredentialsRefused, ProviderFault
from crossfade.providers.events import ProviderError, Severity
from crossfade.providers.openai_dialects import Dialect
from crossfade.providers.wire_json import JsonObject, child, string

ACTIVE_RESPONSE = "conversation_already_has_active_response"
_NOT_ACTIVE = "response_cancel_not_active"

_CREDENTIALS = frozenset({"invalid_api_key", "account_deactivated", "invalid_authentication"})
_MODEL = frozenset({"invalid_model", "model_not_found", "missing_model"})

_SEVERITIES = {
    **dict.fromkeys(_CREDENTIALS | _MODEL, Severity.FATAL),
    "insufficient_quota": Severity.FATAL,
    "billing_hard_limit_reached": Severity.FATAL,
    "beta_api_shape_disabled": Severity.FATAL,
    "session_expired": Severity.RETRY,
    ACTIVE_RESPONSE: Severity.HARMLESS,
    _NOT_ACTIVE: Severity.HARMLESS,
    "input_audio_buffer_commit_empty": Severity.HARMLESS,
    "unsupported_content_type": Severity.HARMLESS,
    "item_truncate_invalid_item_id": Severity.HARMLESS,
    "item_delete_invalid_item_id": Severity.HARMLESS,
    "item_retrieve_invalid_item_id": Severity.HARMLESS,
    "item_already_truncated": Severity.HARMLESS,
}
# Some races are reported without a code, or with one of the server's own.
_ACTIVE_MESSAGE = "already has an active response"
_NOT_ACTIVE_MESSAGE = "no active response"
_HARMLESS_MESSAGES = (
    _ACTIVE_MESSAGE,
    "is already shorter than",
    "only model output audio messages can be truncated",
    _NOT_ACTIVE_MESSAGE,
)
# Beginnings of codes that tell of something else than a response.
_ELSEWHERE = (
    "audio_",
    "cannot_update_",
    "input_audio_",
    "invalid_event",
    "invalid_json",
    "invalid_tool_call",
    "item_",
    "session_",
)
_OF_SESSION = ("cannot_update_", "session_")
_OF_SERVICE = ("rate_limit",)
_CLOSE_CODES = {
    3000: ProviderError(
        message="the key was refused", severity=Severity.FATAL, code="invalid_api_key"
    ),
    4000: ProviderError(
        message="the request was refused", severity=Severity.FATAL, code="invalid_request"
    ),
    4004: ProviderError(
        message="the model was refused", severity=Severity.FATAL, code="model_not_found"
    ),
}
_KEY = re.compile(r"\b(?:sk|ek|xai)[-_][\w*.\-]+")


def classify(error: JsonObject) -> ProviderError:
    """Read the body of an `error` event or of a failed response."""
    code = string(error, "code") or None
    message = _KEY.sub("[key]", string(error, "message")) or "no reason given"
    severity = _SEVERITIES.get(code or "")
    if severity is None:
        told = message.lower()
        race = any(part in told for part in _HARMLESS_MESSAGES)
        severity = Severity.HARMLESS if race else Severity.REQUEST
    return ProviderError(message=message, severity=severity, code=code)


def meets_active(error: ProviderError) -> bool:
    """Whether a response was refused because another one runs."""
    return error.code == ACTIVE_RESPONSE or _ACTIVE_MESSAGE in error.message.lower()


def meets_none(error: ProviderError) -> bool:
    """Whether nothing could be cancelled because nothing runs."""
    return error.code == _NOT_ACTIVE or _NOT_ACTIVE_MESSAGE in error.message.lower()


def may_concern_session(body: JsonObject, error: ProviderError) -> bool:
    """Whether an error that names no message of ours may be about the session's configuration."""
    if error.severity is not Severity.REQUEST:
        return False
    parameter = string(body, "param")
    if parameter.startswith("session") or (error.code or "").startswith(_OF_SESSION):
        return True
    return not parameter and not (error.code or "").startswith((*_ELSEWHERE, *_OF_SERVICE))


def refuses_session(body: JsonObject, error: ProviderError) -> bool:
    """Whether an error before the session began, without a name, is about its configuration."""
    invalid = string(body, "type") == "invalid_request_error" or bool(string(body, "param"))
    return invalid and may_concern_session(body, error)


def names_item(error: JsonObject) -> bool:
    """Whether an `error` event says that an item of ours cannot be taken."""
    return string(error, "param").startswith("item.") or error.get("param") == "item"


def may_concern_response(body: JsonObject, error: ProviderError) -> bool:
    """Whether an error that names no message of ours may be about a response.

    Args:
        body: Of the `error` event.
        error: The same, classified.
    """
    if meets_active(error):
        return True
    if error.severity is Severity.HARMLESS or (error.code or "").startswith(_ELSEWHERE):
        return False
    parameter = string(body, "param")
    return not parameter or parameter.startswith("response")


def classify_close(close_code: int, reason: str = "") -> ProviderError | None:
    """What a close code says about the request; None if only the line went.

    The reason reads `<type>.<code>`, where there is one.
    """
    code = reason.rpartition(".")[2]
    if _SEVERITIES.get(code) is Severity.FATAL:
        message = f"the request was refused ({reason})"
        return ProviderError(message=message, severity=Severity.FATAL, code=code)
    return _CLOSE_CODES.get(close_code)


def as_fault(error: ProviderError, model: str, dialect: Dialect) -> ProviderFault:
    """Turn a fatal error into the one to raise, with what to do."""
    maker = dialect.family.maker
    if error.code in _CREDENTIALS:
        # The service quotes the key in its message; it is left out.
        return CredentialsRefused(
            f"{maker} refused the key ({error.code}). Check {' or '.join(dialect.key_variables)}.",
            code=error.code,
        )
    if error.code in _MODEL:
        known = ", ".join(dialect.family.profiles)
        return ProviderFault(
            f'{maker} does not serve the model "{model}" ({error.code}). Known models: {known}.',
            code=error.code,
        )
    code = f" ({error.code})" if error.code else ""
    return ProviderFault(f"{maker} refused the session: {error.message}{code}", code=error.code)


def why_not_completed(response: JsonObject) -> str | None:
    """Why a response ended early, from its `status_details`, which some servers send as text."""
    details = response.get("status_details")
    if isinstance(details, str):
        return details or None
    if not isinstance(details, dict):
        return None
    message = _KEY.sub("[key]", string(child(details, "error"), "message"))
    return message or string(details, "reason") or string(details, "type") or None


__all__ = [
    "ACTIVE_RESPONSE",
    "as_fault",
    "classify",
    "classify_close",
    "may_concern_response",
    "may_concern_session",
    "meets_active",
    "meets_none",
    "names_item",
    "refuses_session",
    "why_not_completed",
]
