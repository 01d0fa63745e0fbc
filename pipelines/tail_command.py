"""The command `crossfade tail`: the event log of a call, readable, while it runs."""

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line

_DIRECTIONS = ("in", "out", "frame", "call")


def tail(
    run: Annotated[
        Path, typer.Argument(help="The folder of a call, or of calls: then the newest.")
    ] = Path("runs"),
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only these types, such as 'response.*'; may be repeated."),
    ] = None,
    directions: Annotated[
        list[str] | None,
        typer.Option("--dir", help="Only in, out, frame or call; may be repeated."),
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="So many of those that are there.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option(help="Go on until the call ends; Ctrl-C ends it, too.")
    ] = True,
    full: Annotated[bool, typer.Option("--full", help="All that each line says.")] = False,
) -> None:
    """Watch a call by its event log."""
    with errors_in_one_line():
        for direction in directions or ():
            if direction not in _DIRECTIONS:
                raise SettingsError(f"--dir {direction}: it is one of {', '.join(_DIRECTIONS)}")
        from crossfade.pipelines.tail_follow import LAST, QUIET_S, Line, LogReader, find_log
        from crossfade.pipelines.tail_follow import follow as followed
        from crossfade.pipelines.tail_lines import Filter, readable

        console = Console()
        path = find_log(run)
        wanted = Filter(types=types or (), directions=directions or ())
        reader = LogReader(path)

        def show(shown: Iterable[Line]) -> None:
            for line in shown:
                console.print(readable(line, full=full), soft_wrap=True)

        def quiet() -> None:
            console.print(
                f"Nothing has come for {QUIET_S:.0f} s. The log of a call whose process was killed "
                "has no end: Ctrl-C ends this.",
                style="yellow",
                soft_wrap=True,
            )

        console.print(Text(str(path), "dim"), soft_wrap=True)
        # All that is there is read, and its end shown.
        there: deque[Line] = deque(maxlen=lines)
        over = False
        for line in reader.more():
            over = line["type"] == LAST
            if wanted.wants(line):
                there.append(line)
        show(there)
        if follow and not over:
            show(line for line in followed(reader, quiet=quiet) if wanted.wants(line))
        elif reader.cut:
            console.print("The last line is cut off.", style="yellow")
        if reader.unreadable:
            console.print(f"{reader.unreadable} lines could not be read.", style="yellow")
        reader.close()


__all__ = ["tail"]
