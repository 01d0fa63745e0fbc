"""The command `crossfade bench`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import NativeSettings

bench = typer.Typer(no_args_is_help=True, help="Measure what callers notice.")


@bench.callback()
def measurements() -> None:
    """Measure what callers notice."""


@bench.command()
def bargein(
    runs: Annotated[int, typer.Option(min=1, help="How many calls to make.")] = 10,
    results: Annotated[
        Path | None, typer.Option(help="Keep the result as dated JSON in this folder.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="openai or emulator.")] = None,
    base_url: Annotated[str | None, typer.Option(help="The whole endpoint.")] = None,
) -> None:
    """From the caller's first sound to the agent's silence, in the recordings of real calls."""
    with errors_in_one_line():
        settings = NativeSettings(provider=provider, base_url=base_url)
        prepare()
        from .bargein import BargeInResult, table, write_result
        from .bargein import runs as make_runs

        console = Console()
        measured = list(track(make_runs(settings, runs), "calling", total=runs, console=console))
        result = BargeInResult(to_silence_ms=[ms for ms, _ in measured], endpoint=measured[0][1])
        console.print(result.endpoint)
        console.print(table(result))
        if results is not None:
            console.print(
                f"written to {write_result(result, results, datetime.now().astimezone())}"
            )
