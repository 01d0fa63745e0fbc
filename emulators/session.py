"""A session of any emulated wire, as its server sees it."""

from typing import Protocol

from .faults.script import Fault
from .line import Line


class Session(Protocol):
    """The service's side of one client's session."""

    line: Line
    failure: BaseException | None
    """The error of the emulator itself that ended the session, if one did."""

    @property
    def kept_bytes(self) -> int:
        """What it takes when it has ended, about."""

    @property
    def id(self) -> str:
        """What the service calls the session."""

    def start(self) -> None:
        """The line is open."""

    def receive(self, message: str | bytes) -> None:
        """The client sent a message."""

    def suffer(self, fault: Fault) -> None:
        """One of the wire's own faults strikes."""

    async def close(self) -> None:
        """The line is gone: end all work."""
