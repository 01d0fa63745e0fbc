"""The arms of a route side by side: what their calls came to, and which differences are found."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from .arm_statistics import (
    Array,
    Difference,
    Interval,
    Statistic,
    bootstrap,
    difference,
    holm,
    median,
    ratio,
    wilson,
)

ERROR_RATE = 0.05
"""So often a report finds a difference where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFigures:
    """What one call came to, as far as arms are judged by it."""

    arm: str
    duration_s: float
    user_turns: int
    voice_to_voice_ms: float | None
    """Its median; None if nothing was answered."""
    interruptions: int
    tool_calls: int
    tools_answered: int
    """Those that ended with a result."""
    usd: float | None
    """None if something of it has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure that arms are judged by."""

    name: str
    unit: str
    statistic: Statistic
    share: bool = False
    """It is one of some things out of all of them."""

    def of(self, call: CallFigures) -> tuple[float, float] | None:
        """The two numbers of a call; None if it has none."""
        match self.name:
            case "voice to voice":
                return None if call.voice_to_voice_ms is None else (call.voice_to_voice_ms, 1.0)
            case "interruptions":
                return (call.interruptions, call.user_turns) if call.user_turns else None
            case "tool success":
                return (call.tools_answered, call.tool_calls) if call.tool_calls else None
        minutes = call.duration_s / 60
        return None if call.usd is None or minutes <= 0 else (call.usd, minutes)


METRICS = (
    Metric(name="voice to voice", unit="ms", statistic=median),
    Metric(name="interruptions", unit="a turn", statistic=ratio),
    Metric(name="tool success", unit="%", statistic=ratio, share=True),
    Metric(name="cost", unit="$ a minute", statistic=ratio),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A metric of one arm."""

    calls: int
    """That have it."""
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric of an arm beside the base's."""

    metric: Metric
    arm: str
    base: str
    base_value: float
    difference: Difference
    p: float
    """Corrected for the number of comparisons."""

    @property
    def found(self) -> bool:
        return self.p < ERROR_RATE

    @property
    def percent(self) -> float | None:
        """The difference in percent of the base's figure; None if that is 0."""
        return 100 * self.difference.absolute / self.base_value if self.base_value else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmReport:
    """Arms side by side."""

    calls: Mapping[str, int]
    """Arm → how many; the base comes first."""
    figures: Mapping[str, Mapping[str, Figure]]
    """Metric → arm → what it came to; without what no call of the arm has."""
    comparisons: Sequence[Comparison]

    @property
    def base(self) -> str:
        return next(iter(self.calls))


def compare_arms(calls: Iterable[CallFigures], *, base: str | None = None) -> ArmReport:
    """Put arms side by side, each beside the base.

    Args:
        calls: At least one.
        base: The arm that the others are compared with; None is the first by name.

    Raises:
        ValueError: There is no call, or none of the base.
    """
    ordered = sorted(calls, key=lambda call: (call.arm != base, call.arm))
    arms = {arm: list(found) for arm, found in groupby(ordered, key=lambda call: call.arm)}
    if not arms or (base is not None and base not in arms):
        raise ValueError(f"there is no call of {base or 'any arm'}")
    figures: dict[str, dict[str, Figure]] = {}
    found: list[tuple[Metric, str, float, Difference]] = []
    first = next(iter(arms))
    for metric in METRICS:
        samples = {arm: _sample(metric, calls) for arm, calls in arms.items()}
        told = {arm: _figure(metric, sample) for arm, sample in samples.items() if len(sample)}
        figures[metric.name] = told
        for arm in told:
            if arm != first and first in told:
                apart = difference(samples[first], samples[arm], metric.statistic)
                found.append((metric, arm, told[first].value, apart))
    corrected = holm([apart.p for *_, apart in found])
    return ArmReport(
        calls={arm: len(calls) for arm, calls in arms.items()},
        figures=figures,
        comparisons=[
            Comparison(metric=metric, arm=arm, base=first, base_value=value, difference=apart, p=p)
            for (metric, arm, value, apart), p in zip(found, corrected, strict=True)
        ],
    )


def _sample(metric: Metric, calls: Iterable[CallFigures]) -> Array:
    pairs = [pair for call in calls if (pair := metric.of(call)) is not None]
    return np.array(pairs, dtype=np.float64).reshape(-1, 2)


def _figure(metric: Metric, sample: Array) -> Figure:
    if metric.share:
        interval = wilson(float(sample[:, 0].sum()), float(sample[:, 1].sum()))
    else:
        interval = bootstrap(sample, metric.statistic)
    value = float(metric.statistic(sample))
    return Figure(calls=len(sample), value=value, interval=interval)


__all__ = [
    "ERROR_RATE",
    "METRICS",
    "ArmReport",
    "CallFigures",
    "Comparison",
    "Figure",
    "Metric",
    "compare_arms",
]
