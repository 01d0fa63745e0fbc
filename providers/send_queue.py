"""What waits to be sent on one connection, and in which order it goes.

Control messages (text, tool results, requests) go before waiting audio and are never dropped.
What marks a place in the audio, such as the end of a turn, takes the audio before it along.
"""

import asyncio
from collections import deque

# Audio that waits longer than this belongs to the past: the oldest is dropped.
_MOST_AUDIO_MS = 10_000.0
# A peer that leaves so many control messages unread does not serve any more.
_MOST_CONTROL = 4096


class SendQueueFull(Exception):
    """The peer has stopped reading."""


class SendQueue:
    """Two lanes: control, and audio whose oldest is dropped when it waits too long."""

    def __init__(self) -> None:
        self._control: deque[bytes] = deque()
        self._audio: deque[tuple[bytes, float]] = deque()
        self._audio_ms = 0.0
        self._dropped_audio_ms = 0.0
        # One reader waits at a time; an Event would cost a third more.
        self._waiter: asyncio.Future[None] | None = None

    @property
    def dropped_audio_ms(self) -> float:
        return self._dropped_audio_ms

    @property
    def waiting_audio_ms(self) -> float:
        return self._audio_ms

    def __len__(self) -> int:
        return len(self._control) + len(self._audio)

    def put_audio(self, message: bytes, duration_ms: float) -> None:
        self._audio.append((message, duration_ms))
        self._audio_ms += duration_ms
        while self._audio_ms > _MOST_AUDIO_MS and len(self._audio) > 1:
            _, dropped_ms = self._audio.popleft()
            self._audio_ms -= dropped_ms
            self._dropped_audio_ms += dropped_ms
        self._wake()

    def put_control(self, messages: list[bytes], *, after_audio: bool = False) -> None:
        """Add control messages.

        Args:
            messages: They stay together and in order.
            after_audio: Whether they mark a place in the audio.

        Raises:
            SendQueueFull: Too many wait already.
        """
        if not messages:
            return
        if len(self._control) + len(messages) > _MOST_CONTROL:
            raise SendQueueFull
        if after_audio:
            self._control.extend(message for message, _ in self._audio)
            self._audio.clear()
            self._audio_ms = 0.0
        self._control.extend(messages)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> bytes:
        """Wait for the next message to send."""
        while not self._control and not self._audio:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._control:
            return self._control.popleft()
        message, duration_ms = self._audio.popleft()
        self._audio_ms -= duration_ms
        return message


__all__ = ["SendQueue", "SendQueueFull"]
