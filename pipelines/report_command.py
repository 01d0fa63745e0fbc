"""The command `crossfade report`: what happened in a call, as one page."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line, prepare

_STYLES = {"error": "red", "warning": "yellow", "note": "dim"}


def report(
    run: Annotated[
        Path | None,
        typer.Argument(help="The folder of the call; the latest under --runs if left out."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the folders of calls lie.")] = Path("runs"),
    audio: Annotated[
        bool, typer.Option(help="Whether the recording is in the page, to be played.")
    ] = True,
    cuts: Annotated[
        bool, typer.Option("--cuts", help="Cut each turn to a sound file in RUN/turns as well.")
    ] = False,
    budget_ms: Annotated[
        float, typer.Option(min=1, help="What an answer may take, from voice to voice.")
    ] = 1500,
    open_page: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Write RUN/report.html, and tell the problems that were found."""
    with errors_in_one_line():
        folder = run or _latest(runs)
        # A call that runs on shows its log; what is measured here is what is there.
        prepare()
        from crossfade.observability.latency_budget import LatencyBudget
        from crossfade.observability.problems import problems
        from crossfade.observability.report import write_report
        from crossfade.observability.report_words import clock, plain
        from crossfade.observability.run import read_run
        from crossfade.observability.turn_cuts import cut_turns

        found = read_run(folder)
        budget = LatencyBudget(total_ms=budget_ms)
        console = Console()
        for problem in problems(found, budget):
            style = _STYLES[problem.severity.value]
            line = Text(f"{clock(problem.at_s):>9}  ").append(plain(problem.text), style)
            console.print(line, soft_wrap=True)
        path = write_report(found, audio=audio, budget=budget)
        console.print(Text(f"written to {path}"), soft_wrap=True)
        if cuts:
            console.print(f"{len(cut_turns(found))} turns cut", soft_wrap=True)
        if open_page and not webbrowser.open(path.resolve().as_uri()):
            console.print(Text(f"no browser was found; open {path.resolve()}"), soft_wrap=True)


def _latest(runs: Path) -> Path:
    folders = sorted(
        (folder for folder in runs.glob("*") if folder.is_dir()),
        key=lambda folder: folder.stat().st_mtime,
    )
    if not folders:
        raise SettingsError(f"{runs}: holds no calls; give the folder of one")
    return folders[-1]
