"""What faults make of the messages that a service sends."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import orjson

from ..message import Message
from .script import (
    Burst,
    Delay,
    Drop,
    Duplicate,
    Stall,
    Trail,
    Trickle,
    UnknownFields,
)

HELD_BYTES = 16 * 1024 * 1024
# Loops run a timer a rounding error before its time.
_CLOCK_ERROR_S = 1e-6
_UNKNOWN_FIELDS = {"x_unknown": {"nested": [1, None, "two"]}, "x_flag": True}

StreamFault = Drop | Duplicate | Delay | Trail | UnknownFields | Trickle | Stall | Burst


@dataclass(slots=True)
class _Acting:
    """A fault that has struck, and how often it still acts."""

    fault: StreamFault
    left: int


class FaultyStream:
    """Passes messages on, changed as the faults say that have struck so far.

    What is held back is bounded by `HELD_BYTES`: the newest messages are lost beyond it, as on a
    stalled line whose connection ends before they came.

    Args:
        forward: Sends a message.
    """

    def __init__(self, forward: Callable[[Message], None]) -> None:
        self._forward = forward
        self._acting: list[_Acting] = []
        self._last: dict[str, Message] = {}
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._release: asyncio.TimerHandle | None = None
        self._delayed: dict[asyncio.TimerHandle, Message] = {}
        self._silent = False

    @property
    def is_plain(self) -> bool:
        """Whether messages pass as they are."""
        return not (self._acting or self._held or self._silent or self._release)

    def add(self, fault: StreamFault) -> None:
        """Let a fault act on what is sent from now on."""
        match fault:
            case Stall(ms=None):
                self._silent = True
                self.stop()
            case Stall(ms=ms) | Burst(ms=ms):
                assert ms is not None
                self._hold_for(ms)
            case Drop(count=count) | Delay(count=count):
                self._acting.append(_Acting(fault, count))
            case Trickle(messages=count) | UnknownFields(messages=count):
                self._acting.append(_Acting(fault, count))
            case Duplicate() | Trail():
                self._acting.append(_Acting(fault, 1))

    def send(self, message: Message) -> None:
        """Send a message, or what the faults leave of it."""
        for changed in self._changed(message):
            self._pass(changed)

    def finish(self) -> None:
        """Send what is held back: the connection is about to be closed."""
        waiting = (*self._held, *self._delayed.values())
        self.stop()
        for message in waiting:
            self._forward(message)

    def stop(self) -> None:
        """Forget what is held back: it will never be sent."""
        for timer in (*self._delayed, self._release):
            if timer is not None:
                timer.cancel()
        self._delayed.clear()
        self._held.clear()
        self._held_bytes = 0
        self._release = None

    def _changed(self, message: Message) -> Iterable[Message]:
        for acting in list(self._acting):
            match acting.fault:
                case Drop(type=type) if type == message.type:
                    self._spend(acting)
                    return ()
                case Delay(type=type, ms=ms) if type == message.type:
                    self._spend(acting)
                    self._send_later(message, ms)
                    return ()
                case Duplicate(type=type) if type == message.type:
                    self._spend(acting)
                    return (message, message)
                case Trail() as trail if trailing := self._trailing(trail, message):
                    self._spend(acting)
                    return (message, *trailing)
                case UnknownFields() if message.body is not None:
                    self._spend(acting)
                    return (_with_unknown_fields(message),)
        return (message,)

    def _trailing(self, trail: Trail, message: Message) -> list[Message]:
        if message.type == trail.type:
            self._last[message.type] = message
        elif message.type == trail.after and trail.type in self._last:
            return [self._last.pop(trail.type)] * trail.count
        return []

    def _spend(self, acting: _Acting) -> None:
        acting.left -= 1
        if not acting.left:
            self._acting.remove(acting)

    def _pass(self, message: Message) -> None:
        if self._silent:
            return
        if self._release is None and not self._held:
            self._give(message)
        elif self._keeps(message):
            self._held.append(message)

    def _keeps(self, message: Message) -> bool:
        """Whether one more message may be held back."""
        if self._held_bytes + len(message.data) > HELD_BYTES:
            return False
        self._held_bytes += len(message.data)
        return True

    def _give(self, message: Message) -> None:
        self._forward(message)
        for acting in self._acting:
            if isinstance(acting.fault, Trickle):
                self._spend(acting)
                self._hold_for(acting.fault.ms)
                return

    def _hold_for(self, ms: float) -> None:
        """Hold everything back for so long at least."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + ms / 1000
        if self._release is not None:
            until_s = max(until_s, self._release.when())
            self._release.cancel()
        self._release = loop.call_at(until_s, self._let_go)

    def _let_go(self) -> None:
        self._release = None
        while self._held and self._release is None:
            message = self._held.popleft()
            self._held_bytes -= len(message.data)
            self._give(message)

    def _send_later(self, message: Message, ms: float) -> None:
        if self._keeps(message):
            timer = asyncio.get_running_loop().call_later(ms / 1000, self._send_due)
            self._delayed[timer] = message

    def _send_due(self) -> None:
        """Send the delayed messages whose time has come; timers of one moment run in any order."""
        now_s = asyncio.get_running_loop().time() + _CLOCK_ERROR_S
        due = [timer for timer in self._delayed if timer.when() <= now_s]
        for timer in sorted(due, key=asyncio.TimerHandle.when):
            timer.cancel()
            message = self._delayed.pop(timer)
            self._held_bytes -= len(message.data)
            self._pass(message)


def _with_unknown_fields(message: Message) -> Message:
    body = orjson.loads(message.data)
    return replace(message, data=orjson.dumps({**body, **_UNKNOWN_FIELDS}))
