"""What a measured implementation of a call must offer, and what is noted at its caller's end."""

import time
from dataclasses import dataclass, field
from typing import Protocol

from .call_messages import read_stamp


@dataclass(slots=True)
class Ear:
    """The caller's end of one call: when each piece of speech got there, and what was stale."""

    came: list[tuple[int, int]] = field(default_factory=list)
    """When a piece was ready to be written and when the service had sent it, in monotonic ns.

    What then waits for its turn to sound waits on every side that keeps the pace of sound.
    """
    silenced_ns: list[int] = field(default_factory=list)
    """When nothing more of an answer that was interrupted could be written."""
    passed_ns: list[int] = field(default_factory=list)
    """When the interruption had passed the output."""
    stale: int = 0
    """Pieces of an answer that were written nevertheless."""
    _newest: int = 0
    _cut: int = 0
    _hushed_ns: int = 0
    _since_hush: int = 0

    def ready(self, pcm: bytes) -> None:
        """Note a piece of speech that can be written."""
        if stamped := read_stamp(pcm):
            self.came.append((time.monotonic_ns(), stamped[0]))

    def hear(self, pcm: bytes) -> None:
        """Note a piece of speech that is written."""
        if (stamped := read_stamp(pcm)) is None:
            return
        _, response = stamped
        self.stale += response <= self._cut
        self._newest = max(self._newest, response)
        self._since_hush += 1

    def hushed(self) -> None:
        """Note that the output is stopped, ahead of an interruption or a hold."""
        self._hushed_ns, self._since_hush = time.monotonic_ns(), 0

    def interrupted(self) -> None:
        """Note an interruption that passes the output.

        Who was stopped ahead of it fell silent then; what was written since is stale.
        """
        now_ns = time.monotonic_ns()
        self.passed_ns.append(now_ns)
        self.silenced_ns.append(self._hushed_ns or now_ns)
        if self._hushed_ns:
            self.stale += self._since_hush
        self._hushed_ns, self._cut = 0, self._newest


class Caller(Protocol):
    """The caller of one running call."""

    async def speak(self, pcm: bytes) -> None:
        """Hand 20 ms of the microphone to the input transport."""
        ...

    async def hang_up(self) -> None: ...


class Side(Protocol):
    """An implementation that is measured."""

    async def admit(self, url: str, ear: Ear) -> Caller:
        """Begin a call with the service at `url`; return when it is connected and runs."""
        ...

    def dropped(self) -> int:
        """Microphone frames that were not sent in time, and so not at all."""
        ...
