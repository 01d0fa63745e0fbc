"""Takes what a tool's policy calls secret out of the messages of a wire, before they are logged."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any, Self

import orjson

from crossfade.conversation.tools import ToolDeclaration

from .redaction import REMOVED

_DELTA = "function_call_arguments.delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretArguments:
    """Names of arguments that are hidden; empty where no tool has secrets.

    Not every message names its tool, so that what one tool calls secret is hidden of all. A model
    that gets a name wrong may give a secret by another one: names that no tool declares are
    hidden, too.
    """

    secrets: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()

    @classmethod
    def of(cls, tools: Iterable[ToolDeclaration]) -> Self:
        """Those of a call with these tools."""
        each = tuple(tools)
        return cls(
            secrets=frozenset().union(*(tool.secrets for tool in each)),
            declared=frozenset().union(*(tool.parameters.get("properties") or () for tool in each)),
        )

    def __bool__(self) -> bool:
        return bool(self.secrets)

    def __contains__(self, name: object) -> bool:
        return bool(self) and (name in self.secrets or name not in self.declared)

    def __or__(self, other: "SecretArguments") -> "SecretArguments":
        return SecretArguments(
            secrets=self.secrets | other.secrets, declared=self.declared | other.declared
        )


def hide_arguments(message: Any, secrets: Container[str]) -> Any:
    """A copy of a message in which the secret arguments of tools are removed.

    Args:
        message: A decoded message of any wire, or a part of one.
        secrets: Names of arguments; arguments that come in pieces are hidden whole.
    """
    if isinstance(message, list):
        return [hide_arguments(part, secrets) for part in message]
    if not isinstance(message, dict):
        return message
    hidden = {}
    pieces = str(message.get("type", "")).endswith(_DELTA)
    for key, value in message.items():
        if key in ("arguments", "args"):
            hidden[key] = _without(value, secrets)
        elif pieces and key == "delta":
            hidden[key] = REMOVED
        else:
            hidden[key] = hide_arguments(value, secrets)
    return hidden


def _without(arguments: Any, secrets: Container[str]) -> Any:
    if isinstance(arguments, dict):
        return {name: REMOVED if name in secrets else value for name, value in arguments.items()}
    if not isinstance(arguments, str) or not arguments:
        return arguments
    try:
        read = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return REMOVED
    return orjson.dumps(_without(read, secrets)).decode() if isinstance(read, dict) else REMOVED


__all__ = ["SecretArguments", "hide_arguments"]
