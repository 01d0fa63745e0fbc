"""Pings and pongs of one connection: the server's own, and how late it answers the client's."""

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Sequence

PONG_S = 20.0
"""A client that has not answered a ping for so long is given up."""
# A client needs no answer but to its newest ping.
_LATE_PONGS = 100
# The first byte of a whole pong.
_PONG_HEAD = b"\x8a"


class Pings:
    """Pings the client, one ping at a time.

    Args:
        interval_s: From one ping to the next, at least `PONG_S`; None sends none.
        send: Sends a ping with this payload.
        give_up: Called when a ping was not answered.
    """

    def __init__(
        self,
        interval_s: float | None,
        send: Callable[[bytes], None],
        give_up: Callable[[], None],
    ) -> None:
        self._interval_s = interval_s
        self._send = send
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._awaited: bytes | None = None

    def start(self) -> None:
        if self._interval_s is not None:
            self._timer = self._loop.call_later(self._interval_s, self._ping)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def answered(self, payload: bytes) -> None:
        """The client has sent a pong; one that was not asked for is nothing."""
        if payload == self._awaited:
            self._awaited = None

    def _ping(self) -> None:
        self._awaited = struct.pack("!d", self._loop.time())
        self._timer = self._loop.call_later(PONG_S, self._check)
        self._send(self._awaited)

    def _check(self) -> None:
        assert self._interval_s is not None, "a ping was sent"
        if self._awaited is not None:
            self._give_up()
            return
        self._timer = self._loop.call_later(max(0.0, self._interval_s - PONG_S), self._ping)


class LatePongs:
    """Holds the answers to a client's pings back; the oldest of very many are lost.

    Args:
        write: Sends a pong, already framed.
    """

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.delay_s: float | None = 0.0
        """How late pings are answered; None is never."""
        self._write = write
        self._held: deque[tuple[asyncio.TimerHandle, bytes]] = deque()

    def stop(self) -> None:
        for timer, _ in self._held:
            timer.cancel()

    def without_pongs(self, frames: Sequence[bytes]) -> list[bytes]:
        """The frames that go out now; held pongs follow when their time has come."""
        for frame in frames:
            if frame[:1] == _PONG_HEAD and self.delay_s is not None:
                self._hold(frame, self.delay_s)
        return [frame for frame in frames if frame[:1] != _PONG_HEAD]

    def _hold(self, pong: bytes, delay_s: float) -> None:
        if len(self._held) == _LATE_PONGS:
            self._held.popleft()[0].cancel()
        timer = asyncio.get_running_loop().call_later(delay_s, self._release)
        self._held.append((timer, pong))

    def _release(self) -> None:
        # Timers of one moment run in any order.
        self._write(self._held.popleft()[1])
