"""From the caller's first sound to the agent's silence, in recordings of calls, and its parts.

Whole calls in real time, where the provider hears the caller; calls in virtual time, where this
machine does; and the framework's own part beside stock pipecat's.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from crossfade.observability.call import RECORDING
from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import run_native
from crossfade.pipelines.settings import NativeSettings
from crossfade.transports.script import AfterSilence, IntoAnswer, Script

from .interruption import GOAL_BUSY_MS, GOAL_IDLE_MS, Silencing, Stale

GOAL_LOCAL_MS = (120.0, 200.0)
"""p50 and p90."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeInResult:
    """What all runs came to; times in ms, one for each run in order.

    None is a run in which the caller did not speak into the answer, as the recording tells.
    """

    to_silence_ms: Sequence[float | None]
    endpoint: str
    local_ms: Sequence[float | None] = ()
    """The same where the turns are found on this machine, one for each prompt."""
    silencing: Sequence[Silencing] = ()
    stale: Sequence[Stale] = ()

    @property
    def ratio(self) -> float | None:
        """How many times as long stock pipecat took as ours, medians with one call."""
        idle = {each.side: each.p50_ms for each in self.silencing if each.calls == 1}
        ours, theirs = idle.get("crossfade"), idle.get("pipecat")
        return round(theirs / ours, 2) if ours and theirs else None

    @property
    def measured_ms(self) -> list[float]:
        return [ms for ms in self.to_silence_ms if ms is not None]

    @property
    def median_ms(self) -> float | None:
        return statistics.median(self.measured_ms) if self.measured_ms else None

    @property
    def worst_ms(self) -> float | None:
        return max(self.measured_ms, default=None)


def barge_in_script() -> Script:
    """A caller who asks for the weather and speaks into the first long sentence of the answer."""
    return Script(
        [
            demo_line("weather_tokyo", AfterSilence(after_s=0.3)),
            demo_line("enough", IntoAnswer(after_s=0.8)),
        ]
    )


def run_once(settings: NativeSettings) -> tuple[float | None, str]:
    """One call: the time to silence in ms, if there was a barge-in, and whom it talked to."""
    said: list[str] = []
    outcome = asyncio.run(
        run_native(
            settings,
            script=barge_in_script(),
            announce=said.append,
            listener=lambda _: None,
        )
    )
    turns = from_recording(outcome.folder / RECORDING)
    first = turns.barge_ins[0].to_silence_ms if turns.barge_ins else None
    return first, said[0]


def runs(settings: NativeSettings, count: int) -> Iterator[tuple[float | None, str]]:
    """Make calls one after the other, in folders that are thrown away."""
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            yield run_once(settings.model_copy(update={"runs": Path(folder)}))


def tables(result: BargeInResult) -> list[Table]:
    """The result for the terminal."""
    shown = Table(title="From the caller's first sound to the agent's silence", min_width=60)
    shown.add_column("heard by")
    for heading in ("calls", "no barge-in", "median ms", "p90 ms", "worst ms"):
        shown.add_column(heading, justify="right")
    for heard_by, times in (("provider", result.to_silence_ms), ("us", result.local_ms)):
        measured = [ms for ms in times if ms is not None]
        values = (_percentile(measured, percent) for percent in (50, 90, 100))
        if times:
            shown.add_row(
                heard_by, str(len(times)), str(len(times) - len(measured)), *map(_shown, values)
            )
    shown.add_section()
    shown.add_row("goal, us", "", "", f"≤ {GOAL_LOCAL_MS[0]:g}", f"≤ {GOAL_LOCAL_MS[1]:g}", "")
    own = Table(title="The framework's part: from the service's word to silence", min_width=60)
    own.add_column("side")
    for heading in ("calls", "p50 ms", "p95 ms", "goal p95", "all told, p95 ms"):
        own.add_column(heading, justify="right")
    for each in result.silencing:
        goal = GOAL_IDLE_MS if each.calls == 1 else GOAL_BUSY_MS
        own.add_row(
            each.side,
            str(each.calls),
            f"{each.p50_ms:.2f}",
            f"{each.p95_ms:.2f}",
            f"≤ {goal:g}",
            f"{each.passed_p95_ms:.2f}",
        )
    if result.ratio is not None:
        own.add_section()
        own.add_row("times sooner, one call", "", f"{result.ratio:g}", "", "", "")
    late = Table(title="Stale speech an interruption: 80 ms away, 4 × real time", min_width=60)
    late.add_column("side")
    late.add_column("ms", justify="right")
    for told in result.stale:
        late.add_row(told.side, f"{told.stale_ms:.0f}")
    return [shown, *([own] if result.silencing else []), *([late] if result.stale else [])]


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return round(float(np.percentile(values, percent)), 1) if values else None


def _shown(ms: float | None) -> str:
    return "none" if ms is None else f"{ms:.0f}"


def content(result: BargeInResult) -> dict[str, Any]:
    """The result for a file."""
    local = [ms for ms in result.local_ms if ms is not None]
    return {
        "measurement": "caller's first sound to agent's silence, in the recording; the service's "
        "word to when nothing more can be written; speech of cancelled answers that was written",
        "goal_local_ms": {"p50": GOAL_LOCAL_MS[0], "p90": GOAL_LOCAL_MS[1]},
        "goal_framework_p95_ms": {"idle": GOAL_IDLE_MS, "50 calls": GOAL_BUSY_MS},
        **asdict(result),
        "ratios": {} if result.ratio is None else {"trigger_to_silent": result.ratio},
        "median_ms": result.median_ms,
        "worst_ms": result.worst_ms,
        "local_p50_ms": _percentile(local, 50),
        "local_p90_ms": _percentile(local, 90),
    }
