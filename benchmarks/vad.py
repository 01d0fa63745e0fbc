"""Voice activity detection, ours beside stock pipecat: how soon, how rightly, at what cost."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from loguru import logger
from rich import box
from rich.table import Table

from crossfade.errors import SettingsError

from .dated import write_dated
from .vad_accuracy import Accuracy, Falsehood, measure_accuracy
from .vad_cpu import GOAL_RATIO, VadCost, measure_cost
from .vad_ends import Ends, measure_ends
from .vad_material import not_speech, prompts, surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class VadResult:
    accuracy: Sequence[Accuracy]
    not_speech: Sequence[Falsehood]
    cost: VadCost
    ends: Ends


def measure(prompt_count: int, rounds: int) -> VadResult:
    """Measure everything.

    Raises:
        SettingsError: The recorded prompts are not installed.
    """
    logger.disable("pipecat")
    spoken = surroundings(prompts(prompt_count))
    accuracy, falsehoods = measure_accuracy(spoken, not_speech())
    cost = measure_cost(spoken["quiet room"], rounds)
    ends = measure_ends(spoken["clean"])
    return VadResult(accuracy=accuracy, not_speech=falsehoods, cost=cost, ends=ends)


def tables(result: VadResult) -> list[Table]:
    """The result for the terminal."""
    return [_spoken(result), _not_spoken(result), _cost(result.cost), _ends(result.ends)]


def _spoken(result: VadResult) -> Table:
    count = result.accuracy[0].prompts
    title = f"{count} prompts: delays p50 / p90 in ms; counts of starts / confirmations"
    shown = Table(title=title, box=box.SIMPLE, padding=0)
    for heading in ("surroundings", "detector"):
        shown.add_column(heading)
    for heading in ("start", "confirmed", "end", "missed", "false", "pauses"):
        shown.add_column(heading, justify="right")
    for each in result.accuracy:
        shown.add_row(
            each.surroundings if each.detector == "crossfade" else "",
            each.detector,
            *(
                f"{p50:.0f} / {p90:.0f}"
                for p50, p90 in (each.start_ms, each.confirm_ms, each.end_ms)
            ),
            f"{each.missed_starts} / {each.missed_confirmations}",
            f"{each.false_starts} / {each.false_confirmations}",
            str(each.pauses),
        )
    return shown


def _not_spoken(result: VadResult) -> Table:
    shown = Table(title="A minute of each, synthetic: starts / confirmations", box=box.SIMPLE)
    shown.add_column("detector")
    sounds = list(dict.fromkeys(each.sound for each in result.not_speech))
    for sound in sounds:
        shown.add_column(sound, justify="right")
    for detector in ("crossfade", "pipecat"):
        found = [each for each in result.not_speech if each.detector == detector]
        shown.add_row(detector, *(f"{each.starts} / {each.confirmations}" for each in found))
    return shown


def _cost(cost: VadCost) -> Table:
    shown = Table(
        title=f"CPU in ms per second of a call's audio, {cost.calls} calls", box=box.SIMPLE
    )
    for heading in ("crossfade", "pipecat", f"ratio (goal {GOAL_RATIO:.0f})"):
        shown.add_column(heading, justify="right")
    shown.add_row(f"{cost.crossfade_ms:.2f}", f"{cost.pipecat_ms:.2f}", f"{cost.ratio:.1f}")
    return shown


def _ends(ends: Ends) -> Table:
    shown = Table(title="Smart Turn, asked after 200 ms of silence", box=box.SIMPLE)
    for heading in ("whole: an end", "cut at 45 %: a pause", "one judgement"):
        shown.add_column(heading, justify="right")
    shown.add_row(
        f"{ends.whole_taken_for_ends:.0%}",
        f"{ends.cut_taken_for_pauses:.0%}",
        f"{ends.judgement_ms:.0f} ms",
    )
    return shown


def content(result: VadResult) -> dict[str, Any]:
    """The result for a file."""
    return {
        "measurement": "voice activity on human prompts and on synthetic sound that is no speech, "
        "in frames of 20 ms; process CPU, all threads, per second of a call's audio",
        "goal_ratio": GOAL_RATIO,
        "ratios": {"cpu_per_call": result.cost.ratio},
        **asdict(result),
    }


def write_json(result: VadResult, path: Path) -> None:
    """Write the result to this file.

    Raises:
        SettingsError: It cannot be written.
    """
    try:
        path.write_text(json.dumps(content(result), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {error.strerror}") from error


def write_result(result: VadResult, folder: Path, now: datetime) -> Path:
    """Keep the result as dated JSON.

    Raises:
        SettingsError: The folder cannot be written.
    """
    return write_dated("vad", content(result), folder, now)
