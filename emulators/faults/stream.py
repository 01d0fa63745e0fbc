"""What faults make of the messages that a service sends."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

import orjson

from ..message import Message
from .script import (
    Burst,
    Delay,
    Drop,
    Duplicate,
    Fault,
    Stall,
    Trail,
    Trickle,
    UnknownFields,
)

HELD_BYTES = 16 * 1024 * 1024
_UNKNOWN_FIELDS = {"x_unknown": {"nested": [1, None, "two"]}, "x_flag": True}

StreamFault = Drop | Duplicate | Delay | Trail | UnknownFields | Trickle | Stall | Burst


class FaultyStream:
    """Passes messages on, changed as the faults say that have struck so far.

    Messages held back are bounded by `HELD_BYTES`: the newest are lost beyond it, as on a stalled
    line whose connection ends before they came.

    Args:
        forward: Sends a message.
    """

    def __init__(self, forward: Callable[[Message], None]) -> None:
        self._forward = forward
        # How often each of these may still act.
        self._active: dict[StreamFault, int] = {}
        self._last: dict[str, Message] = {}
        self._held: deque[Message] = deque()
        self._held_bytes = 0
        self._timers: set[asyncio.TimerHandle] = set()
        self._release: asyncio.TimerHandle | None = None
        self._dead = False

    @property
    def is_plain(self) -> bool:
        """Whether messages pass as they are."""
        return not (self._active or self._held or self._dead or self._release or self._timers)

    def add(self, fault: StreamFault) -> None:
        """Let a fault act on what is sent from now on."""
        match fault:
            case Stall(ms=None):
                self._dead = True
            case Stall(ms=ms) | Burst(ms=ms):
                assert ms is not None
                self._hold_for(ms)
            case Drop(count=count) | Delay(count=count):
                self._active[fault] = count
            case Trickle(messages=count) | UnknownFields(messages=count):
                self._active[fault] = count
            case _:
                self._active[fault] = 1

    def send(self, message: Message) -> None:
        """Send a message, or what the faults leave of it."""
        for changed in self._changed(message):
            self._pass(changed)

    def finish(self) -> None:
        """Send what is held back: the connection is about to be closed."""
        self.stop()
        while self._held:
            self._forward(self._held.popleft())

    def stop(self) -> None:
        """The connection is gone."""
        for timer in (*self._timers, self._release):
            if timer is not None:
                timer.cancel()
        self._timers.clear()
        self._release = None

    def _changed(self, message: Message) -> Iterable[Message]:
        for fault in list(self._active):
            match fault:
                case Drop(type=type) if type == message.type:
                    self._spend(fault)
                    return ()
                case Delay(type=type, ms=ms) if type == message.type:
                    self._spend(fault)
                    self._send_later(message, ms)
                    return ()
                case Duplicate(type=type) if type == message.type:
                    self._spend(fault)
                    return (message, message)
                case Trail():
                    if trail := self._trail(fault, message):
                        return (message, *trail)
                case UnknownFields() if not message.binary or message.body is not None:
                    self._spend(fault)
                    return (_with_unknown_fields(message),)
        return (message,)

    def _trail(self, fault: Trail, message: Message) -> list[Message]:
        if message.type == fault.type:
            self._last[message.type] = message
        elif message.type == fault.after and fault.type in self._last:
            self._spend(fault)
            return [self._last.pop(fault.type)] * fault.count
        return []

    def _spend(self, fault: StreamFault) -> None:
        self._active[fault] -= 1
        if not self._active[fault]:
            del self._active[fault]

    def _pass(self, message: Message) -> None:
        if self._dead:
            return
        if self._release is not None or self._held:
            if self._held_bytes + len(message.data) <= HELD_BYTES:
                self._held.append(message)
                self._held_bytes += len(message.data)
            return
        self._forward(message)
        trickle = next((fault for fault in self._active if isinstance(fault, Trickle)), None)
        if trickle is not None:
            self._spend(trickle)
            self._hold_for(trickle.ms)

    def _hold_for(self, ms: float) -> None:
        if self._release is not None:
            self._release.cancel()
        self._release = asyncio.get_running_loop().call_later(ms / 1000, self._let_go)

    def _let_go(self) -> None:
        self._release = None
        waiting, self._held, self._held_bytes = self._held, deque(), 0
        for message in waiting:
            self._pass(message)

    def _send_later(self, message: Message, ms: float) -> None:
        def send() -> None:
            self._timers.discard(timer)
            self._pass(message)

        timer = asyncio.get_running_loop().call_later(ms / 1000, send)
        self._timers.add(timer)


def _with_unknown_fields(message: Message) -> Message:
    body = orjson.loads(message.data)
    return replace(message, data=orjson.dumps({**body, **_UNKNOWN_FIELDS}))


def is_stream_fault(fault: Fault) -> bool:
    """Whether a fault acts on what is sent."""
    return isinstance(fault, StreamFault)
