"""What the commands of `crossfade bench` share: measure, show, keep, and end with 1 if missed."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from crossfade.pipelines.command_line import errors_in_one_line, prepare

from .dated import write_dated, write_json

MISSED = 1
"""Exit code when what was measured does not hold."""

Tell = Callable[[str], None]
"""Told in a few words what is being done."""

ResultsOption = Annotated[
    Path | None, typer.Option(help="Keep the result as dated JSON in this folder.")
]
JsonOption = Annotated[Path | None, typer.Option(help="Write the result to this file.")]
PostgresOption = Annotated[str | None, typer.Option(help="URL of a database, to measure it too.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a benchmark came to."""

    name: str
    """Of its dated files."""
    content: Mapping[str, Any]
    """For a file."""
    tables: Sequence[Table | str]
    """For the terminal, in this order."""
    problems: Sequence[str] = ()
    """Why it does not hold, in a line each."""
    missing: Sequence[str] = ()
    """Peers that are not installed; one may be named twice."""
    held: bool = True


def present(
    measure: Callable[[Tell], Finding],
    *,
    json: Path | None,
    results: Path | None,
    doing: str | None = None,
) -> None:
    """Measure, show what was found, and keep it.

    Args:
        measure: Called when logs are quiet. What is slow to load is imported there.
        json: Where the result is written.
        results: The folder that gets it dated.
        doing: What the terminal says meanwhile, until told otherwise. None says nothing, and
            takes no CPU from what is measured in this process.

    Raises:
        typer.Exit: With `MISSED` if it does not hold, or as `errors_in_one_line`.
    """
    with errors_in_one_line():
        _begin()
        console = Console()
        if doing is None:
            found = measure(lambda _: None)
        else:
            with console.status(doing) as status:
                found = measure(status.update)
        _show(found, console)
        if json is not None:
            write_json(found.content, json)
            _say(f"written to {json}", console)
        if results is not None:
            path = write_dated(found.name, found.content, results, datetime.now().astimezone())
            _say(f"written to {path}", console)
        if not found.held:
            raise typer.Exit(MISSED)


def _begin() -> None:
    """Set up as the pipelines do, without what pipecat tells of each call."""
    prepare()
    # Processes that are started for it load pipecat before they can silence it.
    os.environ.setdefault("LOGURU_LEVEL", "CRITICAL")
    from loguru import logger

    logger.disable("pipecat")


def _show(found: Finding, console: Console) -> None:
    for shown in found.tables:
        if isinstance(shown, str):
            _say(shown, console)
        else:
            console.print(shown)
    for line in found.problems:
        _say(line, console, style="red")
    for peer in dict.fromkeys(found.missing):
        _say(f"{peer} is not installed: left out", console)


def _say(line: str, console: Console, style: str = "") -> None:
    # As it stands: whole, for who copies it.
    console.print(Text(line, style), soft_wrap=True)
