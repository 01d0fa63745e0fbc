"""The session object and its updates."""

from typing import Any

import pytest

from crossfade.emulators.openai.configuration import Configuration
from crossfade.emulators.openai.errors import RequestRefused


def default(model: str = "gpt-realtime") -> Configuration:
    return Configuration.default(model, id="sess_1", expires_at=1_800_000_000)


def updated(change: dict[str, Any], **options: Any) -> Configuration:
    change = {"type": "realtime", **change}
    return default(**options).updated(change, voice_locked=False)


def refusal(change: Any, *, model: str = "gpt-realtime") -> RequestRefused:
    with pytest.raises(RequestRefused) as refused:
        default(model).updated(change, voice_locked=False)
    return refused.value


def test_the_defaults_are_those_that_the_service_was_seen_to_send() -> None:
    session = dict(default().session)
    assert session.pop("instructions")
    assert session == {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "model": "gpt-realtime",
        "output_modalities": ["audio"],
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 1_800_000_000,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "idle_timeout_ms": None,
                    "create_response": True,
                    "interrupt_response": True,
                },
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "voice": "alloy",
                "speed": 1.0,
            },
        },
        "include": None,
    }


def test_an_update_changes_only_what_it_names() -> None:
    detection = {"type": "server_vad", "silence_duration_ms": 500}
    first = updated({"audio": {"input": {"turn_detection": detection}}})
    second = first.updated({"type": "realtime", "tools": []}, voice_locked=False)
    assert second.turn_detection == {**(default().turn_detection or {}), "silence_duration_ms": 500}
    assert second.session["audio"]["output"] == default().session["audio"]["output"]
    assert default().session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200


def test_empty_instructions_bring_the_services_own_back() -> None:
    changed = updated({"instructions": "Be kind."})
    cleared = changed.updated({"type": "realtime", "instructions": ""})
    assert cleared.session == default().session


def test_null_turns_detection_off_and_another_kind_brings_its_own_defaults() -> None:
    off = updated({"audio": {"input": {"turn_detection": None}}})
    assert off.turn_detection is None
    change = {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}
    semantic = off.updated({"type": "realtime", **change}, voice_locked=False)
    assert semantic.turn_detection == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_a_transcription_is_shown_with_its_absent_fields() -> None:
    session = updated({"audio": {"input": {"transcription": {"model": "whisper-1"}}}}).session
    assert session["audio"]["input"]["transcription"] == {
        "model": "whisper-1",
        "language": None,
        "prompt": None,
    }


def test_only_reasoning_models_take_reasoning() -> None:
    change = {"type": "realtime", "reasoning": {"effort": "low"}}
    assert refusal(change).param == "session.reasoning"
    session = updated({"reasoning": {"effort": "low"}}, model="gpt-realtime-2.1").session
    assert session["reasoning"] == {"effort": "low"}


@pytest.mark.parametrize(("model", "limit"), [("gpt-realtime", 4096), ("gpt-realtime-2", 32_000)])
def test_the_limit_of_output_is_the_models(model: str, limit: int) -> None:
    assert updated({"max_output_tokens": limit}, model=model).session["max_output_tokens"] == limit
    refused = refusal({"type": "realtime", "max_output_tokens": limit + 1}, model=model)
    assert (refused.code, refused.param) == (
        "integer_above_max_value",
        "session.max_output_tokens",
    )


def test_tracing_is_not_changed_once_it_is_set() -> None:
    traced = updated({"tracing": "auto"})
    assert traced.updated({"type": "realtime", "tracing": "auto"}).session["tracing"] == "auto"
    with pytest.raises(RequestRefused) as refused:
        traced.updated({"type": "realtime", "tracing": None})
    assert refused.value.param == "session.tracing"


INPUT = "session.audio.input"


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({}, "missing_required_parameter", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"type": "realtime", "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
        ({"type": "realtime", "model": "gpt-realtime-2"}, "invalid_value", "session.model"),
        ({"type": "realtime", "instructions": None}, "invalid_type", "session.instructions"),
        (
            {"type": "realtime", "output_modalities": ["text", "audio"]},
            "invalid_value",
            "session.output_modalities",
        ),
        (
            {"type": "realtime", "tools": [{}]},
            "missing_required_parameter",
            "session.tools[0].type",
        ),
        (
            {"type": "realtime", "tools": [{"type": "function", "name": "f", "strict": True}]},
            "unknown_parameter",
            "session.tools[0].strict",
        ),
        (
            {
                "type": "realtime",
                "tools": [{"type": "function", "name": "f", "description": "x" * 1025}],
            },
            "string_above_max_length",
            "session.tools[0].description",
        ),
        (
            {"type": "realtime", "truncation": {"type": "retention_ratio"}},
            "missing_required_parameter",
            "session.truncation.retention_ratio",
        ),
        ({"type": "realtime", "prompt": {}}, "missing_required_parameter", "session.prompt.id"),
        (
            {"type": "realtime", "include": ["x"]},
            "invalid_value",
            "session.include[0]",
        ),
        (
            {"type": "realtime", "max_output_tokens": 0},
            "integer_below_min_value",
            "session.max_output_tokens",
        ),
        (
            {"type": "realtime", "audio": {"output": {"voice": "nobody"}}},
            "invalid_value",
            "session.audio.output.voice",
        ),
        (
            {"type": "realtime", "audio": {"output": {"speed": 2}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
    ],
)
def test_a_wrong_session_field_is_refused(change: dict[str, Any], code: str, param: str) -> None:
    refused = refusal(change)
    assert (refused.code, refused.param) == (code, param)


@pytest.mark.parametrize(
    ("field", "code", "path"),
    [
        (
            {"format": {"type": "audio/pcm", "rate": 16000}},
            "integer_below_min_value",
            "format.rate",
        ),
        ({"format": {"type": "audio/pcm"}}, "missing_required_parameter", "format.rate"),
        (
            {"format": {"type": "audio/pcmu", "rate": 8000}},
            "unknown_parameter",
            "format.rate",
        ),
        ({"transcription": {}}, "missing_required_parameter", "transcription.model"),
        (
            {"turn_detection": {"type": "server_vad", "threshold": 1.5}},
            "decimal_above_max_value",
            "turn_detection.threshold",
        ),
        (
            {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 4999}},
            "integer_below_min_value",
            "turn_detection.idle_timeout_ms",
        ),
    ],
)
def test_a_wrong_field_of_the_input_audio_is_refused(
    field: dict[str, Any], code: str, path: str
) -> None:
    refused = refusal({"type": "realtime", "audio": {"input": field}})
    assert (refused.code, refused.param) == (code, f"{INPUT}.{path}")
