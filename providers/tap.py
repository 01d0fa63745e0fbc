"""Where a session's wire can be listened to. Observability implements it."""

import json
from enum import Enum
from typing import Protocol, runtime_checkable
from urllib.parse import quote

_BLANK = b"[key]"


class WireDirection(Enum):
    SENT = "sent"
    RECEIVED = "received"


class WireTap(Protocol):
    """Sees every message of a connection, after it was sent and before it is handled.

    Implementations return at once, raise nothing, and keep nothing they do not redact.
    """

    def message(self, direction: WireDirection, message: str | bytes) -> None: ...


class ConnectionTap(WireTap, Protocol):
    """Sees one connection, and how it ended if it was not closed from here."""

    def closed(self, code: int, reason: str) -> None:
        """The other end closed it, with this close code; without one it is 1006.

        A connection that never came about ends so, too: with the HTTP status that refused it, or 0
        where nothing answered.
        """


@runtime_checkable
class ConnectionTaps(WireTap, Protocol):
    """A tap that tells the connections of a session apart."""

    def connection(self, address: str) -> ConnectionTap:
        """Begin to listen to the next connection, which is about to be dialled.

        Args:
            address: Host and port, without anything secret.
        """


class KeylessTap:
    """Hands messages on without the session's own key, as it is or as JSON and URLs spell it.

    Args:
        tap: Who sees them then.
        key: At least a few characters long: anything shorter may be part of a word.
    """

    def __init__(self, tap: WireTap, key: str) -> None:
        self._tap = tap
        in_json = json.dumps(key)[1:-1]
        spellings = {key, in_json, in_json.replace("/", "\\/"), quote(key), quote(key, safe="")}
        # The longest first: one may be a part of another.
        self._spellings = sorted((one.encode() for one in spellings), key=len, reverse=True)

    def message(self, direction: WireDirection, message: str | bytes) -> None:
        text = message.encode(errors="replace") if isinstance(message, str) else message
        for one in self._spellings:
            if one in text:
                message = text = text.replace(one, _BLANK)
        self._tap.message(direction, message)


__all__ = ["ConnectionTap", "ConnectionTaps", "KeylessTap", "WireDirection", "WireTap"]
