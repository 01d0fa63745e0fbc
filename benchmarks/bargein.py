"""From the caller's first sound to the agent's silence, measured in recordings of real calls."""

import asyncio
import json
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from crossfade import __version__
from crossfade.errors import SettingsError
from crossfade.observability.call import RECORDING
from crossfade.observability.turns import from_recording
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.native_call import run_script
from crossfade.pipelines.settings import NativeSettings
from crossfade.transports.script import AfterSilence, IntoAnswer, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class BargeInResult:
    """What all runs came to; times in ms, one for each run in order."""

    to_silence_ms: Sequence[float]
    endpoint: str

    @property
    def median_ms(self) -> float:
        return statistics.median(self.to_silence_ms)

    @property
    def worst_ms(self) -> float:
        return max(self.to_silence_ms)


def barge_in_script() -> Script:
    """A caller who asks for the weather and speaks into the first long sentence of the answer."""
    return Script(
        [
            demo_line("weather_tokyo", AfterSilence(after_s=0.3)),
            demo_line("enough", IntoAnswer(after_s=0.8)),
        ]
    )


def run_once(settings: NativeSettings) -> tuple[float, str]:
    """One call: the time to silence in ms, and whom it talked to.

    Raises:
        SettingsError: The caller did not speak into the answer, so nothing was measured.
    """
    said: list[str] = []
    outcome = asyncio.run(
        run_script(settings, barge_in_script(), announce=said.append, listener=lambda _: None)
    )
    turns = from_recording(outcome.folder / RECORDING)
    if not turns.barge_ins:
        raise SettingsError(
            f"nobody was interrupted in {outcome.folder}: the agent's answer is too short to "
            "speak into; ask for longer answers with --instructions"
        )
    return turns.barge_ins[0].to_silence_ms, said[0]


def runs(settings: NativeSettings, count: int) -> Iterator[tuple[float, str]]:
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
        shown.add_row(str(number), f"{ms:.0f}")
    shown.add_section()
    shown.add_row("median", f"{result.median_ms:.0f}")
    shown.add_row("worst", f"{result.worst_ms:.0f}")
    return shown


def write_result(result: BargeInResult, folder: Path, now: datetime) -> Path:
    """Keep the result as dated JSON.

    Raises:
        SettingsError: The folder cannot be written.
    """
    path = folder / f"bargein-{now.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}.json"
    content = {
        "measurement": "caller's first sound to agent's silence, in the recording",
        "version": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        **asdict(result),
        "median_ms": result.median_ms,
        "worst_ms": result.worst_ms,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error
    return path
