"""Intervals and tests for figures of calls, by resampling whole calls. Pure, seeded, numpy only.

Turns of one call are not independent of each other, calls are: so whole calls are drawn and dealt.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]
"""(…, calls, 2) → (…): a figure of each sample of calls, each of which has two numbers."""

CONFIDENCE = 0.95
DRAWS = 4000
SEED = 8
_MOST_AT_ONCE = 2_000_000
"""Numbers in memory at a time."""


def ratio(calls: Array) -> Array:
    """All of the first numbers over all of the second ones, such as dollars over minutes."""
    over = calls[..., 1].sum(axis=-1)
    told: Array = np.divide(
        calls[..., 0].sum(axis=-1), over, out=np.full_like(over, np.nan), where=over > 0
    )
    return told


def median(calls: Array) -> Array:
    """The median of the first numbers; the second ones are nothing."""
    told: Array = np.median(calls[..., 0], axis=-1)
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where the true figure lies with a confidence of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much a figure is higher in one sample of calls than in another."""

    absolute: float
    interval: Interval
    p: float
    """How often as large a difference comes about where there is none."""


def bootstrap(calls: Array, statistic: Statistic, *, seed: int = SEED) -> Interval:
    """The interval of a figure: calls are drawn anew, with repetition.

    Args:
        calls: (calls, 2).
        statistic: The figure.
        seed: Of the draws.
    """
    return _interval(_drawn(calls, statistic, np.random.default_rng(seed)))


def difference(base: Array, other: Array, statistic: Statistic, *, seed: int = SEED) -> Difference:
    """How much higher a figure is in `other` than in `base`.

    The interval is the bootstrap's. The test deals the calls anew to both sides, so it finds
    nothing too often where both are alike, whatever the figures' distribution.

    Args:
        base: (calls, 2).
        other: (calls, 2).
        statistic: The figure.
        seed: Of the draws.
    """
    chance = np.random.default_rng(seed)
    found = float(statistic(other) - statistic(base))
    drawn = _drawn(other, statistic, chance) - _drawn(base, statistic, chance)
    both = np.concatenate([base, other])
    as_large = 0
    for size in _batches(len(both)):
        dealt = both[chance.permuted(np.tile(np.arange(len(both)), (size, 1)), axis=1)]
        there = statistic(dealt[:, len(base) :]) - statistic(dealt[:, : len(base)])
        # What rounding alone tells apart is as large.
        as_large += int(np.sum(~(np.abs(there) < abs(found) * (1 - 1e-9))))
    return Difference(absolute=found, interval=_interval(drawn), p=(as_large + 1) / (DRAWS + 1))


def wilson(successes: float, of: float) -> Interval:
    """The interval of a share, which stays between 0 and 1 also for few of them.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927).
    """
    z = 1.959964
    share = successes / of
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    middle, scale = share + z * z / (2 * of), 1 + z * z / of
    return Interval(
        low=max(0.0, (middle - spread) / scale), high=min(1.0, (middle + spread) / scale)
    )


def holm(ps: Sequence[float]) -> list[float]:
    """p values of several tests, so that one in twenty reports is wrong, not one in twenty tests.

    S. Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    corrected = [0.0] * len(ps)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(ps)), key=lambda each: ps[each])):
        highest = max(highest, min(1.0, ps[index] * (len(ps) - rank)))
        corrected[index] = highest
    return corrected


def _drawn(calls: Array, statistic: Statistic, chance: np.random.Generator) -> Array:
    figures = [
        statistic(calls[chance.integers(0, len(calls), (size, len(calls)))])
        for size in _batches(len(calls))
    ]
    return np.concatenate(figures)


def _batches(calls: int) -> list[int]:
    """The draws in as many as memory takes at once."""
    size = max(1, min(DRAWS, _MOST_AT_ONCE // calls))
    full, rest = divmod(DRAWS, size)
    return [size] * full + ([rest] if rest else [])


def _interval(figures: Array) -> Interval:
    tail = 50 * (1 - CONFIDENCE)
    known = figures[~np.isnan(figures)]
    if not len(known):
        return Interval(low=math.nan, high=math.nan)
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(low=float(low), high=float(high))


__all__ = [
    "CONFIDENCE",
    "Array",
    "Difference",
    "Interval",
    "Statistic",
    "bootstrap",
    "difference",
    "holm",
    "median",
    "ratio",
    "wilson",
]
