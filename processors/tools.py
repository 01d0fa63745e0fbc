"""Tools: what the model may call, declared by a function, a pydantic model or a JSON Schema."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Unpack, overload

import docstring_parser
from pydantic import BaseModel, ValidationError

from crossfade.conversation.tools import ToolDeclaration
from crossfade.errors import SettingsError

from .tool_arguments import (
    ToolArgumentsError,
    arguments_of,
    in_words,
    schema_of,
)
from .tool_policy import OnDuplicate, OnInterruption, PolicyFields, ToolPolicy
from .tool_results import capped, plain
from .tool_schema import arguments_model
from .tool_secrets import names_of, secret_names
from .tool_threads import in_thread

Handler = Callable[..., Any]
"""A plain function, an async one, or an async generator."""


class _Form(Enum):
    """How a handler takes its arguments."""

    KEYWORDS = "by name, as validated"
    MODEL = "one, the validated model"
    PLAIN = "one, a mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something the model may call. Made by `tool`, `model_tool`, `schema_tool` or `mcp_tools`."""

    declaration: ToolDeclaration
    handler: Handler
    arguments: type[BaseModel]
    policy: ToolPolicy
    form: _Form = _Form.KEYWORDS

    @property
    def name(self) -> str:
        return self.declaration.name

    def check(self, arguments: Mapping[str, Any]) -> BaseModel:
        """Validate arguments.

        Raises:
            ToolArgumentsError: In words the model can act on.
        """
        try:
            return self.arguments.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolArgumentsError(in_words(error, self.declaration.secrets)) from error

    async def run(
        self, arguments: Mapping[str, Any], on_part: Callable[[Any], None] | None = None
    ) -> Any:
        """Validate the arguments and call the handler.

        Args:
            arguments: As the model gave them.
            on_part: Told each value that an async generator yields, the last one included.

        Returns:
            The result, of a generator the last value: plain JSON, cut where it is too long.

        Raises:
            ToolArgumentsError: In words the model can act on.
        """
        call = self._bound(self.check(arguments), arguments)
        begun = await in_thread(call, self.name) if _in_thread(self.handler) else call()
        # A plain function may wrap an async one, and give what that one gives.
        if inspect.isasyncgen(begun):
            return await self._stream(begun, on_part)
        return self._finished(await begun if inspect.isawaitable(begun) else begun)

    async def _stream(
        self, stream: AsyncGenerator[Any, Any], on_part: Callable[[Any], None] | None
    ) -> Any:
        result = None
        async with aclosing(stream) as values:
            async for value in values:
                result = self._finished(value)
                if on_part is not None:
                    on_part(result)
        return result

    def _bound(self, checked: BaseModel, arguments: Mapping[str, Any]) -> Handler:
        match self.form:
            case _Form.KEYWORDS:
                values = {name: getattr(checked, name) for name in self.arguments.model_fields}
                return functools.partial(self.handler, **values)
            case _Form.MODEL:
                return functools.partial(self.handler, checked)
            case _Form.PLAIN:
                return functools.partial(self.handler, dict(arguments))

    def _finished(self, result: Any) -> Any:
        return capped(plain(result), self.policy.max_result_characters)


@overload
def tool(function: Handler, /) -> Tool: ...


@overload
def tool(
    *, name: str | None = None, policy: ToolPolicy | None = None, **fields: Unpack[PolicyFields]
) -> Callable[[Handler], Tool]: ...


def tool(
    function: Handler | None = None,
    /,
    *,
    name: str | None = None,
    policy: ToolPolicy | None = None,
    **fields: Unpack[PolicyFields],
) -> Tool | Callable[[Handler], Tool]:
    """Make a tool of a typed function; its docstring tells the model what it does.

    A plain function runs in a worker thread, an async one on the loop; what an async generator
    yields is told part by part, and its last value is the result. Arguments are described by the
    docstring's list of them, or by `Annotated[str, Field(description=…)]`.

    Example::

        @tool(acknowledge="Let me look that up.")
        async def get_weather(city: str) -> dict[str, Any]:
            \"""Tell the weather in a city.\"""

    Args:
        function: What is decorated.
        name: What the model calls it by; the function's name if None.
        policy: How calls are treated; fields of it may be given as keywords instead, or besides.
        **fields: Fields of `ToolPolicy`.

    Raises:
        SettingsError: The function has no docstring, an untyped parameter or one without a name
            of its own (`*args`), is a generator that is not async, or `secrets` names what is no
            argument.
    """
    rules = replace(policy or ToolPolicy(), **fields)

    def make(function: Handler) -> Tool:
        called = name or _name(function)
        doc = docstring_parser.parse(inspect.getdoc(function) or "")
        if not doc.description:
            raise SettingsError(
                f"the tool {called} needs a docstring: it tells the model what it does"
            )
        arguments = arguments_of(function, called, doc)
        return _tool(called, doc.description, arguments, function, rules, _Form.KEYWORDS)

    return make if function is None else make(function)


