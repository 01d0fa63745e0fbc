"""The command `crossfade replay`: a captured call, run again and compared."""

import contextlib
import importlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line, prepare

if TYPE_CHECKING:
    from crossfade.processors.tools import Tool

DIVERGED = 1
"""Exit code when the call went another way."""


def replay(
    run: Annotated[Path, typer.Argument(help="The folder of the call, or its capture.")],
    virtual: Annotated[
        bool, typer.Option("--virtual", help="In virtual time, which is the default.")
    ] = False,
    speed: Annotated[
        float | None,
        typer.Option(min=0.01, help="In real time, so many times as fast, shown as it goes."),
    ] = None,
    instructions: Annotated[
        str | None, typer.Option(help="Try other instructions.", show_default=False)
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Try another threshold of the provider's turn detection.")
    ] = None,
    silence_ms: Annotated[
        int | None, typer.Option(help="Try another silence that ends the caller's turn.")
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(help="Declare the tools as MODULE:NAME has them now, a list of tools."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Keep the record of the new run in this folder.")
    ] = None,
    write_test: Annotated[
        Path | None, typer.Option(help="Write a test that runs the call again, test_NAME.py.")
    ] = None,
) -> None:
    """Run a captured call again through the pipeline as it is now, and tell what diverges.

    Ends with 0 where nothing does, with 1 where something does, with 2 without a capture.
    """
    with errors_in_one_line():
        if virtual and speed is not None:
            raise SettingsError("say either --virtual or --speed N")
        prepare()
        from crossfade.pipelines.console import CallConsole
        from crossfade.pipelines.replay_regression import write_test as written
        from crossfade.pipelines.replay_run import Changes, line_of
        from crossfade.pipelines.replay_run import replay as run_again

        console = Console()
        changes = Changes(instructions=instructions, threshold=threshold, silence_ms=silence_ms)
        with _folder(keep) as folder, contextlib.ExitStack() as stack:
            replayed = run_again(
                run,
                folder,
                changes=changes,
                tools=None if tools is None else tools_named(tools),
                speed=speed,
                listener=None if speed is None else stack.enter_context(CallConsole(console)),
            )
        if not replayed.captured.complete:
            console.print("The capture ends before the call did.", style="yellow")
        for divergence in replayed.divergences:
            console.print(Text(line_of(divergence)), soft_wrap=True)
        if write_test is not None:
            copy = written(run, write_test)
            console.print(
                Text(f"Wrote {write_test}, and beside it {copy.name}, which holds what was said."),
                soft_wrap=True,
            )
        if replayed.divergences:
            console.print(f"{len(replayed.divergences)} divergences", style="bold red")
            raise typer.Exit(DIVERGED)
        console.print("The call went as it was captured.", style="bold green")


def tools_named(place: str) -> "Sequence[Tool]":
    """The tools under MODULE:NAME.

    Raises:
        SettingsError: There are none.
    """
    from crossfade.processors.tools import Tool

    # As `python -m` has it: a module beside which one stands is found.
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"{place}: cannot be found ({error}); say MODULE:NAME") from error
    listed = [found] if isinstance(found, Tool) else found
    if not isinstance(listed, Sequence) or not all(isinstance(each, Tool) for each in listed):
        raise SettingsError(f"{place} is no list of tools")
    return listed


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where the record of the new run goes.

    Raises:
        SettingsError: Another call's record is there.
    """
    if keep is not None:
        from crossfade.observability.call import EVENTS
        from crossfade.observability.capture import CAPTURE

        if any((keep / name).exists() for name in (EVENTS, CAPTURE)):
            raise SettingsError(
                f"{keep} holds the record of a call, which is not replaced; "
                "give --keep a folder that is new"
            )
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="crossfade-replay-") as folder:
        yield Path(folder)


__all__ = ["DIVERGED", "replay", "tools_named"]
