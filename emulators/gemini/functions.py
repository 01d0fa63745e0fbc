"""The functions that a client declares, held against what its model can."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..backends.backend import Tool
from .closes import INVALID_ARGUMENT, NOT_IMPLEMENTED, Closed, unknown_name
from .endpoint import Endpoint
from .models import Model, NonBlocking

_FUNCTION_NAME = re.compile(r"[A-Za-z_][\w.:-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The functions in force."""

    offered: tuple[Tool, ...] = ()
    non_blocking: frozenset[str] = frozenset()
    """The names of those that run while the model goes on."""
    text: str = ""
    """All declarations, for the count of tokens."""


def declared(tools: Sequence[Mapping[str, Any]], model: Model, endpoint: Endpoint) -> Tools:
    """Checked tools of the wire in the backends' words.

    Raises:
        Closed: The model or the endpoint does not take them.
    """
    functions = [entry for tool in tools for entry in tool.get("functionDeclarations", [])]
    offered: dict[str, Tool] = {}
    non_blocking = set()
    for function in functions:
        name = function.get("name", "")
        if name in offered or not _FUNCTION_NAME.fullmatch(name):
            raise Closed(INVALID_ARGUMENT)
        if endpoint.vertex and "behavior" in function:
            raise unknown_name("behavior", "setup.tools[0].function_declarations[0]")
        if _runs_beside(function.get("behavior"), model, endpoint):
            non_blocking.add(name)
        offered[name] = Tool(
            name=name,
            description=function.get("description", ""),
            parameters=_json_schema(function),
        )
    return Tools(
        offered=tuple(offered.values()),
        non_blocking=frozenset(non_blocking),
        text=orjson.dumps(functions).decode() if functions else "",
    )


def _runs_beside(behavior: str | None, model: Model, endpoint: Endpoint) -> bool:
    """Whether a function is NON_BLOCKING."""
    if endpoint.vertex:
        return False
    match model.non_blocking:
        case NonBlocking.OPT_IN:
            return behavior == "NON_BLOCKING"
        case NonBlocking.NEVER:
            if behavior == "NON_BLOCKING":
                raise Closed(NOT_IMPLEMENTED)
            return False
        case NonBlocking.DEFAULT:
            return behavior != "BLOCKING"
        case NonBlocking.ALWAYS:
            if behavior == "BLOCKING":
                raise Closed(INVALID_ARGUMENT)
            return True


def _json_schema(function: Mapping[str, Any]) -> Mapping[str, Any]:
    given = function.get("parametersJsonSchema")
    if isinstance(given, dict):
        return given
    schema: Mapping[str, Any] = _lower_case_types(function.get("parameters", {}))
    return schema


def _lower_case_types(schema: Any) -> Any:
    """An OpenAPI schema of the wire as JSON Schema."""
    if isinstance(schema, list):
        return [_lower_case_types(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _lower_case_types(value) for key, value in schema.items()}
    if isinstance(schema.get("type"), str):
        changed["type"] = schema["type"].lower()
    return changed
