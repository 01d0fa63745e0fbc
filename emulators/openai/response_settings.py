"""What a response.create may ask for, and what is then in force for its response.

Fields: https://platform.openai.com/docs/api-reference/realtime-client-events/response/create
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import RequestRefused
from .item_checks import check_item
from .session_schema import (
    MAX_OUTPUT_TOKENS,
    OUTPUT_AUDIO,
    OUTPUT_MODALITIES,
    PROMPT,
    REASONING,
    TEMPERATURE,
    TOOL_CHOICE,
    TOOLS,
)
from .validation import array, boolean, choice, mapping, nullable, record, text, text_up_to

_METADATA_PAIRS = 16


def _metadata(path: str, value: Any) -> None:
    mapping(path, value)
    if len(value) > _METADATA_PAIRS:
        raise RequestRefused(
            f"Invalid '{path}': too many properties. Expected an object with at most "
            f"{_METADATA_PAIRS} properties, but got {len(value)} instead.",
            code="object_above_max_properties",
            param=path,
        )
    for key, entry in value.items():
        text_up_to(512)(f"{path}.{key}", entry)


def _input_item(path: str, value: Any) -> None:
    if isinstance(value, dict) and value.get("type") == "item_reference":
        record({"type": text, "id": text}, required=["id"])(path, value)
    else:
        check_item(path, value)


check_response = record(
    {
        "conversation": choice("auto", "none"),
        "input": array(_input_item),
        "instructions": text,
        "output_modalities": OUTPUT_MODALITIES,
        "tools": TOOLS,
        "tool_choice": TOOL_CHOICE,
        "parallel_tool_calls": boolean,
        "reasoning": nullable(REASONING),
        "max_output_tokens": MAX_OUTPUT_TOKENS,
        "metadata": nullable(_metadata),
        "prompt": nullable(PROMPT),
        "temperature": TEMPERATURE,
        "audio": record({"output": OUTPUT_AUDIO}),
    }
)
"""Refuses a `response` of response.create that the service would not take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseSettings:
    """What is in force for one response: the session's configuration under the request's own."""

    modality: str
    """audio or text."""
    instructions: str
    tools: list[dict[str, Any]]
    tool_choice: Any
    parallel_tool_calls: bool
    max_output_tokens: int | str
    audio_output: Mapping[str, Any]
    metadata: Mapping[str, str] | None = None
    out_of_band: bool = False
    input: list[dict[str, Any]] | None = None
    """Items that take the conversation's place as context."""

    @classmethod
    def of(cls, session: Mapping[str, Any], request: Mapping[str, Any]) -> "ResponseSettings":
        """Settings from the session object and the checked `response` of a response.create."""

        def either(name: str) -> Any:
            return request.get(name, session[name])

        audio = {**session["audio"]["output"], **request.get("audio", {}).get("output", {})}
        return cls(
            modality=either("output_modalities")[0],
            instructions=either("instructions"),
            tools=either("tools"),
            tool_choice=either("tool_choice"),
            parallel_tool_calls={**session, **request}.get("parallel_tool_calls", True),
            max_output_tokens=either("max_output_tokens"),
            audio_output={"format": audio["format"], "voice": audio["voice"]},
            metadata=request.get("metadata"),
            out_of_band=request.get("conversation") == "none",
            input=request.get("input"),
        )
