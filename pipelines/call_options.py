"""What every call from the terminal is asked, as options of its command."""

from pathlib import Path
from typing import Annotated

import typer

DemoOption = Annotated[
    bool, typer.Option("--demo", help="Let a scripted caller talk with the agent.")
]
InputOption = Annotated[
    Path | None, typer.Option("--input", help="Speak this sound file to the agent.")
]
OutputOption = Annotated[
    Path | None, typer.Option(help="Write the agent's speech to this WAV file.")
]
InstructionsOption = Annotated[
    str, typer.Option(help="What the agent shall be.", show_default=False)
]
RunsOption = Annotated[Path, typer.Option(help="Where the folder of the call is made.")]
FlacOption = Annotated[
    bool, typer.Option("--flac", help="Record as FLAC, which is smaller, not as WAV.")
]
CaptureOption = Annotated[
    bool | None,
    typer.Option(
        "--capture/--no-capture",
        help="Keep all that `crossfade replay` takes: every word and sound. By default with "
        "--demo and where the variable CI is set.",
        show_default=False,
    ),
]

__all__ = [
    "CaptureOption",
    "DemoOption",
    "FlacOption",
    "InputOption",
    "InstructionsOption",
    "OutputOption",
    "RunsOption",
]
