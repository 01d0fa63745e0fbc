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

_Results = Annotated[
    Path | None, typer.Option(help="Keep the result as dated JSON in this folder.")
]


@bench.callback()
def measurements() -> None:
    """Measure what callers notice."""


@bench.command()
def bargein(
    runs: Annotated[int, typer.Option(min=1, help="How many calls to make.")] = 10,
    results: _Results = None,
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
            _say_written(write_result(result, results, _now()))


@bench.command()
def wire(
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured.")] = 15,
    results: _Results = None,
) -> None:
    """CPU of a provider's audio messages, against the least it could cost and other clients."""
    with errors_in_one_line():
        prepare()
        from .wire import measure, table, write_result

        result = measure(rounds)
        console = Console()
        console.print(table(result))
        for name in result.missing:
            console.print(f"{name} is not installed: left out")
        if results is not None:
            _say_written(write_result(result, results, _now()))


@bench.command()
def imports(
    runs: Annotated[int, typer.Option(min=1, help="How many processes import each.")] = 15,
    results: _Results = None,
) -> None:
    """CPU of importing the providers, against that of what they cannot do without."""
    with errors_in_one_line():
        from .imports import measure, write_result

        result = measure(runs)
        Console().print(
            f"import crossfade.providers: {result.providers_ms} ms, "
            f"{result.ratio} × websockets, orjson and pydantic"
        )
        if results is not None:
            _say_written(write_result(result, results, _now()))


def _now() -> datetime:
    return datetime.now().astimezone()


def _say_written(path: Path) -> None:
    Console().print(f"written to {path}")
