"""The line of a client that is attached to a call."""

from collections.abc import Callable
from typing import Protocol


class Attachment(Protocol):
    """What the call needs of a client's line; it speaks the protocol of docs/websocket.md."""

    @property
    def is_open(self) -> bool:
        """Whether anybody may still hear what is written."""

    def write(self, message: bytes, *, text: bool) -> None:
        """Send a message; one to a dead line is lost."""

    def deliver_to(self, deliver: Callable[[bytes, bool], None] | None) -> None:
        """Have each message given to a function, with whether it is text; None drops them."""

    def close_soon(self, code: int, reason: str = "") -> None:
        """Close the line, without waiting for the client's word."""

    def abort(self) -> None:
        """Cut the line without a word."""


__all__ = ["Attachment"]
