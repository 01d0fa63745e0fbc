"""Recogniser and voice in virtual time: the clock stands while they work and jumps while they rest.

A loop in virtual time holds its clock for every child process, as it cannot see whether one works.
These say so: they answer each message that they are sent.
"""

import asyncio

import pytest

from crossfade.observability.virtual_time import Hold, VirtualTimeLoop
from crossfade.offline import worker
from crossfade.offline.framing import Message


class _Child(worker._Child):
    def send(self, message: Message) -> asyncio.Future[Message]:
        answer = super().send(message)
        answer.add_done_callback(_held().release)
        return answer

    async def close(self) -> None:
        with _held():
            await super().close()


def jump_while_workers_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """For calls with the offline backend, which would last as long as they take otherwise."""
    monkeypatch.setattr(worker, "_Child", _Child)
    monkeypatch.setattr(
        VirtualTimeLoop, "subprocess_exec", asyncio.SelectorEventLoop.subprocess_exec
    )


def _held() -> Hold:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    return loop.hold()
