"""One call as one self-contained HTML page: no network, no framework, light and dark."""

import base64
import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from crossfade.errors import SettingsError

from .interaction_metrics import FEWEST_EVENTS
from .latency_budget import Hop, LatencyBudget
from .problems import Problem, Severity, problems
from .report_audio import EmbeddedAudio, embedded_audio
from .report_latency import answer_rows, css_class, hop_rows
from .report_transcript import events, transcript
from .report_view import all_figures, cost_rows, cost_told, figures, metric_rows
from .report_words import clock, plain
from .run import Run
from .run_sound import PEAK_MS
from .sound_spans import Span

REPORT = "report.html"
# More of them are folded up, so that the problems are seen.
_FEW_NOTES = 8
# Names of colours in the style sheet.
_INKS = {"tools": "hop-tool", "interruptions": "cursor", "sessions": "hop-response"}


def render_report(run: Run, *, audio: bool = True, budget: LatencyBudget | None = None) -> str:
    """The page of a call.

    Args:
        run: The call.
        audio: Whether the recording is in it. A page of an hour without is some 2 MB.
        budget: What answers may take.
    """
    budget = budget or LatencyBudget()
    sound = embedded_audio(run.recording) if audio and run.recording else None
    found = problems(run, budget)
    rows, budget_at = answer_rows(run, budget)
    style, script = _file("report.css"), _file("report.js")
    return (
        _environment()
        .from_string(_file("report.html.j2"))
        .render(
            run=run,
            title=run.folder.resolve().name,
            figures=figures(run, found),
            all_figures=all_figures(run),
            problems=[each for each in found if each.severity is not Severity.NOTE],
            notes=[each for each in found if each.severity is Severity.NOTE],
            few_notes=_FEW_NOTES,
            answers=rows,
            budget=budget,
            budget_at=budget_at,
            hops=hop_rows(run, budget),
            legend=[(hop.value, css_class(hop)) for hop in Hop],
            said=transcript(run),
            events=events(run),
            metrics=(metrics := metric_rows(run)),
            enough=any(row[-1] >= FEWEST_EVENTS for row in metrics),
            costs=cost_rows(run),
            cost=cost_told(run),
            style=style,
            script=script,
            policy=_policy(style, script),
            data=_data(run, sound, found),
            audio=sound,
        )
    )


def _policy(style: str, script: str) -> str:
    """Nothing but what is on the page: no address can be reached from it."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _data(run: Run, sound: EmbeddedAudio | None, found: Sequence[Problem]) -> str:
    """What the script draws, as JSON that no text in it can break out of."""
    told: dict[str, Any] = {
        "duration_s": run.duration_s,
        "peak_ms": PEAK_MS,
        "audio_type": sound.media_type if sound else None,
        "lanes": _lanes(run, found),
    }
    if run.sound is not None:
        told["caller"] = base64.b64encode(run.sound.caller.peaks).decode()
        told["agent"] = base64.b64encode(run.sound.agent.peaks).decode()
    text = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("&", "\\u0026")


def _lanes(run: Run, found: Sequence[Problem]) -> list[dict[str, Any]]:
    turns = run.sound.turns if run.sound else None
    spans = [("caller", turns.caller), ("agent", turns.agent)] if turns else []
    lanes = [
        {"name": f"{name} speaks", "ink": name, "items": [_span(span) for span in each]}
        for name, each in spans
    ]
    for name in ("tools", "interruptions", "sessions"):
        items = [
            [event.at_s, event.until_s, event.text] for event in events(run) if event.lane == name
        ]
        if items:
            lanes.append({"name": name, "ink": _INKS[name], "items": items})
    if found:
        marks = [[p.at_s, None, p.text, p.severity.value] for p in found]
        lanes.append({"name": "problems", "ink": "note", "items": marks})
    return lanes


def _span(span: Span) -> list[Any]:
    return [round(span.start_s, 3), round(span.end_s, 3), ""]


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters["clock"] = clock
    return environment


def _plain(value: Any) -> Any:
    """What comes from a call, without signs that would turn the page's own words round."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


@cache
def _file(name: str) -> str:
    return (files("crossfade.observability") / "report_page" / name).read_text(encoding="utf-8")


def write_report(run: Run, *, audio: bool = True, budget: LatencyBudget | None = None) -> Path:
    """Write the page into the call's folder, whole or not at all.

    Raises:
        SettingsError: It cannot be written; an earlier page is still there then.
    """
    page = render_report(run, audio=audio, budget=budget)
    path = run.folder / REPORT
    part = path.with_suffix(".part")
    try:
        part.write_text(page, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise SettingsError(
            f"{path}: cannot be written ({error.strerror}); it takes {len(page) // 1000 + 1} kB in "
            "a folder that is yours to write: make room, or copy the call's folder elsewhere"
        ) from error
    return path


__all__ = ["REPORT", "render_report", "write_report"]
