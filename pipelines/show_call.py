"""Runs a call of a command and shows it on the terminal."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from rich.console import Console
from rich.text import Text

from crossfade.observability.live_events import Listener
from crossfade.observability.summary import render_summary

from .console import CallConsole
from .recorded_call import Outcome


class RunCall(Protocol):
    """Makes the call, told whom to tell of it."""

    def __call__(
        self, *, announce: Callable[[str], None], listener: Listener
    ) -> Coroutine[Any, Any, Outcome]: ...


def show_call(run: RunCall, *, below: Callable[[], str] = str) -> None:
    """Run the call, live on the terminal; then its figures and where its files are.

    Args:
        run: Makes the call.
        below: Gives a line that is shown below what is said, and always anew; empty is none.
    """
    console = Console()
    with CallConsole(console, below) as live:
        outcome = asyncio.run(
            run(
                announce=lambda line: console.print(Text(line, "bold"), soft_wrap=True),
                listener=live,
            )
        )
    console.print(render_summary(outcome.summary))
    for line in outcome.missed:
        console.print(f"The cue of the caller's line {line} never came.", style="yellow")
    try:
        files = sorted(outcome.folder.iterdir())
    except OSError as error:
        lost = f"{outcome.folder}: the call's files are lost ({error.strerror})"
        console.print(Text(lost, "yellow"), soft_wrap=True)
        return
    for file in files:
        console.print(Text(f"  {file}"), soft_wrap=True)


__all__ = ["RunCall", "show_call"]
