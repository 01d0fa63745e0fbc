"""Tools as the conversation knows them: what is declared, called and answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

HIDDEN = "[secret]"
"""Stands in logs and transcripts for an argument that they must not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool by the model."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    response_id: str = ""
    """The response that made the call; calls of one response are answered together."""
    unparsed: str | None = None
    """The argument text as it came, where it was no JSON object; `arguments` is then empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDeclaration:
    """A tool the model may call."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )
    """JSON Schema of an object."""
    blocking: bool | None = None
    """Whether the model waits for the answer before it speaks on, where the wire has both."""
    secrets: frozenset[str] = frozenset()
    """Names of arguments that no log and no transcript may hold. The model is not told of this."""

    def shown(self, call: ToolCall) -> ToolCall:
        """A call of this tool as logs may hold it."""
        if not self.secrets:
            return call
        # A model that gets a name wrong may give a secret by another one.
        plain = set(self.parameters.get("properties") or ()) - self.secrets
        arguments = {
            name: value if name in plain else HIDDEN for name, value in call.arguments.items()
        }
        return replace(
            call, arguments=arguments, unparsed=None if call.unparsed is None else HIDDEN
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """The answer to one call."""

    call_id: str
    output: Any
    """Anything JSON can say; falsy values are results too."""
    is_error: bool = False
