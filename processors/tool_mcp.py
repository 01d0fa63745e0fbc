"""Tools of MCP servers (Model Context Protocol), by pipecat's client.

Needs the extra `mcp`. Source: https://modelcontextprotocol.io/specification
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from loguru import logger

from crossfade.errors import SettingsError

from .tool_policy import ToolPolicy
from .tool_results import as_text
from .tools import Tool, schema_tool

_MISSING = "MCP servers need the package mcp: pip install 'crossfade[mcp]'"


@contextlib.asynccontextmanager
async def mcp_tools(
    server: Any,
    *,
    only: Sequence[str] | None = None,
    policy: ToolPolicy | None = None,
    policies: Mapping[str, ToolPolicy] | None = None,
) -> AsyncIterator[list[Tool]]:
    """Connect to an MCP server; its tools can be called for as long as the block lasts.

    Example::

        from mcp import StdioServerParameters

        async with mcp_tools(StdioServerParameters(command="my-server")) as tools:
            async with native_call(..., tools=[*tools, get_weather]) as call:
                await call.run()

    Args:
        server: What pipecat's MCPClient takes: StdioServerParameters, SseServerParameters or
            StreamableHttpParameters; or an MCPClient of your own, for its filters. Such a
            one does not tell of types that its tools' schemas refer to, and what is given for
            them is not checked.
        only: Names of the tools to take; all if None.
        policy: How calls are treated.
        policies: The same for single tools, by name.

    Raises:
        SettingsError: The package mcp is not installed, or the server has no tool of that name.
    """
    own = hasattr(server, "tools")
    client = server if own else _client(server)
    try:
        listed = (await client.tools()).standard_tools
        refers = any("$ref" in as_text(dict(schema.properties)) for schema in listed)
        schemas = await _input_schemas(server) if refers and not own else {}
        by_name = {schema.name: schema for schema in listed}
        names = by_name.keys() if only is None else only
        wanted = (*names, *(policies or ()))
        if missing := [name for name in wanted if name not in by_name]:
            raise SettingsError(
                f"the MCP server has no tool {', '.join(missing)}; it has {', '.join(by_name)}"
            )
        yield [
            _tool(
                by_name[name],
                schemas.get(name) or _parameters(by_name[name]),
                (policies or {}).get(name) or policy or ToolPolicy(),
            )
            for name in names
        ]
    finally:
        await client.close()


def _client(server: Any) -> Any:
    try:
        from pipecat.services.mcp_service import MCPClient
    except ImportError as error:
        raise SettingsError(_MISSING) from error
    return MCPClient(server_params=server)


async def _input_schemas(server: Any) -> Mapping[str, Mapping[str, Any]]:
    """The schemas of a server's tools, whole.

    Pipecat's client keeps their properties alone, which may refer to the rest. So the server is
    asked a second time, where they do.
    """
    from mcp.client.session_group import ClientSessionGroup

    try:
        async with ClientSessionGroup() as group:
            await group.connect_to_server(server)
            return {tool.name: dict(tool.input_schema) for tool in group.tools.values()}
    except Exception as error:
        logger.warning(f"some types of the MCP server's tools stay unknown: {error!r}")
        return {}


def _parameters(schema: Any) -> Mapping[str, Any]:
    """The parameters as pipecat's client has them; what they refer to is not known."""
    return {
        "type": "object",
        "properties": _without_references(dict(schema.properties)),
        "required": list(schema.required),
    }


def _without_references(schema: Any) -> Any:
    match schema:
        case dict():
            kept = {name: each for name, each in schema.items() if name != "$ref"}
            return {name: _without_references(each) for name, each in kept.items()}
        case list():
            return [_without_references(each) for each in schema]
    return schema


def _tool(schema: Any, parameters: Mapping[str, Any], policy: ToolPolicy) -> Tool:
    return schema_tool(
        schema.name,
        functools.partial(_call, schema),
        description=schema.description or schema.name,
        parameters=parameters,
        policy=policy,
    )


async def _call(schema: Any, arguments: Mapping[str, Any]) -> Any:
    """Call by the handler that pipecat would have its own services call."""
    from pipecat.services.llm_service import FunctionCallParams

    results: list[Any] = []

    async def keep(result: Any, **_properties: Any) -> None:
        results.append(result)

    nothing = cast(Any, None)
    await schema.handler(
        FunctionCallParams(
            function_name=schema.name,
            tool_call_id="",
            arguments=arguments,
            llm=nothing,
            pipeline_worker=nothing,
            context=nothing,
            result_callback=keep,
        )
    )
    return results[-1] if results else None


__all__ = ["mcp_tools"]
