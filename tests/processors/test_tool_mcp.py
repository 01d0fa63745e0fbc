"""Tools of MCP servers."""

import asyncio
import builtins
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crossfade.errors import SettingsError
from crossfade.processors.tool_mcp import mcp_tools
from crossfade.processors.tools import ToolArgumentsError, ToolPolicy
from tests.clock import run


class Client:
    """Does what pipecat's MCPClient does, for one tool."""

    def __init__(self) -> None:
        self.called: list[Any] = []
        self.closed = False
        self.properties: dict[str, Any] = {"a": {"type": "integer"}, "b": {"type": "integer"}}

    async def tools(self) -> Any:
        async def handler(params: Any) -> None:
            self.called.append((params.function_name, dict(params.arguments)))
            await params.result_callback("5")

        schema = SimpleNamespace(
            name="add",
            description="Add two numbers.",
            properties=self.properties,
            required=["a", "b"],
            handler=handler,
        )
        return SimpleNamespace(standard_tools=[schema])

    async def close(self) -> None:
        self.closed = True


def test_the_tools_of_a_server_are_declared_checked_and_called() -> None:
    async def main() -> None:
        client = Client()
        own = ToolPolicy(timeout_ms=5000)
        async with mcp_tools(client, policies={"add": own}) as (add,):
            assert add.policy == own
            assert add.declaration.description == "Add two numbers."
            assert add.declaration.parameters["required"] == ["a", "b"]
            assert await add.run({"a": 2, "b": 3}) == "5"
            with pytest.raises(ToolArgumentsError, match="valid integer"):
                await add.run({"a": "two", "b": 3})
            assert client.called == [("add", {"a": 2, "b": 3})]
            assert not client.closed
        assert client.closed

    run(main())


def test_a_tool_that_the_server_lacks_is_named_and_the_client_closed() -> None:
    async def main() -> None:
        client = Client()
        with pytest.raises(SettingsError, match="has no tool subtract; it has add"):
            async with mcp_tools(client, only=["subtract"]):
                pass
        assert client.closed

    run(main())


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    really = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pipecat.services.mcp_service":
            raise ImportError("Missing module: mcp")
        return really(name, *args, **kwargs)

    async def main() -> None:
        monkeypatch.setattr(builtins, "__import__", refuse)
        with pytest.raises(SettingsError, match=r"crossfade\[mcp\]"):
            async with mcp_tools(object()):
                pass

    run(main())


def test_of_a_client_of_ones_own_what_its_schemas_refer_to_is_not_checked() -> None:
    """Pipecat's client leaves it out; a reference to nothing would be refused by the model."""

    async def main() -> None:
        client = Client()
        client.properties = {"a": {"$ref": "#/$defs/A"}, "b": {"anyOf": [{"$ref": "#/$defs/B"}]}}
        async with mcp_tools(client) as (add,):
            assert add.declaration.parameters["properties"] == {"a": {}, "b": {"anyOf": [{}]}}
            assert await add.run({"a": {"x": 1}, "b": 2}) == "5"

    run(main())


SERVER = """
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

server = MCPServer("sums")

class Place(BaseModel):
    city: str

@server.tool()
def find(place: Place) -> str:
    "Find a place."
    return place.city

@server.tool()
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

server.run()
"""


@pytest.mark.realtime
@pytest.mark.filterwarnings("default")
def test_a_real_server_in_a_child_process(tmp_path: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="the extra mcp is not installed")
    script = tmp_path / "server.py"
    script.write_text(SERVER)

    async def main() -> None:
        server = mcp.StdioServerParameters(
            command=sys.executable, args=[str(script)], env=dict(os.environ)
        )
        async with mcp_tools(server) as tools:
            find, add = sorted(tools, key=lambda each: each.name, reverse=True)
            assert add.declaration.description == "Add two numbers."
            assert await add.run({"a": 2, "b": 3}) == "5"
            place = find.declaration.parameters["$defs"]["Place"]
            assert place["properties"]["city"]["type"] == "string"
            with pytest.raises(ToolArgumentsError, match="city"):
                find.check({"place": {"town": "Rome"}})
            assert await find.run({"place": {"city": "Rome"}}) == "Rome"

    asyncio.run(asyncio.wait_for(main(), 30))