def model_tool(
    model: type[BaseModel],
    handler: Handler,
    *,
    name: str | None = None,
    description: str | None = None,
    policy: ToolPolicy | None = None,
    **fields: Unpack[PolicyFields],
) -> Tool:
    """Make a tool whose arguments are a pydantic model.

    Args:
        model: Its fields are the arguments.
        handler: Takes one argument, the model; any kind of function that `tool` takes.
        name: What the model calls it by; the handler's name if None.
        description: What it does; the model's docstring if None, else the handler's.
        policy: As with `tool`.
        **fields: As with `tool`.

    Raises:
        SettingsError: Nothing describes it, the handler is a generator that is not async, or
            `secrets` names what is no argument.
    """
    called = name or _name(handler)
    described = description or inspect.cleandoc(model.__doc__ or "") or inspect.getdoc(handler)
    if not described:
        raise SettingsError(f"the tool {called} needs a description: give {model.__name__} one")
    rules = replace(policy or ToolPolicy(), **fields)
    return _tool(called, described, model, handler, rules, _Form.MODEL)


def schema_tool(
    name: str,
    handler: Handler,
    *,
    description: str,
    parameters: Mapping[str, Any],
    policy: ToolPolicy | None = None,
    **fields: Unpack[PolicyFields],
) -> Tool:
    """Make a tool of a JSON Schema.

    Args:
        name: What the model calls it by.
        handler: Takes one argument, the mapping that the model gave, checked by the schema; any
            kind of function that `tool` takes.
        description: What it does.
        parameters: JSON Schema of an object.
        policy: As with `tool`.
        **fields: As with `tool`.

    Raises:
        SettingsError: It is no schema of an object, the handler is a generator that is not async,
            or `secrets` names what is no argument.
    """
    if parameters.get("type", "object") != "object":
        raise SettingsError(f"the parameters of the tool {name} must be the schema of an object")
    rules = replace(policy or ToolPolicy(), **fields)
    arguments = arguments_model(name, parameters)
    made = _tool(name, description, arguments, handler, rules, _Form.PLAIN)
    schema = {"type": "object", "properties": {}, **parameters}
    return replace(made, declaration=replace(made.declaration, parameters=schema))


def _tool(
    name: str,
    description: str,
    arguments: type[BaseModel],
    handler: Handler,
    policy: ToolPolicy,
    form: _Form,
) -> Tool:
    if inspect.isgeneratorfunction(_inner(handler)):
        raise SettingsError(
            f"the tool {name} is a generator; write `async def` to give its result in parts"
        )
    names = names_of(arguments)
    if unknown := policy.secrets - names.keys():
        raise SettingsError(
            f"the tool {name} has no argument {', '.join(sorted(unknown))} to keep secret; it has "
            f"{', '.join(schema_of(arguments)['properties']) or 'none'}"
        )
    # Under whatever name the model gives it.
    secrets = secret_names(arguments).union(*(names[secret] for secret in policy.secrets))
    declaration = ToolDeclaration(
        name=name,
        description=description,
        parameters=schema_of(arguments),
        blocking=policy.blocking,
        secrets=secrets,
    )
    return Tool(
        declaration=declaration, handler=handler, arguments=arguments, policy=policy, form=form
    )


def _inner(handler: Handler) -> Any:
    """The function itself, which tells its kind: of a partial, a method or a callable object."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    plain_function = inspect.isfunction(handler) or inspect.ismethod(handler)
    return handler if plain_function or inspect.isclass(handler) else type(handler).__call__


def _in_thread(handler: Handler) -> bool:
    """Whether a handler is a plain function, which may block."""
    inner = _inner(handler)
    return not (inspect.isasyncgenfunction(inner) or inspect.iscoroutinefunction(inner))


def _name(function: Handler) -> str:
    return str(getattr(function, "__name__", "tool"))


__all__ = [
    "Handler",
    "OnDuplicate",
    "OnInterruption",
    "Tool",
    "ToolArgumentsError",
    "ToolPolicy",
    "model_tool",
    "schema_tool",
    "tool",
]
