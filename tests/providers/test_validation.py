"""What a model cannot do is refused before anything is sent."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from crossfade.conversation.history import HistoryItem, Notice, Picture, Speaker, Utterance
from crossfade.conversation.tools import ToolCall, ToolDeclaration, ToolResult
from crossfade.errors import SettingsError, SoundError
from crossfade.providers.commands import (
    Command,
    EndTurn,
    Interrupt,
    Respond,
    RespondAside,
    Say,
    SendImage,
    SendText,
    SendToolResult,
    StartTurn,
    Update,
)
from crossfade.providers.config import (
    Encoding,
    Modality,
    NoiseReduction,
    Reasoning,
    SessionConfig,
    TurnDetection,
)
from crossfade.providers.openai_profiles import OPENAI
from crossfade.providers.sound_format import sound_format
from crossfade.providers.validation import check_audio, check_command, check_config

ABLE = OPENAI.profile("gpt-realtime-2.1")
TOOL = ToolDeclaration(name="get_weather", description="Weather")
CONFIGS: list[tuple[str, dict[str, Any]]] = [
    ("server_vad", {}),
    ("semantic_vad", {"turn_detection": TurnDetection.SEMANTIC}),
    ("caller_turns", {"turn_detection": TurnDetection.CALLER}),
    ("hold", {"interruptible": False}),
    ("tools", {"tools": [TOOL]}),
    ("text_output", {"modality": Modality.TEXT}),
    ("g711", {"encoding": Encoding.ULAW}),
    ("g711", {"encoding": Encoding.ALAW}),
    ("speed", {"speed": 1.2}),
    ("reasoning", {"reasoning": Reasoning.LOW}),
    ("idle_timeout", {"idle_timeout_ms": 5000}),
    ("noise_reduction", {"noise_reduction": NoiseReduction.NEAR_FIELD}),
    ("transcription_model", {"transcription_model": "scribe"}),
    ("max_output_tokens", {"max_output_tokens": 100}),
    ("keep_context", {"compress_context": False}),
]
PART = SendToolResult(result=ToolResult(call_id="c", output="half"), final=False)
COMMANDS: list[tuple[str, Command]] = [
    ("images", SendImage(data=b"\xff\xd8", media_type="image/jpeg")),
    ("partial_tool_results", PART),
    ("out_of_band", Say(text="One moment.")),
    ("out_of_band", RespondAside(instructions="Sum up.")),
    ("text_output", RespondAside(instructions="Sum up.", modality=Modality.TEXT)),
    ("update_instructions", Update(instructions="")),
    ("update_tools", Update(tools=())),
    ("update_voice", Update(voice="calm")),
    ("tools", Update(tools=[TOOL])),
]


@pytest.mark.parametrize(("flag", "fields"), CONFIGS)
def test_a_configuration_needs_its_flag(flag: str, fields: dict[str, Any]) -> None:
    config = SessionConfig(**fields)
    check_config(config, ABLE, ())
    off: dict[str, Any] = {flag: False}
    with pytest.raises(SettingsError, match=rf"gpt-realtime-2\.1 .*profile\.{flag}"):
        check_config(config, replace(ABLE, **off), ())


@pytest.mark.parametrize(("flag", "command"), COMMANDS)
def test_a_command_needs_its_flag(flag: str, command: Command) -> None:
    check_command(command, SessionConfig(), ABLE)
    off: dict[str, Any] = {flag: False}
    with pytest.raises(SettingsError, match=rf"profile\.{flag}"):
        check_command(command, SessionConfig(), replace(ABLE, **off))


def test_history_needs_its_flag() -> None:
    history = [Utterance(speaker=Speaker.USER, text="Hi")]
    check_config(SessionConfig(), ABLE, history)
    check_config(SessionConfig(), replace(ABLE, history=False), ())
    with pytest.raises(SettingsError, match=r"profile\.history"):
        check_config(SessionConfig(), replace(ABLE, history=False), history)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (Utterance(speaker=Speaker.USER, text="\ud800"), "half a character"),
        (Notice(text=cast(str, 5)), "must be str"),
        (Picture(data=b"", media_type="image/png"), "empty"),
        (Picture(data=b"abc", media_type="image/gif"), "image/gif"),
        (ToolCall(id="", name="depth", arguments={}), "No call is named"),
        (ToolResult(call_id="a b", output=1), "No call is named"),
        (cast(HistoryItem, "Hello."), "The history holds str"),
    ],
)
def test_a_history_holds_what_can_be_told(item: HistoryItem, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        check_config(SessionConfig(), ABLE, [item])


def test_a_history_with_a_picture_needs_eyes() -> None:
    history: list[HistoryItem] = [
        Picture(data=b"abc", media_type="image/png"),
        Notice(text="They sail."),
    ]
    check_config(SessionConfig(), ABLE, history)
    with pytest.raises(SettingsError, match=r"profile\.images"):
        check_config(SessionConfig(), replace(ABLE, images=False), history)


def test_who_has_no_turns_is_not_asked_how_to_find_them() -> None:
    duplex = replace(ABLE, server_vad=False, hold=False, full_duplex=True)
    check_config(SessionConfig(), duplex, ())
    check_config(SessionConfig(interruptible=False), duplex, ())


def test_a_caller_who_owns_the_turns_owns_the_interruptions() -> None:
    config = SessionConfig(turn_detection=TurnDetection.CALLER, interruptible=False)
    check_config(config, replace(ABLE, hold=False), ())


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": -0.1},
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"speed": 0.0},
        {"speed": 0.24},
        {"speed": 1.51},
        {"speed": float("nan")},
        {"transcription_model": " "},
        {"transcription_model": "scribe", "transcribe": False},
        {"tools": [ToolDeclaration(name="", description="")]},
        {"tools": [ToolDeclaration(name="get weather", description="")]},
        {"tools": [ToolDeclaration(name="wetter_fürth", description="")]},
        {"tools": [ToolDeclaration(name="x" * 65, description="")]},
        {"silence_ms": 0},
        {"prefix_ms": -1},
        {"idle_timeout_ms": 0},
        {"idle_timeout_ms": 5000, "turn_detection": TurnDetection.SEMANTIC},
        {"max_output_tokens": 0},
        {"tools": [TOOL, TOOL]},
    ],
)
def test_values_that_no_model_takes(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        check_config(SessionConfig(**fields), ABLE, ())


@pytest.mark.parametrize(
    "command",
    [
        SendText(text=" "),
        Say(text=""),
        SendImage(data=b"", media_type="image/png"),
        SendImage(data=b"GIF89a", media_type="image/gif"),
        Update(tools=[TOOL, TOOL]),
        Update(tools=[ToolDeclaration(name="a.b", description="")]),
        RespondAside(instructions=" "),
        RespondAside(instructions="Sum up.", text=" "),
        RespondAside(instructions="Sum up.", text="\ud83d"),
        SendImage(data=bytes(12 * 2**20), media_type="image/png"),
        *(
            SendToolResult(result=ToolResult(call_id=call_id, output=1))
            for call_id in ("", " ", "call 1", "call_\n", "ruf_\u00e4", "c" * 257)
        ),
        *(
            Interrupt(played_ms={"item": played})  # type: ignore[dict-item]
            for played in (None, -1, -0.5, float("nan"), float("inf"), "12")
        ),
    ],
)
def test_commands_that_hold_nothing_usable(command: Command) -> None:
    with pytest.raises(SettingsError):
        check_command(command, SessionConfig(), ABLE)


@pytest.mark.parametrize("command", [StartTurn(), EndTurn()])
def test_turns_are_marked_by_a_caller_who_owns_them(command: Command) -> None:
    check_command(command, SessionConfig(turn_detection=TurnDetection.CALLER), ABLE)
    for detection in (TurnDetection.SERVER, TurnDetection.SEMANTIC):
        with pytest.raises(SettingsError, match="CALLER"):
            check_command(command, SessionConfig(turn_detection=detection), ABLE)


def test_what_was_played_is_a_number_from_0_up() -> None:
    check_command(Interrupt(played_ms={"a": 0, "b": 12.5}), SessionConfig(), ABLE)
    check_command(Interrupt(played_ms={}), SessionConfig(), ABLE)


def test_an_image_up_to_the_limit_is_taken() -> None:
    limit = ABLE.image_limit_bytes
    assert limit is not None
    check_command(SendImage(data=bytes(limit), media_type="image/png"), SessionConfig(), ABLE)
    unlimited = replace(ABLE, image_limit_bytes=None)
    big = SendImage(data=bytes(limit + 1), media_type="image/png")
    check_command(big, SessionConfig(), unlimited)
    with pytest.raises(SettingsError, match=str(limit)):
        check_command(big, SessionConfig(), ABLE)


def test_an_answer_can_always_be_asked_for() -> None:
    check_command(Respond(), SessionConfig(), ABLE)


def test_audio_must_fit_the_session() -> None:
    pcm, ulaw = sound_format(Encoding.PCM, ABLE), sound_format(Encoding.ULAW, ABLE)
    check_audio(b"\0\0", pcm)
    check_audio(b"\0\0", pcm, 24000, 1)
    check_audio(b"\0", ulaw, 8000)
    with pytest.raises(SoundError, match="3 bytes"):
        check_audio(b"\0\0\0", pcm)
    with pytest.raises(SoundError, match="16000 Hz"):
        check_audio(b"\0\0", pcm, 16000)
    with pytest.raises(SoundError, match="one channel"):
        check_audio(b"\0\0\0\0", pcm, 24000, 2)


@pytest.mark.parametrize("command", [SendText(text="\ud83d"), Say(text="\ud83d")])
def test_half_a_character_is_refused_before_it_is_queued(command: Command) -> None:
    with pytest.raises(SettingsError, match="half a character"):
        check_command(command, SessionConfig(), ABLE)


@pytest.mark.parametrize(
    ("field", "text", "meant"),
    [
        ("turn_detection", "caller", TurnDetection.CALLER),
        ("encoding", "ulaw", Encoding.ULAW),
        ("modality", "text", Modality.TEXT),
        ("reasoning", "low", Reasoning.LOW),
        ("noise_reduction", "far_field", NoiseReduction.FAR_FIELD),
    ],
)
def test_a_choice_may_be_given_by_its_name(field: str, text: str, meant: object) -> None:
    fields: dict[str, Any] = {field: text}
    assert getattr(SessionConfig(**fields), field) is meant
    wrongs: list[object] = ["purple", 3, []]
    for wrong in wrongs:
        fields = {field: wrong}
        with pytest.raises(SettingsError, match=field):
            SessionConfig(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"languages": "en"},
        {"languages": [3]},
        {"languages": None},
        {"languages": [""]},
        {"voice": ""},
        {"voice": 3},
        {"instructions": None},
        {"tools": [{"name": "x"}]},
        {"tools": None},
        {"tools": TOOL},
        {"threshold": "0.5"},
        {"threshold": True},
        {"speed": "fast"},
        {"silence_ms": 0.5},
        {"silence_ms": None},
        {"max_output_tokens": "9"},
        {"interruptible": None},
        {"transcription_model": 3},
    ],
)
def test_a_configuration_of_the_wrong_kind_is_refused(fields: dict[str, Any]) -> None:
    (name,) = fields
    with pytest.raises(SettingsError, match=name):
        check_config(SessionConfig(**fields), ABLE, ())


@pytest.mark.parametrize(
    "command",
    [
        SendText(text=None),  # type: ignore[arg-type]
        Say(text=3),  # type: ignore[arg-type]
        RespondAside(instructions=None),  # type: ignore[arg-type]
        RespondAside(instructions="x", text=3),  # type: ignore[arg-type]
        RespondAside(instructions="x", modality="text"),  # type: ignore[arg-type]
        SendImage(data="abc", media_type="image/png"),  # type: ignore[arg-type]
        Interrupt(played_ms=None),  # type: ignore[arg-type]
        Interrupt(played_ms=["a"]),  # type: ignore[arg-type]
        Interrupt(played_ms={"a": True}),
        Interrupt(played_ms={3: 1.0}),  # type: ignore[dict-item]
        Update(instructions=3),  # type: ignore[arg-type]
        Update(tools=[{"name": "x"}]),  # type: ignore[list-item]
        Update(voice=""),
        Update(voice=3),  # type: ignore[arg-type]
        SendToolResult(result=ToolResult(call_id="c", output=1), delivery="now"),  # type: ignore[arg-type]
    ],
)
def test_commands_of_the_wrong_kind_are_refused(command: Command) -> None:
    with pytest.raises(SettingsError):
        check_command(command, SessionConfig(), ABLE)


@pytest.mark.parametrize("audio", ["abcd", None, [0, 1], 3, np.zeros(480, dtype=np.int16)])
def test_audio_is_bytes(audio: Any) -> None:
    with pytest.raises(SoundError, match="bytes"):
        check_audio(audio, sound_format(Encoding.PCM, ABLE))
