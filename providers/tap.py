"""Where a session's wire can be listened to. Observability implements it."""

from enum import Enum
from typing import Protocol


class WireDirection(Enum):
    SENT = "sent"
    RECEIVED = "received"


class WireTap(Protocol):
    """Sees every message of a connection, after it was sent and before it is handled.

    Implementations return at once, raise nothing, and keep nothing they do not redact.
    """

    def message(self, direction: WireDirection, message: str | bytes) -> None: ...
