"""The native pipeline as a command: a caller talks with a speech-to-speech model.

    python pipelines/native.py --demo
    python pipelines/native.py --input question.wav
    python pipelines/native.py --microphone

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
from crossfade.pipelines.call_options import (
    ArmsOption,
    BaseUrlOption,
    BudgetOption,
    CaptureOption,
    ContentOption,
    DemoOption,
    FallbackOption,
    FlacOption,
    InputOption,
    InstructionsOption,
    ModelOption,
    OutputOption,
    ProviderOption,
    RunsOption,
    UplinkOption,
    VoiceOption,
)
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
from crossfade.pipelines.settings import INSTRUCTIONS, NativeSettings

if TYPE_CHECKING:
    from crossfade.processors.tools import Tool


def native(
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
    provider: ProviderOption = None,
    model: ModelOption = "gpt-realtime-2.1",
    fallback: FallbackOption = None,
    voice: VoiceOption = None,
    instructions: InstructionsOption = INSTRUCTIONS,
    base_url: BaseUrlOption = None,
    faults: Annotated[
        Path | None,
        typer.Option(help="YAML file of what goes wrong at the built-in emulator, and when."),
    ] = None,
    runs: RunsOption = Path("runs"),
    flac: FlacOption = False,
    arms: ArmsOption = None,
    caller: Annotated[
        str | None, typer.Option(help="With --arms: whose call it is, the key of the choice.")
    ] = None,
    uplink_ms: UplinkOption = 20,
    budget: BudgetOption = None,
    capture: CaptureOption = None,
    content: ContentOption = True,
) -> None:
    """Talk with a speech-to-speech model. Without a key it is the built-in emulator."""
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
        if capture and push_to_talk:
            raise SettingsError(
                "a call by --push-to-talk cannot be run again, as --capture is for: a replay hears "
                "the caller by voice; leave one out"
            )
        if (arms is None) != (caller is None):
            raise SettingsError("--arms and --caller go together: say both or neither")
        usually = demo or (bool(os.environ.get("CI")) and not push_to_talk)
        kept = usually and content if capture is None else capture
        talk(
            NativeSettings(
                provider=provider,
                model=model,
                fallbacks=tuple(fallback or ()),
                voice=voice,
                instructions=instructions,
                base_url=base_url,
                input=input_file,
                live=who,
                output=output,
                faults=faults,
                runs=runs,
                flac=flac,
                arms=arms,
                caller=caller or "",
                uplink_ms=uplink_ms,
                budget_usd=None if budget is None else Decimal(str(budget)),
                capture=kept,
                content=content,
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
    from crossfade.pipelines.live_caller import Meter
    from crossfade.pipelines.native_call import run_native
    from crossfade.pipelines.show_call import show_call

    meter = Meter()
    show_call(functools.partial(run_native, settings, tools=tools, meter=meter), below=meter.line)


def main() -> None:
    """Run the command by itself."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(native)
    app()


if __name__ == "__main__":
    main()
