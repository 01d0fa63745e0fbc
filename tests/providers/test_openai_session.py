"""A neutral configuration in OpenAI's words, field by field."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError
from crossfade.providers.commands import Update
from crossfade.providers.config import (
    Eagerness,
    Encoding,
    Modality,
    NoiseReduction,
    Reasoning,
    SessionConfig,
    TurnDetection,
)
from crossfade.providers.openai_dialects import Dialect, find_dialect
from crossfade.providers.openai_session import change, configure
from crossfade.providers.validation import check_config

OPENAI = find_dialect("openai")
# Settings whose flag has a name of its own.
_FLAGS = {"compress_context": "keep_context"}
TOOL = ToolDeclaration(name="get_weather", description="Weather")
FLAT_TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Weather",
    "parameters": {"type": "object", "properties": {}},
}


def session(
    dialect: Dialect = OPENAI, model: str = "gpt-realtime-2.1", **fields: Any
) -> dict[str, Any]:
    message = orjson.loads(configure(SessionConfig(**fields), dialect.profile(model), dialect))
    assert message["type"] == "session.update"
    body: dict[str, Any] = message["session"]
    return body


def turn_detection(**fields: Any) -> Any:
    return session(**fields)["audio"]["input"]["turn_detection"]


def changed(dialect: Dialect = OPENAI, **fields: Any) -> dict[str, Any]:
    profile = dialect.profile("gpt-realtime-2.1")
    message = orjson.loads(change(Update(**fields), profile, dialect, "crossfade_update_1"))
    body: dict[str, Any] = message["session"]
    return body


def test_turns_by_sound_take_their_thresholds() -> None:
    detection = turn_detection(threshold=0.7, prefix_ms=250, silence_ms=400, idle_timeout_ms=6000)
    assert detection == {
        "type": "server_vad",
        "threshold": 0.7,
        "prefix_padding_ms": 250,
        "silence_duration_ms": 400,
        "idle_timeout_ms": 6000,
        "create_response": True,
        "interrupt_response": True,
    }


def test_turns_by_sense_take_an_eagerness() -> None:
    detection = turn_detection(
        turn_detection=TurnDetection.SEMANTIC, eagerness=Eagerness.LOW, threshold=0.5
    )
    assert detection == {
        "type": "semantic_vad",
        "eagerness": "low",
        "create_response": True,
        "interrupt_response": True,
    }


def test_an_agent_that_is_not_interrupted_is_asked_by_us() -> None:
    detection = turn_detection(interruptible=False)
    assert (detection["create_response"], detection["interrupt_response"]) == (False, False)


@pytest.mark.parametrize(
    ("languages", "transcription"),
    [
        ((), {"model": "gpt-realtime-whisper"}),
        (("de-CH",), {"model": "gpt-realtime-whisper", "language": "de"}),
        (("de", "en-GB"), {"model": "gpt-live-transcribe", "languages": ["de", "en"]}),
    ],
)
def test_the_recogniser_is_told_the_languages(
    languages: tuple[str, ...], transcription: dict[str, Any]
) -> None:
    assert session(languages=languages)["audio"]["input"]["transcription"] == transcription


def test_an_agent_may_write() -> None:
    assert session(modality=Modality.TEXT)["output_modalities"] == ["text"]


def test_speed_and_length_are_limits_of_the_answer() -> None:
    body = session(speed=1.25, max_output_tokens=64)
    assert body["audio"]["output"]["speed"] == 1.25
    assert body["max_output_tokens"] == 64


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [(Reasoning.OFF, "minimal"), (Reasoning.MINIMAL, "minimal"), (Reasoning.HIGH, "high")],
)
def test_reasoning_is_an_effort(reasoning: Reasoning, effort: str) -> None:
    assert session(reasoning=reasoning)["reasoning"] == {"effort": effort}


def test_what_is_not_asked_for_is_not_said() -> None:
    body = session()
    assert not {"reasoning", "truncation", "max_output_tokens", "speed"} & set(body)
    assert set(body["audio"]["output"]) == {"format"}


@pytest.mark.parametrize(
    ("encoding", "name"), [(Encoding.ULAW, "audio/pcmu"), (Encoding.ALAW, "audio/pcma")]
)
def test_g711_goes_both_ways(encoding: Encoding, name: str) -> None:
    audio = session(encoding=encoding)["audio"]
    assert audio["input"]["format"] == audio["output"]["format"] == {"type": name}


def test_the_context_may_be_kept_whole() -> None:
    assert session(compress_context=False)["truncation"] == "disabled"


def test_a_change_says_what_changes_and_nothing_else() -> None:
    assert changed(instructions="") == {"type": "realtime", "instructions": ""}
    assert changed(tools=[]) == {"type": "realtime", "tools": []}
    assert changed(tools=[TOOL]) == {
        "type": "realtime",
        "tools": [FLAT_TOOL],
        "parallel_tool_calls": True,
    }
    assert changed(voice="calm") == {"type": "realtime", "audio": {"output": {"voice": "sage"}}}


def test_a_change_in_a_flat_session_is_flat() -> None:
    beta = find_dialect("openai-beta")
    assert changed(beta, voice="calm", instructions="Hi") == {"voice": "sage", "instructions": "Hi"}


def test_tools_may_be_nested() -> None:
    qwen = find_dialect("qwen")
    function = {name: value for name, value in FLAT_TOOL.items() if name != "type"}
    assert session(qwen, tools=[TOOL])["tools"] == [{"type": "function", "function": function}]


def test_a_dialect_is_data() -> None:
    renamed = replace(OPENAI, recogniser="other")
    assert session(renamed)["audio"]["input"]["transcription"] == {"model": "other"}


@pytest.mark.parametrize("reduction", NoiseReduction)
def test_noise_is_taken_out_of_what_is_heard(reduction: NoiseReduction) -> None:
    wish = {"type": reduction.value}
    nested = session(noise_reduction=reduction)
    assert nested["audio"]["input"]["noise_reduction"] == wish
    flat = session(find_dialect("openai-beta"), noise_reduction=reduction)
    assert flat["input_audio_noise_reduction"] == wish
    assert "noise_reduction" not in session()["audio"]["input"]


def test_another_recogniser_may_write_down_the_users_words() -> None:
    def transcription(**fields: Any) -> Any:
        return session(**fields)["audio"]["input"]["transcription"]

    assert transcription(transcription_model="whisper-1", languages=["de-CH", "fr"]) == {
        "model": "whisper-1",
        "language": "de",
    }
    assert transcription(transcription_model="gpt-live-transcribe", languages=["de", "fr"]) == {
        "model": "gpt-live-transcribe",
        "languages": ["de", "fr"],
    }


@pytest.mark.parametrize(
    ("dialect", "fields"),
    [
        ("xai", {"max_output_tokens": 9}),
        ("xai", {"compress_context": False}),
        ("xai", {"noise_reduction": NoiseReduction.NEAR_FIELD}),
        ("xai", {"transcription_model": "scribe"}),
        ("openai-beta", {"compress_context": False}),
        ("azure-preview", {"noise_reduction": NoiseReduction.NEAR_FIELD}),
        ("azure-voice-live", {"compress_context": False}),
        ("qwen", {"compress_context": False}),
        ("qwen", {"noise_reduction": NoiseReduction.FAR_FIELD}),
    ],
)
def test_what_a_dialect_cannot_say_is_refused_by_name(dialect: str, fields: dict[str, Any]) -> None:
    ((name, _),) = fields.items()
    with pytest.raises(SettingsError, match=rf"profile\.{_FLAGS.get(name, name)}"):
        check_config(SessionConfig(**fields), find_dialect(dialect).profile("m"), ())
