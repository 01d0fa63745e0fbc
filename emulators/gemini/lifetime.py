"""How long a connection lasts, and how its end is announced."""

import asyncio
from collections.abc import Callable

from .closes import ABORTED, DEADLINE, INVALID_ARGUMENT, Close
from .outbox import Outbox
from .timing import Timing


def duration(seconds: float) -> str:
    """Protobuf's Duration in JSON: `50s`, `9.5s`."""
    return f"{round(seconds, 3):g}s"


class Lifetime:
    """Ends one connection in its time.

    Args:
        timing: The limits.
        outbox: Where goAway goes.
        end: Called with how the connection is to be closed.
    """

    def __init__(self, timing: Timing, outbox: Outbox, end: Callable[[Close], None]) -> None:
        self._timing = timing
        self._outbox = outbox
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        self._session: asyncio.TimerHandle | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._heard_s = self._began_s

    @property
    def age_s(self) -> float:
        """How long the connection has lasted."""
        return self._loop.time() - self._began_s

    def start(self) -> None:
        """The connection is open."""
        self._after(self._timing.connection_seconds, self._end, DEADLINE)
        if self._timing.idle_seconds is not None:
            self._watch(self._timing.idle_seconds)

    def set_up(self) -> None:
        """The session is set up: its client may be told things."""
        left_s = self._timing.connection_seconds - self.age_s
        notice_s = min(self._timing.go_away_ms / 1000, left_s)
        self._after(left_s - notice_s, self.announce, notice_s)

    def announce(self, left_s: float) -> None:
        """Say that the connection ends."""
        self._outbox.send({"goAway": {"timeLeft": duration(left_s)}})

    def go_away(self, left_s: float) -> None:
        """Say that the connection ends, and end it then."""
        self.announce(left_s)
        self._after(left_s, self._end, DEADLINE)

    def end_at(self, seconds: float) -> None:
        """End the connection after so long: what the client came with expires."""
        self._after(max(0.0, seconds), self._end, ABORTED)

    def limit_session(self, age_s: float, *, video: bool) -> None:
        """End the connection when its session is as old as it may become.

        Args:
            age_s: How old the session was when this connection began.
            video: It has seen video.
        """
        timing = self._timing
        limit_s = timing.session_seconds
        if video:
            limit_s = min(limit_s, timing.video_session_seconds)
        if self._session is not None:
            self._session.cancel()
        at_s = self._began_s + max(0.0, limit_s - age_s)
        self._session = self._loop.call_at(at_s, self._end, INVALID_ARGUMENT)

    def heard(self) -> None:
        """The client sent something."""
        self._heard_s = self._loop.time()

    def stop(self) -> None:
        """The connection is gone."""
        for timer in (*self._timers, self._session, self._idle):
            if timer is not None:
                timer.cancel()

    def _after(self, seconds: float, call: Callable[..., None], argument: float | Close) -> None:
        self._timers.append(self._loop.call_later(seconds, call, argument))

    def _watch(self, limit_s: float) -> None:
        """Cut off a client that has been silent; look again when it could have been."""
        left_s = self._heard_s + limit_s - self._loop.time()
        if left_s <= 0:
            self._end(ABORTED)
        else:
            self._idle = self._loop.call_later(left_s, self._watch, limit_s)
