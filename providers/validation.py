"""What a caller may ask of a model: everything is checked before anything is sent."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from crossfade.conversation.history import HistoryItem
from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError, SoundError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import Encoding, Modality, SessionConfig, TurnDetection
from crossfade.providers.profiles import Profile
from crossfade.providers.sound_format import SoundFormat

_IMAGE_TYPES = ("image/jpeg", "image/png")


class _Need(NamedTuple):
    asked: Callable[[SessionConfig], bool]
    flag: str
    """Flag of the profile that must be set then."""
    else_: str
    """What the model does not do."""


_NEEDS = (
    _Need(
        lambda config: config.turn_detection is TurnDetection.SERVER,
        "server_vad",
        "does not find the user's turns by sound",
    ),
    _Need(
        lambda config: config.turn_detection is TurnDetection.SEMANTIC,
        "semantic_vad",
        "does not find the user's turns by what is said",
    ),
    _Need(
        lambda config: config.turn_detection is TurnDetection.CALLER,
        "caller_turns",
        "cannot be told the user's turns",
    ),
    _Need(
        lambda config: (
            not config.interruptible and config.turn_detection is not TurnDetection.CALLER
        ),
        "hold",
        "always stops when the user speaks",
    ),
    _Need(lambda config: bool(config.instructions), "instructions", "takes no instructions"),
    _Need(lambda config: bool(config.tools), "tools", "calls no tools"),
    _Need(
        lambda config: config.modality is Modality.TEXT,
        "text_output",
        "does not answer in writing",
    ),
    _Need(lambda config: config.encoding is not Encoding.PCM, "g711", "does not speak G.711"),
    _Need(lambda config: config.speed is not None, "speed", "has one pace only"),
    _Need(lambda config: config.reasoning is not None, "reasoning", "has no depth of reasoning"),
    _Need(
        lambda config: config.idle_timeout_ms is not None,
        "idle_timeout",
        "does not speak up by itself",
    ),
)


def check_config(config: SessionConfig, profile: Profile, history: Sequence[HistoryItem]) -> None:
    """Find what the model cannot do, and values that no model takes.

    Raises:
        SettingsError: It cannot be asked for.
    """
    for need in _NEEDS:
        # Who has no turns at all cannot be asked how to find them.
        turns = need.flag in ("server_vad", "hold") and profile.full_duplex
        if need.asked(config) and not getattr(profile, need.flag) and not turns:
            raise _lacks(profile, need.flag, need.else_)
    if history and not profile.history:
        raise _lacks(profile, "history", "cannot be told what was said before")
    _check_values(config)
    _check_names(config.tools)


def check_command(command: Command, config: SessionConfig, profile: Profile) -> None:
    """Find what this session cannot carry out.

    Raises:
        SettingsError: The model or the configuration does not allow it, or it is empty.
    """
    match command:
        case SendText(text=text):
            if not profile.text_input:
                raise _lacks(profile, "text_input", "reads no text")
            _check_words(text)
        case SendImage():
            _check_image(command, profile)
        case SendToolResult(final=final):
            if not final and not profile.partial_tool_results:
                raise _lacks(profile, "partial_tool_results", "takes one result for each call")
        case Say(text=text):
            if not profile.out_of_band:
                raise _lacks(profile, "out_of_band", "cannot speak outside the conversation")
            _check_words(text)
        case StartTurn() | EndTurn():
            if not profile.caller_turns:
                raise _lacks(profile, "caller_turns", "cannot be told the user's turns")
            if config.turn_detection is not TurnDetection.CALLER:
                raise SettingsError(
                    "The provider finds the user's turns in this session. To mark them yourself, "
                    "use SessionConfig(turn_detection=TurnDetection.CALLER)."
                )
        case Update():
            _check_update(command, profile)


def check_audio(
    audio: bytes, form: SoundFormat, rate_hz: int | None = None, channels: int = 1
) -> None:
    """Check audio of the user against the session's format.

    Raises:
        SoundError: It has another rate or more channels, or ends in half a sample.
    """
    if rate_hz is not None and rate_hz != form.input_rate_hz:
        raise SoundError(
            f"The session hears audio at {form.input_rate_hz} Hz, this has {rate_hz} Hz. "
            "Resample it."
        )
    if channels != 1:
        raise SoundError(f"The session hears one channel, this has {channels}. Mix it down.")
    if len(audio) % form.sample_bytes:
        raise SoundError(f"Audio is 16-bit samples; {len(audio)} bytes end in half of one.")


def _check_update(update: Update, profile: Profile) -> None:
    for field in ("instructions", "tools", "voice"):
        if getattr(update, field) is not None and not getattr(profile, f"update_{field}"):
            raise _lacks(
                profile, f"update_{field}", f"keeps the {field} that the session began with"
            )
    if update.tools and not profile.tools:
        raise _lacks(profile, "tools", "calls no tools")
    _check_names(update.tools or ())


def _check_values(config: SessionConfig) -> None:
    if config.threshold is not None and not 0 <= config.threshold <= 1:
        raise SettingsError(f"The threshold is {config.threshold}; it must be 0 to 1.")
    if config.speed is not None and not config.speed > 0:
        raise SettingsError(f"The speed is {config.speed}; it must be above 0.")
    if config.idle_timeout_ms is not None and config.turn_detection is not TurnDetection.SERVER:
        raise SettingsError("An idle timeout needs TurnDetection.SERVER.")
    for name in ("silence_ms", "prefix_ms", "idle_timeout_ms", "max_output_tokens"):
        value = getattr(config, name)
        if value is not None and value < (0 if name == "prefix_ms" else 1):
            raise SettingsError(f"{name} is {value}, which is too small.")


def _check_names(tools: Sequence[ToolDeclaration]) -> None:
    names = [tool.name for tool in tools]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"These tools are declared more than once: {', '.join(twice)}.")


def _check_words(text: str) -> None:
    if not text.strip():
        raise SettingsError("There are no words in the text to send.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SettingsError("The text holds half a character, which no wire can say.") from error


def _check_image(image: SendImage, profile: Profile) -> None:
    if not profile.images:
        raise _lacks(profile, "images", "sees no images")
    if image.media_type not in _IMAGE_TYPES:
        raise SettingsError(
            f'An image cannot be "{image.media_type}"; it must be {" or ".join(_IMAGE_TYPES)}.'
        )
    if not image.data:
        raise SettingsError("The image is empty.")


def _lacks(profile: Profile, flag: str, else_: str) -> SettingsError:
    return SettingsError(f"{profile.model} {else_}. See `profile.{flag}`.")


__all__ = ["check_audio", "check_command", "check_config"]
