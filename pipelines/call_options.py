"""What calls are asked on the command line, as options of whichever command makes them."""

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
ProviderOption = Annotated[
    str | None,
    typer.Option(help="openai or emulator. By default openai with a key, else emulator."),
]
ModelOption = Annotated[str, typer.Option(help="The provider's model.")]
VoiceOption = Annotated[
    str | None, typer.Option(help="warm, bright, calm, deep, or the provider's own name.")
]
BaseUrlOption = Annotated[
    str | None, typer.Option(help="The whole endpoint, such as ws://127.0.0.1:9000/v1/realtime")
]
FallbackOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Who takes over when the provider fails, as PROVIDER:MODEL; may be repeated. The "
        "last may be cascade: the embedded recogniser, rules and voice."
    ),
]
ArmsOption = Annotated[
    Path | None, typer.Option(help="YAML file of arms: one of them serves a call first.")
]
UplinkOption = Annotated[
    int,
    typer.Option(min=0, max=1000, help="Sound of a caller in one message to the model, at least."),
]
BudgetOption = Annotated[
    float | None,
    typer.Option(min=0.0001, help="End a call when it has cost more US dollars than this."),
]
InstructionsOption = Annotated[
    str, typer.Option(help="What the agent shall be.", show_default=False)
]
RunsOption = Annotated[Path, typer.Option(help="Where the folder of each call is made.")]
FlacOption = Annotated[
    bool, typer.Option("--flac", help="Record as FLAC, which is smaller, not as WAV.")
]
ContentOption = Annotated[
    bool,
    typer.Option(
        "--content/--no-content",
        help="Keep words and sound in the record; without, lengths, times and figures alone.",
    ),
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
    "ArmsOption",
    "BaseUrlOption",
    "BudgetOption",
    "CaptureOption",
    "ContentOption",
    "DemoOption",
    "FallbackOption",
    "FlacOption",
    "InputOption",
    "InstructionsOption",
    "ModelOption",
    "OutputOption",
    "ProviderOption",
    "RunsOption",
    "UplinkOption",
    "VoiceOption",
]
