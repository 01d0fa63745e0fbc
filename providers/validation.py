"""What a caller may ask of a model: everything is checked before anything is sent."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast, get_args

from crossfade.conversation.history import HistoryItem, Notice, Picture, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError, SoundError
from crossfade.providers.commands import (
    Command,
    Delivery,
    EndTurn,
    Interrupt,
    RespondAside,
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
_HISTORY_KINDS = "Utterance, Picture, Notice, ToolCall and ToolResult"
_SLOWEST, _FASTEST = 0.25, 1.5
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Wider than any provider's own, so that all that they call can be answered.
_CALL_ID = re.compile(r"[!-~]{1,256}")


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
    _Need(
        lambda config: config.noise_reduction is not None,
        "noise_reduction",
        "cannot be told what noise to expect",
    ),
    _Need(
        lambda config: config.transcription_model is not None,
        "transcription_model",
        "chooses by itself who writes down the user's words",
    ),
    _Need(
        lambda config: config.max_output_tokens is not None,
        "max_output_tokens",
        "cannot be limited in what it says",
    ),
    _Need(
        lambda config: not config.compress_context,
        "keep_context",
        "decides by itself what it forgets of a long conversation (compress_context)",
    ),
)


def check_config(config: SessionConfig, profile: Profile, history: Sequence[HistoryItem]) -> None:
    """Find what the model cannot do, and values that no model takes.

    Raises:
        SettingsError: It cannot be asked for.
    """
    _check_kinds(config)
    for need in _NEEDS:
        # Who has no turns at all cannot be asked how to find them.
        turns = need.flag in ("server_vad", "hold") and profile.full_duplex
        if need.asked(config) and not getattr(profile, need.flag) and not turns:
            raise _lacks(profile, need.flag, need.else_)
    if history and not profile.history:
        raise _lacks(profile, "history", "cannot be told what was said before")
    for item in history:
        _check_history_item(item, profile)
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
        case SendImage(data=data, media_type=media_type):
            _check_image(data, media_type, profile)
        case SendToolResult():
            _check_call_id(command.result.call_id)
            _check_result(command, profile)
        case Say(text=text):
            if not profile.out_of_band:
                raise _lacks(profile, "out_of_band", "cannot speak outside the conversation")
            _check_words(text)
        case RespondAside():
            _check_aside(command, profile)
        case Interrupt(played_ms=played_ms):
            _check_played(played_ms)
        case StartTurn() | EndTurn():
            _check_turns(config, profile)
        case Update():
            _check_update(command, profile)


def check_audio(
    audio: bytes, form: SoundFormat, rate_hz: int | None = None, channels: int = 1
) -> bytes:
    """Check audio of the user against the session's format, and give it as `bytes`.

    Raises:
        SoundError: It is no bytes, has another rate or more channels, or ends in half a sample.
    """
    if type(audio) is not bytes:
        audio = _as_bytes(audio)
    if rate_hz is not None and rate_hz != form.input_rate_hz:
        raise SoundError(
            f"The session hears audio at {form.input_rate_hz} Hz, this has {rate_hz} Hz. "
            "Resample it."
        )
    if channels != 1:
        raise SoundError(f"The session hears one channel, this has {channels}. Mix it down.")
    if len(audio) % form.sample_bytes:
        raise SoundError(f"Audio is 16-bit samples; {len(audio)} bytes end in half of one.")
    return audio


def _as_bytes(audio: object) -> bytes:
    if not isinstance(audio, bytes | bytearray | memoryview):
        raise SoundError(
            f"Audio is bytes, not {type(audio).__name__}. Of an array of 16-bit samples, "
            "give `tobytes()`."
        )
    return bytes(audio)


def _check_history_item(item: HistoryItem, profile: Profile) -> None:
    """Check what can be checked alone: which results have calls is the wire's business."""
    match item:
        case Utterance(text=text) | Notice(text=text):
            _check_kind("A text of the history", text, str)
            _check_whole(text)
        case Picture(data=data, media_type=media_type):
            _check_image(data, media_type, profile)
        case ToolCall(id=call_id) | ToolResult(call_id=call_id):
            _check_call_id(call_id)
        case _:
            raise SettingsError(
                f"The history holds {type(item).__name__}; it takes {_HISTORY_KINDS}."
            )


def _check_result(result: SendToolResult, profile: Profile) -> None:
    _check_kind("The delivery of a result", result.delivery, Delivery)
    if not result.final and not profile.partial_tool_results:
        raise _lacks(profile, "partial_tool_results", "takes one result for each call")
    if result.delivery is Delivery.INTERRUPT and not profile.interrupting_results:
        raise _lacks(profile, "interrupting_results", "is not cut by a result: interrupt it first")


def _check_turns(config: SessionConfig, profile: Profile) -> None:
    if not profile.caller_turns:
        raise _lacks(profile, "caller_turns", "cannot be told the user's turns")
    if config.turn_detection is not TurnDetection.CALLER:
        raise SettingsError(
            "The provider finds the user's turns in this session. To mark them yourself, "
            "use SessionConfig(turn_detection=TurnDetection.CALLER)."
        )


def _check_aside(wish: RespondAside, profile: Profile) -> None:
    if not profile.out_of_band:
        raise _lacks(profile, "out_of_band", "cannot answer outside the conversation")
    if wish.modality is not None:
        _check_kind("The modality", wish.modality, Modality)
    if wish.modality is Modality.TEXT and not profile.text_output:
        raise _lacks(profile, "text_output", "does not answer in writing")
    _check_words(wish.instructions)
    if wish.text is not None and wish.text != "":
        _check_words(wish.text)


