"""Which provider of the route is tried next, and when."""

import random

from crossfade.errors import ConnectionLost, CredentialsRefused
from crossfade.providers.continuity.backoff import Backoff
from crossfade.providers.continuity.breaker import Breaker
from crossfade.providers.continuity.causes import is_fatal
from crossfade.providers.continuity.settings import Continuity


class Attempts:
    """The attempts of one session, whose providers are known by their places in the route.

    Args:
        settings: How many may fail, and how long they wait.
        legs: How many providers there are.
        randomness: Where the waits come from.
    """

    def __init__(self, settings: Continuity, legs: int, randomness: random.Random) -> None:
        self.cause: Exception = ConnectionLost("No connection serves.")
        """Why the latest one failed, or the connection before it died."""
        self._settings = settings
        self._breakers = [Breaker(cool_s=settings.return_after_s) for _ in range(legs)]
        self._backoff = Backoff(settings, randomness)
        self._place = 0
        self._refused: set[int] = set()
        self._tried: set[int] = set()
        self._delay_s: float | None = 0.0
        self._well = False
        # No other connection is tried beside the one that serves before then.
        self._retry_s = 0.0

    def serves(self, place: int, now_s: float) -> None:
        """Note that a provider serves from now on."""
        self._place = place
        self._backoff.serving(now_s)
        self._tried.clear()
        self._well = False

    def well_at_s(self, opened_s: float) -> float | None:
        """When the provider that serves has done so for long enough to be well; None if it is."""
        return None if self._well else opened_s + self._settings.healthy_s

    def well(self, now_s: float) -> None:
        """Note that it is."""
        self._well = True
        self._breakers[self._place].succeeded(now_s)
        self._refused.discard(self._place)

    def lost(self, error: Exception, now_s: float) -> None:
        """Note that the connection that serves died."""
        self.cause = error
        if not self._well or is_fatal(error):
            self.refused(self._place, error, now_s)
        self._delay_s = self._backoff.lost(now_s)

    def left(self) -> None:
        """Note that the connection that serves is given up in time: the next is due at once."""
        self._delay_s = 0.0

    def refused(self, place: int, error: Exception, now_s: float) -> None:
        """Note that a provider does not serve."""
        self.cause = error
        fatal = is_fatal(error)
        self._breakers[place].failed(now_s, fatal=fatal)
        if fatal:
            self._refused.add(place)

    def failed(self, place: int, error: Exception, now_s: float, *, resumed: bool) -> None:
        """Note that an attempt failed; `resumed` says that it was to take a session up."""
        self._tried.add(place)
        self._retry_s = now_s + self._settings.longest_delay_s
        # A handle that is not taken says nothing of the provider.
        if resumed and not isinstance(error, CredentialsRefused):
            self.cause = error
        else:
            self.refused(place, error, now_s)

    def count(self, now_s: float) -> None:
        """Note that the attempt that failed was needed: nothing serves."""
        self._delay_s = self._backoff.failed(now_s)

    def next(self, now_s: float) -> tuple[int, float] | None:
        """Give the place to try, and after how long; None if no further attempt is worth it."""
        place = self._choose(now_s)
        if place is not None and place != self._place and place not in self._tried:
            self._backoff.renewed()
            self._delay_s = 0.0
        return None if place is None or self._delay_s is None else (place, self._delay_s)

    def beside_at_s(self) -> float:
        """When another connection may be tried beside the one that serves."""
        return self._retry_s

    def return_at_s(self) -> float | None:
        """When a provider earlier in the route may be well again; None if none is earlier."""
        times = [self._breakers[place].allowed_at_s or 0.0 for place in range(self._place)]
        return max(min(times), self._retry_s) if times else None

    def place_to_return(self, now_s: float) -> int | None:
        """The first such provider that may be tried now."""
        if now_s < self._retry_s:
            return None
        places = range(self._place)
        return next((place for place in places if self._breakers[place].allows(now_s)), None)

    def _choose(self, now_s: float) -> int | None:
        """The last one, else the first that may be well, else the first that never refused."""
        others = (place for place in range(len(self._breakers)) if place != self._place)
        order = [self._place, *others]
        allowed = [place for place in order if self._breakers[place].allows(now_s)]
        hopeful = [place for place in order if place not in self._refused]
        return next(iter(allowed or hopeful), None)


__all__ = ["Attempts"]
