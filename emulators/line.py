"""One client's connection as a session sees it: what it sends, within a bound, faults included."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from .connection import Connection
from .faults.injector import Injector
from .faults.moments import State
from .faults.script import (
    Close,
    Fault,
    HalfOpen,
    MalformedJson,
    NoPongs,
    Oversized,
    Reset,
    Send,
    SlowPongs,
    UnknownEvent,
)
from .faults.stream import FaultyStream, StreamFault
from .message import Message
from .received import LONG_BYTES, Received, excerpt
from .session_log import SessionLog

logger = logging.getLogger(__name__)

_MALFORMED = b'{"type": "response.output_audio.delta", "delta": "AAA'


class Line:
    """What a session sends to its client.

    `send` never waits, so that messages that belong together stay together.

    Args:
        connection: The client's connection.
        faults: The faults of this connection.
        chance: Where the faults' arbitrary bytes come from.
        log: Where messages are logged, if they are.
    """

    def __init__(
        self,
        connection: Connection,
        faults: Sequence[Fault],
        chance: random.Random,
        log: SessionLog | None = None,
    ) -> None:
        self.received = Received()
        """What the client sent, in order."""
        self._connection = connection
        self._chance = chance
        self._log = log
        self._suffer: Callable[[Fault], None] = self._suffer_later
        self._unsuffered: list[Fault] = []
        self._loop = asyncio.get_running_loop()
        self._injector = Injector(faults, self._strike)
        self._stream = FaultyStream(self._forward)
        self._roomy = asyncio.Event()
        self._roomy.set()
        self.finished = False
        """Whether nothing more will be sent."""

    def bind(self, suffer: Callable[[Fault], None]) -> None:
        """Say who suffers the faults that only this wire knows; those that have struck do now."""
        self._suffer = suffer
        unsuffered, self._unsuffered = self._unsuffered, []
        for fault in unsuffered:
            suffer(fault)

    def send(self, *messages: Message) -> None:
        """Send messages, in order."""
        for message in messages:
            # A fault tied to the number of messages may end the line between two of them.
            if self.finished:
                return
            if self._stream.is_plain:
                self._forward(message)
            else:
                self._stream.send(message)

    def send_last(self, message: Message) -> None:
        """Send a message behind which no other follows in this turn of the loop."""
        if self._stream.is_plain and not self.finished:
            self._forward(message, at_once=True)
        else:
            self.send(message)

    def finish(self, code: int, reason: str) -> None:
        """Close the connection behind all that was sent."""
        if not self.finished:
            self.finished = True
            self._stream.finish()
            self._connection.close(code, reason)
            self._roomy.set()

    def drop(self) -> None:
        """End the connection without a close, as a service that crashed does."""
        if not self.finished:
            self.finished = True
            self._stream.stop()
            self._connection.drop()
            self._roomy.set()

    @property
    def has_room(self) -> bool:
        """Whether more speech may follow at once."""
        return self._connection.has_room

    async def room(self) -> None:
        """Wait until little enough is unsent that more speech may follow."""
        if not self._connection.has_room:
            self._roomy.clear()
            await self._roomy.wait()

    def enter(self, state: State) -> None:
        """Tell what the session does from now on; faults go by it."""
        self._injector.enter(state)

    def note(
        self, type: str, body: Mapping[str, Any], *, size_bytes: int, audio_bytes: int = 0
    ) -> None:
        """Keep what the client sent; of a very long message only the beginnings of its strings.

        Args:
            type: What the message is called on its wire.
            body: The message, without its sound.
            size_bytes: Its size on the wire.
            audio_bytes: How much sound it carries.
        """
        if size_bytes - audio_bytes * 4 // 3 > LONG_BYTES:
            body = excerpt(body)
        at_s = self._loop.time()
        self.received.add(type=type, at_s=at_s, body=body, audio_bytes=audio_bytes)
        if self._log is not None:
            self._log.message("in", type, body, size_bytes=size_bytes, audio_bytes=audio_bytes)

    def inject(self, fault: Fault) -> None:
        """Let a fault strike after its delay, from now on."""
        self._injector.arm(fault)

    # The server tells what becomes of the connection.

    def opened(self) -> None:
        self._injector.start()

    def roomy(self) -> None:
        self._roomy.set()

    def closed(self) -> None:
        self.finished = True
        self._roomy.set()
        self._injector.stop()
        self._stream.stop()
        if self._log is not None:
            self._log.close()

    def _forward(self, message: Message, *, at_once: bool = False) -> None:
        if self._log is not None:
            self._log.message(
                "out",
                message.type,
                message.body,
                size_bytes=len(message.data),
                audio_bytes=message.audio_bytes,
            )
        self._connection.send(message, at_once=at_once)
        self._injector.sent()

    def _strike(self, fault: Fault) -> None:
        if self.finished:
            return
        logger.info("the fault %r strikes", fault)
        match fault:
            case Reset():
                self.finished = True
                self._connection.reset()
            case HalfOpen():
                self._connection.go_dead()
            case Close(code=code, reason=reason):
                self.finish(code, reason)
            case SlowPongs(ms=ms):
                self._connection.delay_pongs(ms / 1000)
            case NoPongs():
                self._connection.delay_pongs(None)
            case MalformedJson() | UnknownEvent() | Oversized() | Send():
                self.send(self._foreign(fault))
            case _ if isinstance(fault, StreamFault):
                self._stream.add(fault)
            case _ if fault.marks:
                self._suffer(fault)
            case _:
                # A message or a change of state may be its point, and a session in the middle of
                # telling it cannot be cut off there.
                self._loop.call_soon(self._suffer_now, fault)

    def _suffer_now(self, fault: Fault) -> None:
        if not self.finished:
            self._suffer(fault)

    def _suffer_later(self, fault: Fault) -> None:
        self._unsuffered.append(fault)

    def _foreign(self, fault: MalformedJson | UnknownEvent | Oversized | Send) -> Message:
        """A message that the session did not make."""
        match fault:
            case MalformedJson():
                cut = self._chance.randrange(1, len(_MALFORMED))
                return Message(type="text", data=_MALFORMED[:cut])
            case UnknownEvent():
                body = {"type": "x_unknown.event", "xUnknown": {"n": self._chance.random()}}
            case Oversized(bytes=size):
                body = {"type": "x_oversized.event", "xOversized": ""}
                body["xOversized"] = "x" * max(0, size - len(orjson.dumps(body)))
            case Send(message=str(text)):
                return Message(type="text", data=text.encode())
            case Send(message=body):
                pass
        return Message(type=str(body.get("type", "sent")), data=orjson.dumps(body), body=body)
