"""How much one client may have of a server. Pure, but for its clock."""

import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

_MINUTE_S = 60.0
_MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one client, which is an address."""

    calls: int = 20
    """At once."""
    beginnings_a_minute: int = 60
    """New calls, and requests for tickets, each for itself."""


UNLIMITED = Limits(calls=10**9, beginnings_a_minute=10**9)


class ClientLimits:
    """Counts what clients have and ask for.

    Args:
        limits: Of each client.
        clock: In seconds; all that is asked for is counted by it, and forgotten.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._calls: dict[str, int] = defaultdict(int)
        self._asked: dict[tuple[str, str], deque[float]] = {}

    def asks(self, client: str, what: str) -> bool:
        """Whether a client may have one more of something this minute; counted if so.

        Args:
            client: Its address.
            what: A name for what it asks for.
        """
        now_s = self._clock()
        asked = self._asked.setdefault((client, what), deque())
        while asked and asked[0] <= now_s - _MINUTE_S:
            asked.popleft()
        if len(asked) >= self._limits.beginnings_a_minute:
            return False
        asked.append(now_s)
        if len(self._asked) > _MOST_CLIENTS:
            self._forget(now_s)
        return True

    def takes(self, client: str, *, elsewhere: int = 0) -> bool:
        """Whether a client may have one more call; counted if so, until `leaves`.

        Args:
            client: Its address.
            elsewhere: How many it has at other workers.
        """
        if self._calls[client] + elsewhere >= self._limits.calls:
            return False
        self._calls[client] += 1
        return True

    def leaves(self, client: str) -> None:
        """A call of the client is over."""
        self._calls[client] -= 1
        if self._calls[client] <= 0:
            del self._calls[client]

    def _forget(self, now_s: float) -> None:
        """Let go of those who have not asked for a minute, and down to a half of who asked least,
        the oldest first: whoever is at the limit stays there, whatever others ask for."""
        asked = {who: times for who, times in self._asked.items() if times[-1] > now_s - _MINUTE_S}
        over = max(0, len(asked) - _MOST_CLIENTS // 2)
        by_count = sorted(asked.items(), key=lambda each: len(each[1]))
        self._asked = dict(by_count[over:])


__all__ = ["UNLIMITED", "ClientLimits", "Limits"]
