"""The native pipeline as a command: a caller talks with a speech-to-speech model.

    python pipelines/native.py --demo
    python pipelines/native.py --input question.wav

`crossfade native` is the same. The chain is put together in assembly.py; native_call.py is the
pipeline for use in Python.
"""

import functools
import os
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossfade.errors import SettingsError
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import INSTRUCTIONS, NativeSettings

if TYPE_CHECKING:
    from crossfade.processors.tools import Tool


def native(
    demo: Annotated[
        bool, typer.Option("--demo", help="Let a scripted caller talk with the agent.")
    ] = False,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="Speak this sound file to the agent.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the agent's speech to this WAV file.")
    ] = None,
    provider: Annotated[
        str | None,
        typer.Option(help="openai or emulator. By default openai with a key, else emulator."),
    ] = None,
    model: Annotated[str, typer.Option(help="The provider's model.")] = "gpt-realtime-2.1",
    fallback: Annotated[
        list[str] | None,
        typer.Option(
            help="Who takes over when the provider fails, as PROVIDER:MODEL; may be repeated. The "
            "last may be cascade: the embedded recogniser, rules and voice."
        ),
    ] = None,
    voice: Annotated[
        str | None, typer.Option(help="warm, bright, calm, deep, or the provider's own name.")
    ] = None,
    instructions: Annotated[
        str, typer.Option(help="What the agent shall be.", show_default=False)
    ] = INSTRUCTIONS,
    base_url: Annotated[
        str | None, typer.Option(help="The whole endpoint, such as ws://127.0.0.1:9000/v1/realtime")
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="YAML file of what goes wrong at the built-in emulator, and when."),
    ] = None,
    runs: Annotated[Path, typer.Option(help="Where the folder of the call is made.")] = Path(
        "runs"
    ),
    flac: Annotated[
        bool, typer.Option("--flac", help="Record as FLAC, which is smaller, not as WAV.")
    ] = False,
    arms: Annotated[
        Path | None, typer.Option(help="YAML file of arms: one of them gives the model.")
    ] = None,
    caller: Annotated[
        str | None, typer.Option(help="With --arms: whose call it is, the key of the choice.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0.0001, help="End the call when it has cost more US dollars than this."),
    ] = None,
    capture: Annotated[
        bool | None,
        typer.Option(
            "--capture/--no-capture",
            help="Keep all that `crossfade replay` takes: every word and sound. By default with "
            "--demo and where the variable CI is set.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Talk with a speech-to-speech model. Without a key it is the built-in emulator."""
    with errors_in_one_line():
        if demo == (input_file is not None):
            raise SettingsError("say either --demo or --input FILE")
        if (arms is None) != (caller is None):
            raise SettingsError("--arms and --caller go together: say both or neither")
        talk(
            NativeSettings(
                provider=provider,
                model=model,
                fallbacks=tuple(fallback or ()),
                voice=voice,
                instructions=instructions,
                base_url=base_url,
                input=input_file,
                output=output,
                faults=faults,
                runs=runs,
                flac=flac,
                arms=arms,
                caller=caller or "",
                budget_usd=None if budget is None else Decimal(str(budget)),
                capture=demo or bool(os.environ.get("CI")) if capture is None else capture,
            )
        )


def talk(settings: NativeSettings, *, tools: "Sequence[Tool] | None" = None) -> None:
    """Make the call and show it.

    Args:
        settings: Whom to talk to, what is said and where the record goes.
        tools: What the model may call; None is the demo's weather.

    Raises:
        CrossfadeError: As `run_native`.
    """
    # pipecat is loaded here, so that help and mistakes are told at once.
    prepare()
    from crossfade.pipelines.native_call import run_native
    from crossfade.pipelines.show_call import show_call

    show_call(functools.partial(run_native, settings, tools=tools))


def main() -> None:
    """Run the command by itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(native)
    app()


if __name__ == "__main__":
    main()
