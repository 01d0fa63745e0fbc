"""Where a person talks from, as options of a command; the settings they make."""

from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, model_validator

from crossfade.errors import SettingsError

MicrophoneOption = Annotated[
    bool, typer.Option("--microphone", help="Talk with it by this machine's sound card.")
]
InputDeviceOption = Annotated[
    str | None, typer.Option(help="With --microphone: which one, by number or part of its name.")
]
OutputDeviceOption = Annotated[
    str | None, typer.Option(help="With --microphone: where it plays, by number or part of a name.")
]
PushToTalkOption = Annotated[
    bool,
    typer.Option(
        "--push-to-talk",
        help="With --microphone: it hears you while the space bar is held, or from one press of "
        "it to the next.",
    ),
]
ListDevicesOption = Annotated[
    bool, typer.Option("--list-devices", help="Show the sound cards of this machine, and end.")
]
LiveKitOption = Annotated[
    str | None,
    typer.Option(help="Join a room of this LiveKit server, wss://…; keys from the environment."),
]
RoomOption = Annotated[str | None, typer.Option(help="With --livekit: the name of the room.")]
DailyOption = Annotated[
    str | None,
    typer.Option(help="Join this room of Daily, https://…; the key from the environment."),
]


class LiveSettings(BaseModel):
    """Where the person is that talks with the agent: at the sound card, or in a room."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    microphone: bool = False
    input_device: str | None = None
    """Number, or part of the name; None is the machine's default."""
    output_device: str | None = None
    push_to_talk: bool = False
    livekit: str | None = None
    """The server's address."""
    room: str | None = None
    daily: str | None = None
    """The room's address."""

    @model_validator(mode="after")
    def _fits(self) -> "LiveSettings":
        cards = (self.input_device, self.output_device, self.push_to_talk or None)
        if not self.microphone and any(each is not None for each in cards):
            raise SettingsError(
                "--input-device, --output-device and --push-to-talk are for --microphone; say that"
            )
        if (self.livekit is None) != (self.room is None):
            raise SettingsError("--livekit and --room go together: say both or neither")
        return self

    @property
    def places(self) -> int:
        """How many are named; it is to be one, or none."""
        return sum((self.microphone, self.livekit is not None, self.daily is not None))


def live_or_none(settings: LiveSettings, *, scripted: int) -> LiveSettings | None:
    """Where the person is; None where a scripted caller is asked for.

    Args:
        settings: As the options say.
        scripted: How many of `--demo` and `--input` are said.

    Raises:
        SettingsError: It is not one of all of them.
    """
    if settings.places + scripted != 1:
        raise SettingsError(
            "say who talks, once: --demo, --input FILE, --microphone, --livekit URL or --daily URL"
        )
    return settings if settings.places else None


def list_devices() -> None:
    """Show the sound cards on the terminal.

    Raises:
        SettingsError: PortAudio cannot be used.
    """
    from crossfade.transports.sound_card import devices, listing, sound_library

    typer.echo(listing(devices(sound_library())))


__all__ = [
    "DailyOption",
    "InputDeviceOption",
    "ListDevicesOption",
    "LiveKitOption",
    "LiveSettings",
    "MicrophoneOption",
    "OutputDeviceOption",
    "PushToTalkOption",
    "RoomOption",
    "list_devices",
    "live_or_none",
]
