"""From the caller's first sound to the agent's silence, measured in recordings of real calls."""

import asyncio
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from rich.table import Table

from crossfade.observability.call import RECORDING
from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import run_script
from crossfade.pipelines.settings import NativeSettings
from crossfade.transports.script import AfterSilence, IntoAnswer, Script

from .dated import write_dated


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeInResult:
    """What all runs came to; times in ms, one for each run in order.

    None is a run in which the caller did not speak into the answer, as the recording tells.
    """

    to_silence_ms: Sequence[float | None]
    endpoint: str

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
        run_script(settings, barge_in_script(), announce=said.append, listener=lambda _: None)
    )
    turns = from_recording(outcome.folder / RECORDING)
    first = turns.barge_ins[0].to_silence_ms if turns.barge_ins else None
    return first, said[0]


def runs(settings: NativeSettings, count: int) -> Iterator[tuple[float | None, str]]:
    """Make calls one after the other, in folders that are thrown away."""
    for _ in range(count):
        with tempfile.TemporaryDirectory() as folder:
            yield run_once(settings.model_copy(update={"runs": Path(folder)}))


def table(result: BargeInResult) -> Table:
    """The result for the terminal."""
    shown = Table(title="From the caller's first sound to the agent's silence", min_width=60)
    shown.add_column("run")
    shown.add_column("ms", justify="right")
    for number, ms in enumerate(result.to_silence_ms, 1):
        shown.add_row(str(number), _shown(ms))
    shown.add_section()
    shown.add_row("median", _shown(result.median_ms))
    shown.add_row("worst", _shown(result.worst_ms))
    return shown


def _shown(ms: float | None) -> str:
    return "no barge-in" if ms is None else f"{ms:.0f}"


def write_result(result: BargeInResult, folder: Path, now: datetime) -> Path:
    """Keep the result as dated JSON.

    Raises:
        SettingsError: The folder cannot be written.
    """
    content = {
        "measurement": "caller's first sound to agent's silence, in the recording",
        **asdict(result),
        "median_ms": result.median_ms,
        "worst_ms": result.worst_ms,
    }
    return write_dated("bargein", content, folder, now)
