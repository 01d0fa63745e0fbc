"""Which node serves when another cannot. Pure: no clock."""

from collections.abc import Sequence

from crossfade.providers.continuity.breaker import Breaker


class NodeRoute:
    """Nodes in the order in which they are preferred. One that fails is left alone for a while,
    each time longer.

    Args:
        names: The nodes; none means that nobody takes over.
        return_after_s: So long a node that failed is left alone the first time.
        healthy_s: One that has served for so long was well.
    """

    def __init__(
        self, names: Sequence[str], *, return_after_s: float, healthy_s: float = 30.0
    ) -> None:
        self._names = tuple(names)
        self._healthy_s = healthy_s
        self._breakers = {name: Breaker(failures=1, cool_s=return_after_s) for name in names}

    def failed(self, name: str, now_s: float, *, served_s: float = 0.0) -> None:
        """Note that a node did not come up, or was lost after it had served for so long."""
        if (breaker := self._breakers.get(name)) is not None:
            if served_s >= self._healthy_s:
                breaker.succeeded(now_s)
            breaker.failed(now_s)

    def candidates(self, lost: str, now_s: float) -> list[str]:
        """Who may take over from a node that is lost: first those behind it, then those before;
        of these the ones that failed lately last."""
        if lost not in self._breakers:
            others = list(self._names)
        else:
            at = self._names.index(lost)
            others = [*self._names[at + 1 :], *self._names[:at]]
        return sorted(others, key=lambda name: not self._breakers[name].allows(now_s))

    def preferred(self, serving: str, now_s: float) -> tuple[str, float] | None:
        """The best node before the one that serves, and when it may be tried."""
        if serving not in self._breakers:
            return None
        earlier = self._names[: self._names.index(serving)]
        times = [(max(self._breakers[n].allowed_at_s or now_s, now_s), n) for n in earlier]
        if not times:
            return None
        # Python's min keeps the first of equals: the one that is preferred.
        at_s, name = min(times, key=lambda each: each[0])
        return name, at_s


__all__ = ["NodeRoute"]
