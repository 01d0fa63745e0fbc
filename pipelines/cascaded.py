"""The cascaded pipeline as a command: a caller talks with recogniser, text model and synthesiser.

    python pipelines/cascaded.py --demo
    python pipelines/cascaded.py --demo --stt deepgram --llm anthropic --tts cartesia
    python pipelines/cascaded.py --demo --llm-base-url http://localhost:11434/v1 --llm-model llama3

`crossfade cascaded` is the same. Without a key all three are small embedded ones. The chain is put
together in assembly.py; cascaded_call.py is the pipeline for use in Python.
"""

import functools
import os
from pathlib import Path
from typing import Annotated

import typer

from crossfade.pipelines.call_options import (
    CaptureOption,
    ContentOption,
    DemoOption,
    FlacOption,
    InputOption,
    InstructionsOption,
    OutputOption,
    RunsOption,
)
from crossfade.pipelines.cascaded_settings import CascadedSettings
from crossfade.pipelines.command_line import errors_in_one_line, prepare
from crossfade.pipelines.live_options import (
    DailyOption,
    InputDeviceOption,
    ListDevicesOption,
    LiveKitOption,
    LiveSettings,
    MicrophoneOption,
    OutputDeviceOption,
    PushToTalkOption,
    RoomOption,
    list_devices,
    live_or_none,
)
from crossfade.pipelines.settings import INSTRUCTIONS

_NAME = "embedded, a name such as {}, or an import path MODULE:CLASS."


def cascaded(
    demo: DemoOption = False,
    input_file: InputOption = None,
    microphone: MicrophoneOption = False,
    input_device: InputDeviceOption = None,
    output_device: OutputDeviceOption = None,
    push_to_talk: PushToTalkOption = False,
    list_cards: ListDevicesOption = False,
    livekit: LiveKitOption = None,
    room: RoomOption = None,
    daily: DailyOption = None,
    output: OutputOption = None,
    stt: Annotated[str, typer.Option(help=_NAME.format("deepgram"))] = "embedded",
    llm: Annotated[
        str | None,
        typer.Option(
            help=f"{_NAME.format('openai, anthropic or ollama')} By default openai with a key or "
            "an address, else embedded."
        ),
    ] = None,
    tts: Annotated[str, typer.Option(help=_NAME.format("cartesia"))] = "embedded",
    eager: Annotated[
        bool,
        typer.Option(
            "--eager",
            help="Have the text model begin when the recogniser takes a turn to be over: sooner, "
            "and more requests.",
        ),
    ] = False,
    stt_model: Annotated[str | None, typer.Option(help="The recogniser's model.")] = None,
    llm_model: Annotated[str | None, typer.Option(help="The text model.")] = None,
    llm_base_url: Annotated[
        str | None,
        typer.Option(help="A server with OpenAI's interface, such as http://localhost:11434/v1"),
    ] = None,
    tts_model: Annotated[str | None, typer.Option(help="The synthesiser's model.")] = None,
    voice: Annotated[str | None, typer.Option(help="The synthesiser's own name.")] = None,
    instructions: InstructionsOption = INSTRUCTIONS,
    runs: RunsOption = Path("runs"),
    flac: FlacOption = False,
    capture: CaptureOption = None,
    content: ContentOption = True,
) -> None:
    """Talk through recogniser, text model and synthesiser. Without a key all are embedded."""
    with errors_in_one_line():
        if list_cards:
            list_devices()
            return
        live = LiveSettings(
            microphone=microphone,
            input_device=input_device,
            output_device=output_device,
            push_to_talk=push_to_talk,
            livekit=livekit,
            room=room,
            daily=daily,
        )
        who = live_or_none(live, scripted=demo + (input_file is not None))
        usually = content and (demo or bool(os.environ.get("CI")))
        talk(
            CascadedSettings(
                stt=stt,
                llm=llm,
                tts=tts,
                eager=eager,
                stt_model=stt_model,
                llm_model=llm_model,
                llm_base_url=llm_base_url,
                tts_model=tts_model,
                voice=voice,
                instructions=instructions,
                input=input_file,
                live=who,
                output=output,
                runs=runs,
                flac=flac,
                capture=usually if capture is None else capture,
                content=content,
            )
        )


def talk(settings: CascadedSettings) -> None:
    """Make the call and show it."""
    # pipecat is loaded here, so that help and mistakes are told at once.
    prepare()
    from crossfade.pipelines.cascaded_call import run_cascaded
    from crossfade.pipelines.live_caller import Meter
    from crossfade.pipelines.show_call import show_call

    meter = Meter()
    show_call(functools.partial(run_cascaded, settings, meter=meter), below=meter.line)


def main() -> None:
    """Run the command by itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(cascaded)
    app()


if __name__ == "__main__":
    main()
