"""The session object: its defaults, and how a session.update is merged into it.

Defaults are those of captured `session.created` events.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ..backends.backend import Tool
from .errors import RequestRefused, invalid_value, missing_parameter
from .session_schema import check_session, check_transcription_session
from .sound_formats import PCM, SoundFormat, sound_format
from .validation import integer, mapping

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


_TRANSCRIPTION_VAD = {name: _SERVER_VAD[name] for name in list(_SERVER_VAD)[:4]}
_DETECTION = {"server_vad": _SERVER_VAD, "semantic_vad": _SEMANTIC_VAD}
_SMALL_OUTPUT_LIMIT = 4096


def reasons(model: str) -> bool:
    """Whether `model` thinks before it answers and calls functions in parallel."""
    return model.startswith("gpt-realtime-2")


class Configuration:
    """The effective configuration of one session. Merging makes a new one."""

    def __init__(self, session: Mapping[str, Any]) -> None:
        self.session = session

    @classmethod
    def default(
        cls, model: str, *, id: str, expires_at: int, extra: Mapping[str, Any] | None = None
    ) -> "Configuration":
        """What a session starts with.

        Args:
            model: Whose session it is.
            id: Of the session.
            expires_at: In Unix seconds.
            extra: Fields that only some dialect knows.
        """
        pcm = {"type": "audio/pcm", "rate": PCM.rate_hz}
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
            **(extra or {}),
        }
        if reasons(model):
            session |= {"parallel_tool_calls": True, "reasoning": None}
        return cls(session)

    @classmethod
    def transcription(cls, *, id: str, expires_at: int) -> "Configuration":
        """What a session starts with that only writes down what is said."""
        return cls(
            {
                "type": "transcription",
                "object": "realtime.transcription_session",
                "id": id,
                "expires_at": expires_at,
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": PCM.rate_hz},
                        "transcription": None,
                        "noise_reduction": None,
                        "turn_detection": dict(_TRANSCRIPTION_VAD),
                    }
                },
                "include": None,
            }
        )

    def updated(self, change: Any, *, voice_locked: bool = False) -> "Configuration":
        """This configuration with the fields of `change`, the `session` of a session.update.

        Raises:
            RequestRefused: A field is missing, unknown or out of range; nothing is changed.
        """
        mapping("session", change)
        if "type" not in change:
            raise missing_parameter("session.type")
        if change["type"] not in ("realtime", "transcription"):
            raise invalid_value("session.type", change["type"], ["realtime", "transcription"])
        if change["type"] != self.session["type"]:
            raise RequestRefused(
                f"Passing a {change['type']} session update to a {self.session['type']} session "
                "is not allowed.",
                code="invalid_value",
                param="session.type",
            )
        if self.transcribes_only:
            check_transcription_session("session", change)
        else:
            check_session("session", change)
            self.check_voice(change, voice_locked=voice_locked)
            self.check_model(change, "session")
            self._check_fixed(change)
        return Configuration(_merged(self.session, change))

    def check_voice(self, change: Mapping[str, Any], *, voice_locked: bool) -> None:
        """Refuse another voice once the model has spoken."""
        voice = change.get("audio", {}).get("output", {}).get("voice", self.voice)
        if voice_locked and voice != self.voice:
            raise RequestRefused(
                "Cannot update a conversation's voice if assistant audio is present.",
                code="cannot_update_voice",
            )

    def check_model(self, change: Mapping[str, Any], path: str) -> None:
        """Refuse what the model does not do, in a session or a response."""
        if change.get("reasoning") is not None and not reasons(self.model):
            raise RequestRefused(
                f"The model '{self.model}' does not support '{path}.reasoning'.",
                code="invalid_value",
                param=f"{path}.reasoning",
            )
        if not reasons(self.model) and isinstance(change.get("max_output_tokens"), int):
            integer(1, _SMALL_OUTPUT_LIMIT)(
                f"{path}.max_output_tokens", change["max_output_tokens"]
            )

    def _check_fixed(self, change: Mapping[str, Any]) -> None:
        if change.get("model", self.model) != self.model:
            raise RequestRefused(
                f"Cannot change the model of a session that runs '{self.model}'.",
                code="invalid_value",
                param="session.model",
            )
        tracing = self.session["tracing"]
        if tracing is not None and change.get("tracing", tracing) != tracing:
            raise RequestRefused(
                "Cannot change tracing once it is set.",
                code="invalid_value",
                param="session.tracing",
            )

    @property
    def transcribes_only(self) -> bool:
        """Whether the session only writes down what is said."""
        return bool(self.session["type"] == "transcription")

    @property
    def input_format(self) -> SoundFormat:
        return sound_format(self.session["audio"]["input"]["format"])

    @property
    def wants_logprobs(self) -> bool:
        return bool(self.session["include"])

    @property
    def model(self) -> str:
        """Empty where a session only writes down what is said."""
        return str(self.session.get("model", ""))

    @property
    def voice(self) -> Any:
        """A voice's name, or an object with the `id` of a custom one. Only of speaking sessions."""
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
        return declared_tools(self.session.get("tools", ()))

    @property
    def mcp_servers(self) -> list[str]:
        """The labels of the MCP servers whose tools are wanted."""
        tools = self.session.get("tools", ())
        return [tool["server_label"] for tool in tools if tool["type"] == "mcp"]


def declared_tools(tools: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """The functions among checked tools of the wire, in the backends' words."""
    return [
        Tool(
            name=tool["name"],
            description=tool.get("description", ""),
            parameters=tool.get("parameters", {}),
        )
        for tool in tools
        if tool["type"] == "function"
    ]


def _merged(session: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**session, **change}
    if merged.get("instructions") == "":
        # So in captures: clearing them brings the service's own back.
        merged["instructions"] = _INSTRUCTIONS
    audio = {side: dict(fields) for side, fields in session["audio"].items()}
    for side, fields in change.get("audio", {}).items():
        audio[side] |= fields
    heard, before = audio["input"], session["audio"]["input"]
    heard["turn_detection"] = _completed_turn_detection(
        before["turn_detection"],
        heard["turn_detection"],
        _DETECTION if session["type"] == "realtime" else {"server_vad": _TRANSCRIPTION_VAD},
    )
    if heard["transcription"] is not None:
        heard["transcription"] = {"language": None, "prompt": None, **heard["transcription"]}
    if heard["noise_reduction"] is not None and "strength" in (before["noise_reduction"] or {}):
        strength = before["noise_reduction"]["strength"]
        heard["noise_reduction"] = {"strength": strength, **heard["noise_reduction"]}
    merged["audio"] = audio
    return merged


def _completed_turn_detection(
    current: Mapping[str, Any] | None,
    wanted: Mapping[str, Any] | None,
    defaults: Mapping[str, Mapping[str, Any]],
) -> Mapping[str, Any] | None:
    """`wanted` with its absent fields as they are in `current`, or else by default."""
    if wanted is None:
        return None
    if current is not None and current["type"] == wanted["type"]:
        return {**current, **wanted}
    return {**defaults.get(wanted["type"], {}), **wanted}
