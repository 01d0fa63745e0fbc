"""How the service ends a connection: close codes and their words.

Most are known from field reports, since the service documents none; docs/emulators/gemini.md says
which is which.
"""

from dataclasses import dataclass
from types import MappingProxyType

# What a WebSocket close frame has room for.
_REASON_BYTES = 123


@dataclass(frozen=True, slots=True)
class Close:
    """A WebSocket close."""

    code: int
    reason: str
    """Cut to what a close frame can hold, as the service does."""

    def __post_init__(self) -> None:
        cut = self.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        object.__setattr__(self, "reason", cut)


class Closed(Exception):
    """The service refuses what the client did, and closes the connection."""

    def __init__(self, close: Close) -> None:
        super().__init__(close.reason)
        self.close = close


INVALID_KEY = Close(1007, "API key not valid. Please pass a valid API key.")
NO_KEY = Close(
    1008,
    "Method doesn't allow unregistered callers (callers without established identity). Please use "
    "API Key or other form of API consumer identity to call this API.",
)
INVALID_ARGUMENT = Close(1007, "Request contains an invalid argument.")
INVALID_HANDLE = Close(1007, "Invalid session handle")
INVALID_ROLE = Close(1007, "Please use a valid role: user, model.")
ACTIVITY_NOT_MANUAL = Close(
    1007,
    "Explicit activity control is not supported when automatic activity detection is enabled.",
)
SESSION_NOT_FOUND = Close(1008, "BidiGenerateContent session not found")
ENTITY_NOT_FOUND = Close(1008, "Requested entity was not found.")
NOT_IMPLEMENTED = Close(1008, "Operation is not implemented, or supported, or enabled.")
ABORTED = Close(1008, "The operation was aborted")
INTERNAL = Close(1011, "Internal error encountered.")
UNAVAILABLE = Close(1011, "The service is currently unavailable.")
DEADLINE = Close(1011, "Deadline expired before operation could complete.")
QUOTA = Close(
    1011,
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.",
)

CLOSES = MappingProxyType(
    {
        "invalid_key": INVALID_KEY,
        "invalid_argument": INVALID_ARGUMENT,
        "unknown_name": Close(
            1007, "Invalid JSON payload received. Unknown name \"x\" at 'setup': Cannot find field."
        ),
        "invalid_handle": INVALID_HANDLE,
        "model_not_found": Close(
            1008,
            "models/x is not found for API version v1beta, or is not supported for "
            "bidiGenerateContent.",
        ),
        "session_not_found": SESSION_NOT_FOUND,
        "entity_not_found": ENTITY_NOT_FOUND,
        "not_implemented": NOT_IMPLEMENTED,
        "aborted": ABORTED,
        "internal": INTERNAL,
        "unavailable": UNAVAILABLE,
        "deadline": DEADLINE,
        "quota": QUOTA,
    }
)
"""The closes that a fault can name."""


def unknown_name(name: str, path: str) -> Closed:
    """A field that the message at `path` does not have."""
    at = f" at '{path}'" if path else ""
    return Closed(
        Close(1007, f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.')
    )


def invalid_value(path: str, kind: str, value: object) -> Closed:
    """A field whose value is not of its type."""
    return Closed(Close(1007, f"Invalid value at '{path}' ({kind}), {value!r}"))


def malformed_json() -> Closed:
    """A message that is no JSON object."""
    return Closed(Close(1007, "Invalid JSON payload received. Expected an object."))


def model_not_found(name: str, version: str) -> Closed:
    """A model that the service does not have, or not for live sessions."""
    return Closed(
        Close(
            1008,
            f"{name} is not found for API version {version}, or is not supported for "
            "bidiGenerateContent.",
        )
    )
