"""Whether a provider is worth an attempt."""

from enum import Enum


class BreakerState(Enum):
    CLOSED = "it is tried"
    OPEN = "it is left alone"
    HALF_OPEN = "it is tried once more"


class _Outcome(Enum):
    SUCCESS = "success"
    FAILURE = "failure"
    LAST_FAILURE = "one failure too many"
    FATAL = "a cause that does not pass by itself"


_NEXT = {
    (BreakerState.CLOSED, _Outcome.SUCCESS): BreakerState.CLOSED,
    (BreakerState.CLOSED, _Outcome.FAILURE): BreakerState.CLOSED,
    (BreakerState.CLOSED, _Outcome.LAST_FAILURE): BreakerState.OPEN,
    (BreakerState.CLOSED, _Outcome.FATAL): BreakerState.OPEN,
    # Who was tried nevertheless, for want of another, is left alone for longer.
    (BreakerState.OPEN, _Outcome.SUCCESS): BreakerState.CLOSED,
    (BreakerState.OPEN, _Outcome.FAILURE): BreakerState.OPEN,
    (BreakerState.OPEN, _Outcome.LAST_FAILURE): BreakerState.OPEN,
    (BreakerState.OPEN, _Outcome.FATAL): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Outcome.SUCCESS): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Outcome.FAILURE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Outcome.LAST_FAILURE): BreakerState.OPEN,
    (BreakerState.HALF_OPEN, _Outcome.FATAL): BreakerState.OPEN,
}


class Breaker:
    """One provider of a route. After some failures in a row it is left alone, each time longer.

    Args:
        failures: So many in a row open it.
        cool_s: So long it is left alone the first time; twice as long each time after that.
        longest_s: Never longer than that.
        fatal_s: So long it is left alone for a cause that does not pass by itself: the key, the
            quota, the model.
    """

    def __init__(
        self,
        *,
        failures: int = 3,
        cool_s: float = 60.0,
        longest_s: float = 900.0,
        fatal_s: float = 3600.0,
    ) -> None:
        self._most_failures = failures
        self._first_cool_s = self._cool_s = cool_s
        self._longest_s = longest_s
        self._fatal_s = fatal_s
        self._failures = 0
        self._open = False
        self._until_s = 0.0

    def state(self, now_s: float) -> BreakerState:
        if not self._open:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now_s < self._until_s else BreakerState.HALF_OPEN

    def allows(self, now_s: float) -> bool:
        """Whether an attempt may be made now."""
        return self.state(now_s) is not BreakerState.OPEN

    @property
    def allowed_at_s(self) -> float | None:
        """When an attempt may be made again; None if one may be made at any time."""
        return self._until_s if self._open else None

    def failed(self, now_s: float, *, fatal: bool = False) -> None:
        """Note that an attempt failed, or that its session died young."""
        self._failures += 1
        outcome = _Outcome.FAILURE
        if fatal:
            outcome = _Outcome.FATAL
        elif self._failures >= self._most_failures:
            outcome = _Outcome.LAST_FAILURE
        self._open = _NEXT[self.state(now_s), outcome] is BreakerState.OPEN
        if self._open:
            cool_s = self._fatal_s if fatal else self._cool_s
            self._until_s = max(self._until_s, now_s + cool_s)
            self._cool_s = min(self._longest_s, 2.0 * self._cool_s)

    def succeeded(self, now_s: float) -> None:
        """Note that it serves well: not at once, but when a session has lasted for a while."""
        self._open = _NEXT[self.state(now_s), _Outcome.SUCCESS] is BreakerState.OPEN
        self._failures = 0
        self._cool_s = self._first_cool_s


__all__ = ["Breaker", "BreakerState"]
