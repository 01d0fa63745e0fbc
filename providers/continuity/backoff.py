"""When to try to connect again, and when to give up."""

import random

from crossfade.providers.continuity.settings import Continuity


class Backoff:
    """The attempts of one session, until it has served long enough to be well.

    The first attempt is made at once. Before each later one a random time is waited, up to a
    limit that doubles with every attempt, so that many calls do not come back at one moment.

    Args:
        settings: How many attempts, and how long they wait.
        randomness: Where the times come from.
    """

    def __init__(self, settings: Continuity, randomness: random.Random) -> None:
        self._settings = settings
        self._random = randomness
        self._attempts = 0
        self._serving_since_s: float | None = None

    def serving(self, now_s: float) -> None:
        """Note that a connection serves from now on."""
        self._serving_since_s = now_s

    def lost(self, now_s: float) -> float | None:
        """Note that it is lost; give how long to wait for the next attempt, or None to give up."""
        since_s, self._serving_since_s = self._serving_since_s, None
        if since_s is not None and now_s - since_s >= self._settings.healthy_s:
            self._attempts = 0
        return self._next_delay()

    def failed(self, now_s: float) -> float | None:
        """Note that an attempt failed; give how long to wait for the next, or None to give up."""
        self._serving_since_s = None
        return self._next_delay()

    def renewed(self) -> None:
        """Count anew: it is another provider that is tried."""
        self._attempts = 0

    def _next_delay(self) -> float | None:
        made = self._attempts
        if made >= self._settings.attempts:
            return None
        self._attempts += 1
        if made == 0:
            return 0.0
        longest_s = self._settings.longest_delay_s
        # Beyond so many doublings a float would overflow.
        limit_s = min(longest_s, self._settings.first_delay_s * 2.0 ** min(made - 1, 64))
        return self._random.uniform(0.0, limit_s)


__all__ = ["Backoff"]
