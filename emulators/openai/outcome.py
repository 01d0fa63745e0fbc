"""How a response ends."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """The status of a response that is done."""

    status: str
    """completed, cancelled, incomplete or failed."""
    details: dict[str, Any] | None = None
    """What `status_details` says besides the status."""


COMPLETED = Outcome("completed")


def cancelled(reason: str) -> Outcome:
    """Cut off: turn_detected or client_cancelled."""
    return Outcome("cancelled", {"reason": reason})


def failed(message: str, *, code: str = "server_error") -> Outcome:
    """The service could not answer."""
    type = "server_error" if code == "server_error" else "invalid_request_error"
    return Outcome("failed", {"error": {"type": type, "code": code, "message": message}})
