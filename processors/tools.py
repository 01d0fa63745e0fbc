"""Tools as functions: declared by their signature, validated before they run."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, overload

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError

Handler = Callable[..., Awaitable[Any]]


class ToolArgumentsError(Exception):
    """The model's arguments do not fit. The text is meant for the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function the model may call.

    Attributes:
        timeout_ms: The call is given up after that, and the model is told.
        acknowledge: What is said to the caller when the call is slow; None for nothing.
        acknowledge_after_ms: How long a call may take before that is said.
    """

    declaration: ToolDeclaration
    handler: Handler
    arguments: type[BaseModel]
    timeout_ms: int = 10_000
    acknowledge: str | None = "One moment, please."
    acknowledge_after_ms: int = 700

    @property
    def name(self) -> str:
        return self.declaration.name

    async def run(self, arguments: Mapping[str, Any]) -> Any:
        """Validate the arguments and call the function; the result is made plain JSON.

        Raises:
            ToolArgumentsError: In words the model can act on.
        """
        try:
            checked = self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolArgumentsError(_for_the_model(error)) from error
        values = {name: getattr(checked, name) for name in self.arguments.model_fields}
        result = await self.handler(**values)
        return _JSON.dump_python(result, mode="json")


@overload
def tool(function: Handler, /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    timeout_ms: int = 10_000,
    acknowledge: str | None = "One moment, please.",
    acknowledge_after_ms: int = 700,
) -> Callable[[Handler], Tool]: ...


def tool(
    function: Handler | None = None,
    /,
    *,
    name: str | None = None,
    timeout_ms: int = 10_000,
    acknowledge: str | None = "One moment, please.",
    acknowledge_after_ms: int = 700,
) -> Tool | Callable[[Handler], Tool]:
    """Make a tool of a typed async function; its docstring tells the model what it does.

    Example::

        @tool(timeout_ms=5000, acknowledge="Let me look that up.")
        async def get_weather(city: str) -> dict[str, Any]:
            \"""Tell the weather in a city.\"""

    Raises:
        SettingsError: If the function is not async, has no docstring or an untyped parameter.
    """

    def make(function: Handler) -> Tool:
        arguments = _arguments_model(function)
        return Tool(
            declaration=ToolDeclaration(
                name=name or _name(function),
                description=inspect.getdoc(function) or "",
                parameters=_parameters(arguments),
            ),
            handler=function,
            arguments=arguments,
            timeout_ms=timeout_ms,
            acknowledge=acknowledge,
            acknowledge_after_ms=acknowledge_after_ms,
        )

    return make if function is None else make(function)


_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def _name(function: Handler) -> str:
    return str(getattr(function, "__name__", "tool"))


def _arguments_model(function: Handler) -> type[BaseModel]:
    name = _name(function)
    if not inspect.iscoroutinefunction(function):
        raise SettingsError(f"the tool {name} must be an async function: write `async def {name}`")
    if not inspect.getdoc(function):
        raise SettingsError(f"the tool {name} needs a docstring: it tells the model what it does")
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        if parameter.annotation is inspect.Parameter.empty:
            raise SettingsError(f"the tool {name} needs a type for its parameter {parameter.name}")
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (parameter.annotation, default)
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


def _parameters(arguments: type[BaseModel]) -> dict[str, Any]:
    schema = arguments.model_json_schema()
    schema.pop("title", None)
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
    return schema


def _for_the_model(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return "The arguments do not fit. " + "; ".join(problems) + ". Correct them and call again."
