"""The fields of a session that a client may set, and the checks of their values.

Fields: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update
"""

from typing import Any

from .errors import RequestRefused
from .validation import (
    anything,
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


def _modalities(path: str, value: Any) -> None:
    array(text)(path, value)
    if value not in (["text"], ["audio"]):
        raise RequestRefused(
            f"Invalid modalities: {value}. Supported combinations are: ['text'] and ['audio'].",
            code="invalid_value",
            param=path,
        )


_FORMAT = variant(
    {
        "audio/pcm": record({"type": text, "rate": integer(24_000, 24_000)}, required=["rate"]),
        "audio/pcmu": record({"type": text}),
        "audio/pcma": record({"type": text}),
    }
)
_VOICE = text_or(record({"id": text}, required=["id"]), *VOICES)

# Only kept: the emulator has no way to an MCP server.
_MCP = record(
    {
        "type": text,
        "server_label": text,
        "server_url": text,
        "server_description": text,
        "connector_id": text,
        "authorization": text,
        "headers": nullable(mapping),
        "allowed_tools": anything,
        "require_approval": anything,
        "defer_loading": boolean,
    },
    required=["server_label"],
)
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
            "mcp": _MCP,
        }
    )
)
TOOL_CHOICE = text_or(
    variant(
        {
            "function": record({"type": text, "name": text}, required=["name"]),
            "mcp": record(
                {"type": text, "server_label": text, "name": nullable(text)},
                required=["server_label"],
            ),
        }
    ),
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
                "idle_timeout_ms": nullable(integer(5000, 30_000)),
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
# Of the Beta alone; the dialect keeps it from others.
TEMPERATURE = decimal(0.6, 1.2)
PROMPT = record(
    {"id": text, "version": nullable(text), "variables": nullable(mapping)}, required=["id"]
)
_TRUNCATION = variant(
    {
        "retention_ratio": record(
            {
                "type": text,
                "retention_ratio": decimal(0, 1),
                "token_limits": record({"post_instructions": integer(0)}),
            },
            required=["retention_ratio"],
        )
    }
)
_TRACING = record({"workflow_name": text, "group_id": text, "metadata": mapping})
_INCLUDE = nullable(array(choice("item.input_audio_transcription.logprobs")))
_INPUT = {
    "format": _FORMAT,
    "transcription": nullable(_TRANSCRIPTION),
    "noise_reduction": nullable(_NOISE_REDUCTION),
    "turn_detection": nullable(_TURN_DETECTION),
}
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
        "temperature": TEMPERATURE,
        "truncation": text_or(_TRUNCATION, "auto", "disabled"),
        "tracing": nullable(text_or(_TRACING, "auto")),
        "prompt": nullable(PROMPT),
        "include": _INCLUDE,
        "audio": record({"input": record(_INPUT), "output": OUTPUT_AUDIO}),
    }
)
"""Refuses the `session` of a session.update that the service would not take."""

check_transcription_session = record(
    {"type": text, "include": _INCLUDE, "audio": record({"input": record(_INPUT)})}
)
"""The same of a session that only writes down what is said."""
