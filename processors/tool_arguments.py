"""Arguments of tools: as a function's signature tells them, and in words for the model."""

import inspect
from collections.abc import Callable
from typing import Any

from docstring_parser import Docstring
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic import create_model as make_model
from pydantic.fields import FieldInfo

from crossfade.errors import SettingsError

_MOST_PROBLEMS = 8


class ToolArgumentsError(Exception):
    """The model's arguments do not fit. The text is meant for the model."""


def arguments_of(function: Callable[..., Any], name: str, doc: Docstring) -> type[BaseModel]:
    """Build a model of a function's parameters.

    Raises:
        SettingsError: A parameter has no type, or no name of its own.
    """
    described = {entry.arg_name: entry.description for entry in doc.params}
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise SettingsError(
                f"the tool {name} takes {parameter}; name each parameter, so that the model knows "
                "it"
            )
        if parameter.annotation is parameter.empty:
            raise SettingsError(f"the tool {name} needs a type for its parameter {parameter.name}")
        default = ... if parameter.default is parameter.empty else parameter.default
        # A default may be a field of its own, which says more than a description.
        if text := described.get(parameter.name):
            default = _described(default, text)
        fields[parameter.name] = (parameter.annotation, default)
    return make_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _described(default: Any, text: str) -> Any:
    return default if isinstance(default, FieldInfo) else Field(default, description=text)


def schema_of(arguments: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema that the model is told."""
    schema = arguments.model_json_schema()
    # The model's docstring describes the tool, and stands there.
    for word in ("title", "description"):
        schema.pop(word, None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return {"type": "object", "properties": {}, **schema}


def in_words(error: ValidationError, secrets: frozenset[str]) -> str:
    """What is wrong with arguments, for the model; secret ones are not quoted."""
    problems = []
    found = error.errors(include_url=False, include_input=False, include_context=False)
    for problem in found[:_MOST_PROBLEMS]:
        place = problem["loc"]
        # The words of a check of one's own may quote what it checked, of the whole any argument.
        secret = bool(secrets) if not place else str(place[0]) in secrets
        said = "is missing or not valid" if secret else problem["msg"]
        problems.append(f"{'.'.join(map(str, place)) or 'arguments'}: {said}")
    if (more := len(found) - len(problems)) > 0:
        problems.append(f"and {more} more")
    return "The arguments do not fit. " + "; ".join(problems) + ". Correct them and call again."


__all__ = ["ToolArgumentsError", "arguments_of", "in_words", "schema_of"]
