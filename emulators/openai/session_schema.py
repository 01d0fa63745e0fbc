"""The fields of a session that a client may set, and the checks of their values.

Fields: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from typing import Any

from .errors import RequestRefused
from .validation import (
    array,
    boolean,
    choice,
    decimal,
    integer,
    mapping,
    nullable,
    record,
    text,
    text_or,
    text_up_to,
    variant,
)

VOICES = (
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
)


def _g711(path: str, value: Any) -> None:
    raise RequestRefused(
        f"This emulator does not speak '{value['type']}' yet: use 'audio/pcm' at 24000 Hz.",
        code="invalid_value",
        param=f"{path}.type",
    )


def _idle_timeout(path: str, value: Any) -> None:
    raise RequestRefused(
        f"This emulator has no idle timeout yet: leave '{path}' out.",
        code="invalid_value",
        param=path,
    )


def _modalities(path: str, value: Any) -> None:
    array(text)(path, value)
    if value not in (["text"], ["audio"]):
        raise RequestRefused(
            f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio'].",
            code="invalid_value",
            param=path,
        )


def _mcp(path: str, value: Any) -> None:
    raise RequestRefused(
        "This emulator runs no MCP servers: declare the tools as functions.",
        code="invalid_value",
        param=f"{path}.type",
    )


_FORMAT = variant(
    {
        "audio/pcm": record({"type": text, "rate": integer(24_000, 24_000)}, required=["rate"]),
        "audio/pcmu": _g711,
        "audio/pcma": _g711,
    }
)
_VOICE = text_or(record({"id": text}, required=["id"]), *VOICES)
TOOLS = array(
    variant(
        {
            "function": record(
                {
                    "type": text,
                    "name": text_up_to(64),
                    "description": text_up_to(1024),
                    "parameters": mapping,
                },
                required=["name"],
            ),
            "mcp": _mcp,
        }
    )
)
TOOL_CHOICE = text_or(
    variant({"function": record({"type": text, "name": text}, required=["name"]), "mcp": mapping}),
    "none",
    "auto",
    "required",
)
MAX_OUTPUT_TOKENS = text_or(integer(1, 32_000), "inf")
REASONING = record({"effort": choice("minimal", "low", "medium", "high", "xhigh")})
_TURN_DETECTION = variant(
    {
        "server_vad": record(
            {
                "type": text,
                "threshold": decimal(0, 1),
                "prefix_padding_ms": integer(0, 5000),
                "silence_duration_ms": integer(0, 10_000),
                "idle_timeout_ms": nullable(_idle_timeout),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
        "semantic_vad": record(
            {
                "type": text,
                "eagerness": choice("low", "medium", "high", "auto"),
                "create_response": boolean,
                "interrupt_response": boolean,
            }
        ),
    }
)
_TRANSCRIPTION = record(
    {
        "model": text,
        "language": nullable(text),
        "languages": nullable(array(text)),
        "prompt": nullable(text),
        "keywords": nullable(array(text)),
        "delay": nullable(text),
    },
    required=["model"],
)
_NOISE_REDUCTION = record(
    {"type": choice("near_field", "far_field"), "strength": decimal(0, 1)}, required=["type"]
)
OUTPUT_AUDIO = record({"format": _FORMAT, "voice": _VOICE, "speed": decimal(0.25, 1.5)})
OUTPUT_MODALITIES = _modalities
check_session = record(
    {
        "type": text,
        "model": text,
        "output_modalities": _modalities,
        "instructions": text,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "max_output_tokens": MAX_OUTPUT_TOKENS,
        "reasoning": nullable(REASONING),
        "truncation": text_or(mapping, "auto", "disabled"),
        "tracing": nullable(text_or(mapping, "auto")),
        "prompt": nullable(mapping),
        "include": nullable(array(choice("item.input_audio_transcription.logprobs"))),
        "audio": record(
            {
                "input": record(
                    {
                        "format": _FORMAT,
                        "transcription": nullable(_TRANSCRIPTION),
                        "noise_reduction": nullable(_NOISE_REDUCTION),
                        "turn_detection": nullable(_TURN_DETECTION),
                    }
                ),
                "output": OUTPUT_AUDIO,
            }
        ),
    }
)
"""Refuses the `session` of a session.update that the service would not take."""
