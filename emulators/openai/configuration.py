"""The session object: its defaults, and how a session.update is merged into it.

Defaults are those of captured `session.created` events.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..backends.backend import Tool
from .errors import RequestRefused, invalid_value, missing_parameter
from .session_schema import check_session
from .validation import mapping

SAMPLE_RATE_HZ = 24_000
BYTES_PER_MS = SAMPLE_RATE_HZ * 2 // 1000

MODELS = (
    "gpt-realtime-2.1",
    "gpt-realtime-2.1-mini",
    "gpt-realtime-2",
    "gpt-realtime-1.5",
    "gpt-realtime",
    "gpt-realtime-mini",
)
_INSTRUCTIONS = (
    "You are a friendly assistant that speaks with its user. Keep answers short, and call a "
    "function where one fits."
)
_SERVER_VAD: Mapping[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 200,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
_SEMANTIC_VAD: Mapping[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}


def reasons(model: str) -> bool:
    """Whether `model` thinks before it answers and calls functions in parallel."""
    return model.startswith("gpt-realtime-2")


class Configuration:
    """The effective configuration of one session. Merging makes a new one."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        self.session = session

    @classmethod
    def default(cls, model: str, *, id: str, expires_at: int) -> "Configuration":
        """What a session of `model` starts with; `expires_at` is in Unix seconds."""
        pcm = {"type": "audio/pcm", "rate": SAMPLE_RATE_HZ}
        session: dict[str, Any] = {
            "type": "realtime",
            "object": "realtime.session",
            "id": id,
            "model": model,
            "output_modalities": ["audio"],
            "instructions": _INSTRUCTIONS,
            "tools": [],
            "tool_choice": "auto",
            "max_output_tokens": "inf",
            "tracing": None,
            "truncation": "auto",
            "prompt": None,
            "expires_at": expires_at,
            "audio": {
                "input": {
                    "format": pcm,
                    "transcription": None,
                    "noise_reduction": None,
                    "turn_detection": dict(_SERVER_VAD),
                },
                "output": {"format": pcm, "voice": "alloy", "speed": 1.0},
            },
            "include": None,
        }
        if reasons(model):
            session |= {"parallel_tool_calls": True, "reasoning": None}
        return cls(session)

    def updated(self, change: Any, *, voice_locked: bool) -> "Configuration":
        """This configuration with the fields of `change`, the `session` of a session.update.

        Raises:
            RequestRefused: A field is missing, unknown or out of range; nothing is changed.
        """
        mapping("session", change)
        if "type" not in change:
            raise missing_parameter("session.type")
        if change["type"] == "transcription":
            raise RequestRefused(
                "Passing a transcription session update to a realtime session is not allowed.",
                code="invalid_value",
                param="session.type",
            )
        if change["type"] != "realtime":
            raise invalid_value("session.type", change["type"], ["realtime", "transcription"])
        check_session("session", change)
        self._check_model(change)
        voice = change.get("audio", {}).get("output", {}).get("voice", self.voice)
        if voice_locked and voice != self.voice:
            raise RequestRefused(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
            )
        return Configuration(_merged(self.session, change))

    def _check_model(self, change: Mapping[str, Any]) -> None:
        if change.get("model", self.model) != self.model:
            raise RequestRefused(
                f"Cannot change the model of a session that runs '{self.model}'.",
                code="invalid_value",
                param="session.model",
            )
        if change.get("reasoning") is not None and not reasons(self.model):
            raise RequestRefused(
                f"The model '{self.model}' does not support 'session.reasoning'.",
                code="invalid_value",
                param="session.reasoning",
            )

    @property
    def model(self) -> str:
        return str(self.session["model"])

    @property
    def voice(self) -> Any:
        """A voice's name, or an object with the `id` of a custom one."""
        return self.session["audio"]["output"]["voice"]

    @property
    def turn_detection(self) -> Mapping[str, Any] | None:
        detection: Mapping[str, Any] | None = self.session["audio"]["input"]["turn_detection"]
        return detection

    @property
    def transcription_model(self) -> str | None:
        transcription = self.session["audio"]["input"]["transcription"]
        return None if transcription is None else str(transcription["model"])

    @property
    def tools(self) -> list[Tool]:
        return declared_tools(self.session["tools"])


def declared_tools(tools: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Checked tools of the wire in the backends' words."""
    return [
        Tool(
            name=tool["name"],
            description=tool.get("description", ""),
            parameters=tool.get("parameters", {}),
        )
        for tool in tools
    ]


def _merged(session: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**session, **change}
    audio = change.get("audio", {})
    received = {**session["audio"]["input"], **audio.get("input", {})}
    received["turn_detection"] = _completed_turn_detection(
        session["audio"]["input"]["turn_detection"], received["turn_detection"]
    )
    if received["transcription"] is not None:
        received["transcription"] = {"language": None, "prompt": None, **received["transcription"]}
    sent = {**session["audio"]["output"], **audio.get("output", {})}
    merged["audio"] = {"input": received, "output": sent}
    return merged


def _completed_turn_detection(
    current: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """`wanted` with its absent fields as they are in `current`, or else by default."""
    if wanted is None:
        return None
    if current is not None and current["type"] == wanted["type"]:
        return {**current, **wanted}
    return {**(_SERVER_VAD if wanted["type"] == "server_vad" else _SEMANTIC_VAD), **wanted}
