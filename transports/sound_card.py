"""The sound cards of this machine, by PortAudio: which there are, and one that is wanted."""

import importlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crossfade.errors import SettingsError

Kind = Literal["input", "output"]
_WORDS = {"input": "microphone", "output": "loudspeaker"}
_HEADPHONES = re.compile(
    r"head(set|phone)|ear(phone|bud|pod)|air\s?pods|\bbuds|hands-?free|kopfhörer", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device as PortAudio has it."""

    number: int
    name: str
    inputs: int
    """Channels; 0 of a device that only plays."""
    outputs: int
    rate_hz: int
    """Its own."""
    is_default: frozenset[str] = frozenset()
    """For which of `input` and `output` it is taken where none is named."""

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


def sound_library() -> Any:
    """The module `sounddevice`.

    Raises:
        SettingsError: It is missing, or PortAudio is.
    """
    try:
        return importlib.import_module("sounddevice")
    except ModuleNotFoundError as error:
        raise SettingsError(
            "talking by the sound card needs the package sounddevice; "
            "install it with: pip install 'crossfade[microphone]'"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the sound card cannot be used without PortAudio ({error}); on Debian and Ubuntu: "
            "apt install libportaudio2"
        ) from error


def devices(library: Any) -> Sequence[Device]:
    """All of them.

    Raises:
        SettingsError: PortAudio fails.
    """
    try:
        found = list(library.query_devices())
    except library.PortAudioError as error:
        raise SettingsError(f"the sound cards cannot be listed: {error}") from error
    defaults = dict(zip(("input", "output"), library.default.device, strict=True))
    return [
        Device(
            number=number,
            name=" ".join(str(each["name"]).split()),
            inputs=int(each["max_input_channels"]),
            outputs=int(each["max_output_channels"]),
            rate_hz=round(each["default_samplerate"]),
            is_default=frozenset(kind for kind, default in defaults.items() if default == number),
        )
        for number, each in enumerate(found)
    ]


def choose(found: Sequence[Device], kind: Kind, wanted: str | None) -> Device:
    """The device that is asked for.

    Args:
        found: All that there are.
        kind: What it is to do.
        wanted: Its number, or a part of its name; None is the machine's default.

    Raises:
        SettingsError: There is none, or several fit.
    """
    able = [each for each in found if (each.inputs if kind == "input" else each.outputs)]
    if not able:
        raise SettingsError(
            f"this machine has no {_WORDS[kind]} that PortAudio knows; connect one, or talk from "
            "a browser: crossfade serve --open"
        )
    if wanted is None:
        return next((each for each in able if kind in each.is_default), able[0])
    fits = [each for each in able if str(each.number) == wanted.strip()]
    fits = fits or [each for each in able if wanted.strip().lower() in each.name.lower()]
    # One that several drivers offer bears one name.
    if len({each.name for each in fits}) == 1:
        return fits[0]
    told = "fits several" if fits else "is none"
    names = "; ".join(str(each) for each in fits or able)
    raise SettingsError(f"the {_WORDS[kind]} {wanted!r} {told}; there are: {names}")


def listing(found: Sequence[Device]) -> str:
    """All devices in lines, the defaults marked; one line of words where there are none."""
    if not found:
        return "PortAudio knows no sound card on this machine."
    lines = []
    for each in found:
        marks = " ".join(f"default {kind}" for kind in sorted(each.is_default))
        channels = f"{each.inputs} in, {each.outputs} out, {each.rate_hz} Hz"
        lines.append(f"{each.number:>3}  {each.name}  ({channels})  {marks}".rstrip())
    return "\n".join(lines)


def echo_warning(output: Device) -> str | None:
    """What to say to somebody whose microphone may hear the agent; None where it cannot."""
    if _HEADPHONES.search(output.name):
        return None
    return (
        f"{output.name} may be a loudspeaker: the agent would hear itself and fall silent. "
        "Use headphones, or --push-to-talk."
    )


__all__ = ["Device", "choose", "devices", "echo_warning", "listing", "sound_library"]