def _check_update(update: Update, profile: Profile) -> None:
    for field in ("instructions", "tools", "voice"):
        if getattr(update, field) is not None and not getattr(profile, f"update_{field}"):
            raise _lacks(
                profile, f"update_{field}", f"keeps the {field} that the session began with"
            )
    if update.instructions is not None:
        _check_kind("instructions", update.instructions, str)
    if update.voice is not None:
        _check_name("voice", update.voice)
    if update.tools is None:
        return
    _check_tools(update.tools)
    if update.tools and not profile.tools:
        raise _lacks(profile, "tools", "calls no tools")
    _check_names(update.tools)


_KINDS: Mapping[str, Any] = {
    "instructions": str,
    "silence_ms": int,
    "interruptible": bool,
    "transcribe": bool,
    "compress_context": bool,
}
_KINDS_UNLESS_NONE: Mapping[str, Any] = {
    "speed": int | float,
    "threshold": int | float,
    "prefix_ms": int,
    "idle_timeout_ms": int,
    "max_output_tokens": int,
    "transcription_model": str,
}


def _check_kinds(config: SessionConfig) -> None:
    """Find values of another kind than the field's, as callers without a type checker give."""
    for name, kind in _KINDS.items():
        _check_kind(name, getattr(config, name), kind)
    for name, kind in _KINDS_UNLESS_NONE.items():
        if (value := getattr(config, name)) is not None:
            _check_kind(name, value, kind)
    if config.voice is not None:
        _check_name("voice", config.voice)
    _check_kind("languages", config.languages, Sequence)
    if isinstance(config.languages, str):
        raise SettingsError(f"languages must be a list of tags, such as [{config.languages!r}].")
    for language in config.languages:
        _check_name("languages", language)
    _check_tools(config.tools)


def _check_tools(tools: object) -> None:
    _check_kind("tools", tools, Sequence)
    for tool in cast(Sequence[object], tools):
        _check_kind("One of the tools", tool, ToolDeclaration)


def _check_name(field: str, name: object) -> None:
    _check_kind(field, name, str)
    if not str(name).strip():
        raise SettingsError(f"{field} is empty; leave it out, or give a name.")


def _check_kind(what: str, value: object, kind: Any) -> None:
    # A bool is an int to Python, and to nobody else.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = " or ".join(one.__name__ for one in get_args(kind) or (kind,))
        raise SettingsError(f"{what} must be {wanted}, not {type(value).__name__}.")


def _check_values(config: SessionConfig) -> None:
    if config.threshold is not None and not 0 <= config.threshold <= 1:
        raise SettingsError(f"The threshold is {config.threshold}; it must be 0 to 1.")
    if config.speed is not None and not _SLOWEST <= config.speed <= _FASTEST:
        raise SettingsError(
            f"The speed is {config.speed}; it must be {_SLOWEST:g} to {_FASTEST:g}."
        )
    if config.transcription_model is not None and not (
        config.transcribe and config.transcription_model.strip()
    ):
        raise SettingsError(
            "A transcription_model needs a name, and SessionConfig(transcribe=True)."
        )
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
    for name in names:
        if _TOOL_NAME.fullmatch(name) is None:
            raise SettingsError(
                f'A tool cannot be called "{name}": a name has 1 to 64 letters, digits, '
                "underscores and hyphens."
            )


def _check_call_id(call_id: object) -> None:
    if not isinstance(call_id, str) or _CALL_ID.fullmatch(call_id) is None:
        raise SettingsError(
            f"No call is named {call_id!r}: give the id of the ToolCall that is answered."
        )


def _check_played(played_ms: object) -> None:
    _check_kind("played_ms", played_ms, Mapping)
    for item_id, played in cast(Mapping[object, object], played_ms).items():
        _check_kind("An item in played_ms", item_id, str)
        _check_kind(f"What was played of {item_id!r}", played, int | float)
        if not 0 <= cast(float, played) < math.inf:
            raise SettingsError(
                f"Of {item_id!r}, {played!r} ms were played; it must be a number from 0 up."
            )


def _check_words(text: str) -> None:
    _check_kind("A text to send", text, str)
    if not text.strip():
        raise SettingsError("There are no words in the text to send.")
    _check_whole(text)


def _check_whole(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise SettingsError("The text holds half a character, which no wire can say.") from error


def _check_image(data: bytes, media_type: str, profile: Profile) -> None:
    if not profile.images:
        raise _lacks(profile, "images", "sees no images")
    if media_type not in _IMAGE_TYPES:
        raise SettingsError(
            f'An image cannot be "{media_type}"; it must be {" or ".join(_IMAGE_TYPES)}.'
        )
    _check_kind("An image", data, bytes | bytearray)
    if not data:
        raise SettingsError("The image is empty.")
    limit_bytes = profile.image_limit_bytes
    if limit_bytes is not None and len(data) > limit_bytes:
        raise SettingsError(
            f"The image has {len(data)} bytes; {profile.model} takes {limit_bytes}. "
            "Make it smaller."
        )


def _lacks(profile: Profile, flag: str, else_: str) -> SettingsError:
    return SettingsError(f"{profile.model} {else_}. See `profile.{flag}`.")


__all__ = ["check_audio", "check_command", "check_config"]
