"""What waits to be sent on one connection, in which order it goes, and what is dropped.

- Control messages (text, tool results, requests) keep their order, go before waiting audio, and
  are never dropped. When too many wait, the peer serves no more.
- What marks a place in the audio, such as the end of a turn, takes the audio before it along.
- Of audio, wherever it stands, no more waits than `_MOST_AUDIO_MS`, in at most
  `_MOST_AUDIO_MESSAGES`: the oldest is dropped, and counted.
"""

import asyncio
from collections import deque

# Audio that waits longer than this belongs to the past.
_MOST_AUDIO_MS = 10_000.0
# Pieces of 1 ms are as small as anybody's.
_MOST_AUDIO_MESSAGES = 10_000
# A peer that leaves so many control messages unread does not serve any more.
_MOST_CONTROL = 4096

# A message, and how much audio is in it; None for control.
_Waiting = tuple[bytes, float | None]


class SendQueueFull(Exception):
    """The peer has stopped reading."""


class SendQueue:
    """Two lanes: control with the audio that goes before it, and other audio."""

    def __init__(self) -> None:
        self._first: deque[_Waiting] = deque()
        self._audio: deque[_Waiting] = deque()
        self._control_count = 0
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

    @property
    def starving(self) -> bool:
        """Whether nothing waits, and whoever sends waits for something."""
        return self._waiter is not None and not self._waiter.done()

    def __len__(self) -> int:
        return len(self._first) + len(self._audio)

    def put_audio(self, message: bytes, duration_ms: float) -> None:
        self._audio.append((message, duration_ms))
        self._audio_ms += duration_ms
        while self._audio_count > 1 and (
            self._audio_ms > _MOST_AUDIO_MS or self._audio_count > _MOST_AUDIO_MESSAGES
        ):
            self._dropped_audio_ms += self._drop_oldest_audio()
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
        if self._control_count + len(messages) > _MOST_CONTROL:
            raise SendQueueFull
        if after_audio:
            self._first += self._audio
            self._audio.clear()
        self._first += [(message, None) for message in messages]
        self._control_count += len(messages)
        self._wake()

    async def get(self) -> bytes:
        """Wait for the next message to send."""
        while not self._first and not self._audio:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        message, duration_ms = (self._first or self._audio).popleft()
        if duration_ms is None:
            self._control_count -= 1
        else:
            self._audio_went(duration_ms)
        return message

    @property
    def _audio_count(self) -> int:
        return len(self) - self._control_count

    def _drop_oldest_audio(self) -> float:
        for index, (_, duration_ms) in enumerate(self._first):
            if duration_ms is not None:
                del self._first[index]
                break
        else:
            _, duration_ms = self._audio.popleft()
        assert duration_ms is not None
        self._audio_went(duration_ms)
        return duration_ms

    def _audio_went(self, duration_ms: float) -> None:
        # Sums of fractions would not come back to nothing.
        self._audio_ms = self._audio_ms - duration_ms if self._audio_count else 0.0

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


__all__ = ["SendQueue", "SendQueueFull"]
