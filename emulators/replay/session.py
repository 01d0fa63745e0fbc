"""One client against a recording."""

import asyncio
import logging
from collections import deque
from typing import Any

import orjson

from ..faults.script import Fault
from ..line import Line
from ..message import Message, json_message
from ..received import Received
from ..tasks import OwnedTasks
from .comparison import Names, difference, is_audio, type_of
from .recording import Closing, Recording, Step

logger = logging.getLogger(__name__)

_MISMATCH = 1008
_INTERNAL_ERROR = 1011
_REASON_BYTES = 123
# Messages of the client that wait for their turn, sound not counted.
_WAITING = 1000
_WAITING_BYTES = 32 * 1024 * 1024


class Session:
    """Plays the service's side of a recording and checks the client's.

    Args:
        line: Where it sends.
        id: What logs call it.
        recording: The recording.
        binary: Whether JSON goes in binary messages.
        speed: Times faster than recorded, where the recording has times.
    """

    def __init__(
        self, line: Line, *, id: str, recording: Recording, binary: bool, speed: float
    ) -> None:
        self.line = line
        self.id = id
        self.failure: BaseException | None = None
        """The error of the emulator itself that ended the session, if one did."""
        self.mismatch: str | None = None
        """What the client did otherwise than recorded."""
        self._recording = recording
        self._binary = binary
        self._speed = speed
        self._names = Names()
        self._waiting: deque[Any] = deque()
        self._waiting_bytes = 0
        self._came = asyncio.Event()
        self._played = 0
        self._tasks = OwnedTasks(self._fail)

    @property
    def kept_bytes(self) -> int:
        return self.received.size_bytes

    @property
    def received(self) -> Received:
        """What the client sent, in order."""
        return self.line.received

    def assert_complete(self) -> None:
        """Check that the client did all that was recorded.

        Raises:
            AssertionError: It did something else, or left before the end.
        """
        assert self.mismatch is None, f"session {self.id}: {self.mismatch}"
        left = [step for step in self._recording[self._played :] if step.sent]
        assert not left, (
            f"session {self.id} ended at step {self._played + 1}; "
            f"the client still had to send {type_of(left[0].data)}"
        )

    def start(self) -> None:
        self._tasks.start(self._play())

    async def close(self) -> None:
        await self._tasks.cancel()

    def receive(self, message: str | bytes) -> None:
        data = _decoded(message)
        audio_bytes = len(message) if is_audio(data) else 0
        body = data if isinstance(data, dict) and not audio_bytes else {}
        self.line.note(type_of(data), body, size_bytes=len(message), audio_bytes=audio_bytes)
        # Of sound that waits one piece says all.
        if audio_bytes and self._waiting and is_audio(self._waiting[-1]):
            return
        self._waiting_bytes += len(message)
        if len(self._waiting) == _WAITING or self._waiting_bytes > _WAITING_BYTES:
            self._refuse(f"{len(self._waiting)} messages came before their turn")
            return
        self._waiting.append(data)
        self._came.set()

    def suffer(self, fault: Fault) -> None:
        """None comes: a recording has no faults of its own."""

    async def _play(self) -> None:
        before: Step | None = None
        for step in self._recording:
            if self.line.finished:
                return
            if not step.sent:
                await self._wait(before, step)
                self._send(step)
            elif not (before is not None and before.sent and is_both(before, step)):
                await self._expect(step)
            before = step
            self._played += 1
        while not self.line.finished:
            message = await self._next()
            if not is_audio(message):
                self._refuse(f"it sent {type_of(message)} after the end of the recording")

    async def _wait(self, before: Step | None, step: Step) -> None:
        """As long as the service took, where that was recorded."""
        began_ms = 0.0 if before is None else before.at_ms
        if step.at_ms is not None and began_ms is not None:
            await asyncio.sleep(max(0.0, step.at_ms - began_ms) / 1000 / self._speed)

    def _send(self, step: Step) -> None:
        match step.data:
            case Closing(code=1006):
                self.line.drop()
            case Closing(code=code, reason=reason):
                self.line.finish(code, reason)
            case str(text):
                self.line.send(Message(type="text", data=text.encode()))
            case bytes(data):
                self.line.send(Message(type=type_of(data), data=data, binary=True))
            case body:
                named = self._names.of(body)
                self.line.send(json_message(type_of(body), named, binary=self._binary))

    async def _expect(self, step: Step) -> None:
        """Wait for the client's next message, sound passed over unless it is what was sent."""
        message = await self._next()
        while is_audio(message) and not is_audio(step.data):
            message = await self._next()
        found = difference(step.data, message, self._names)
        if found is not None:
            self._refuse(f"step {self._played + 1}: {found}")

    async def _next(self) -> Any:
        while not self._waiting:
            self._came.clear()
            await self._came.wait()
        message = self._waiting.popleft()
        if not self._waiting:
            self._waiting_bytes = 0
        return message

    def _refuse(self, reason: str) -> None:
        logger.warning("session %s: %s", self.id, reason)
        if self.mismatch is None:
            self.mismatch = reason
        self.line.finish(_MISMATCH, reason.encode()[:_REASON_BYTES].decode(errors="ignore"))

    def _fail(self, error: BaseException) -> None:
        """The emulator itself is at fault: the session ends, the server goes on."""
        logger.error("session %s failed", self.id, exc_info=error)
        if self.failure is None:
            self.failure = error
        self.line.finish(_INTERNAL_ERROR, "server error")


def is_both(one: Step, other: Step) -> bool:
    """Whether two steps are of one run of sound."""
    return is_audio(one.data) and is_audio(other.data)


def _decoded(message: str | bytes) -> Any:
    """A JSON object where it is one."""
    try:
        data = orjson.loads(message)
    except orjson.JSONDecodeError:
        return message
    return data if isinstance(data, dict) else message
