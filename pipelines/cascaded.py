"""The cascaded pipeline as a command: a caller talks with recogniser, text model and synthesiser.

    python pipelines/cascaded.py --demo
    python pipelines/cascaded.py --demo --stt deepgram --llm anthropic --tts cartesia
    python pipelines/cascaded.py --demo --llm-base-url http://localhost:11434/v1 --llm-model llama3

`crossfade cascaded` is the same. Without a key all three are small embedded ones. The chain is put
together in assembly.py; cascaded_call.py is the pipeline for use in Python.
"""

import functools
from pathlib import Path
from typing import Annotated

import typer

from crossfade.errors import SettingsError
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.settings import INSTRUCTIONS

_NAME = "embedded, a name such as {}, or an import path MODULE:CLASS."


def cascaded(
    demo: Annotated[
        bool, typer.Option("--demo", help="Let a scripted caller talk with the agent.")
    ] = False,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="Speak this sound file to the agent.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the agent's speech to this WAV file.")
    ] = None,
    stt: Annotated[str, typer.Option(help=_NAME.format("deepgram"))] = "embedded",
    llm: Annotated[
        str | None,
        typer.Option(
            help=f"{_NAME.format('openai, anthropic or ollama')} By default openai with a key or "
            "an address, else embedded."
        ),
    ] = None,
    tts: Annotated[str, typer.Option(help=_NAME.format("cartesia"))] = "embedded",
    stt_model: Annotated[str | None, typer.Option(help="The recogniser's model.")] = None,
    llm_model: Annotated[str | None, typer.Option(help="The text model.")] = None,
    llm_base_url: Annotated[
        str | None,
        typer.Option(help="A server with OpenAI's interface, such as http://localhost:11434/v1"),
    ] = None,
    tts_model: Annotated[str | None, typer.Option(help="The synthesiser's model.")] = None,
    voice: Annotated[str | None, typer.Option(help="The synthesiser's own name.")] = None,
    instructions: Annotated[
        str, typer.Option(help="What the agent shall be.", show_default=False)
    ] = INSTRUCTIONS,
    runs: Annotated[Path, typer.Option(help="Where the folder of the call is made.")] = Path(
        "runs"
    ),
    flac: Annotated[
        bool, typer.Option("--flac", help="Record as FLAC, which is smaller, not as WAV.")
    ] = False,
) -> None:
    """Talk through recogniser, text model and synthesiser. Without a key all are embedded."""
    with errors_in_one_line():
        if demo == (input_file is not None):
            raise SettingsError("say either --demo or --input FILE")
        talk(
            CascadedSettings(
                stt=stt,
                llm=llm,
                tts=tts,
                stt_model=stt_model,
                llm_model=llm_model,
                llm_base_url=llm_base_url,
                tts_model=tts_model,
                voice=voice,
                instructions=instructions,
                input=input_file,
                output=output,
                runs=runs,
                flac=flac,
            )
        )


def talk(settings: CascadedSettings) -> None:
    """Make the call and show it."""
    # pipecat is loaded here, so that help and mistakes are told at once.
    prepare()
    from crossfade.pipelines.cascaded_call import run_cascaded
    from crossfade.pipelines.show_call import show_call

    show_call(functools.partial(run_cascaded, settings))


def main() -> None:
    """Run the command by itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(cascaded)
    app()


if __name__ == "__main__":
    main()
