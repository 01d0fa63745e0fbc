"""Tools of MCP servers (Model Context Protocol), by pipecat's client.

Needs the extra `mcp`. Source: https://modelcontextprotocol.io/specification
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

from crossfade.errors import SettingsError

from .tool_policy import ToolPolicy
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
            StreamableHttpParameters; or an MCPClient of your own, for its filters.
        only: Names of the tools to take; all if None.
        policy: How calls are treated.
        policies: The same for single tools, by name.

    Raises:
        SettingsError: The package mcp is not installed, or the server has no tool of that name.
    """
    client = server if hasattr(server, "tools") else _client(server)
    try:
        listed = (await client.tools()).standard_tools
        by_name = {schema.name: schema for schema in listed}
        names = by_name.keys() if only is None else only
        wanted = (*names, *(policies or ()))
        if missing := [name for name in wanted if name not in by_name]:
            raise SettingsError(
                f"the MCP server has no tool {', '.join(missing)}; it has {', '.join(by_name)}"
            )
        yield [
            _tool(by_name[name], (policies or {}).get(name) or policy or ToolPolicy())
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


def _tool(schema: Any, policy: ToolPolicy) -> Tool:
    return schema_tool(
        schema.name,
        functools.partial(_call, schema),
        description=schema.description or schema.name,
        parameters={
            "type": "object",
            "properties": dict(schema.properties),
            "required": list(schema.required),
        },
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
