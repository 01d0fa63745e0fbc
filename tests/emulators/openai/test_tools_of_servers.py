"""MCP servers among the tools: taken, and said to be out of reach."""

from typing import Any

import pytest

from tests.clock import run
from tests.emulators.openai.wire_client import GET_WEATHER, session

MCP = {"type": "mcp", "server_label": "weather", "server_url": "https://example.org/mcp"}


def test_the_tools_of_a_server_are_asked_for_and_not_listed() -> None:
    async def main() -> None:
        async with session() as client:
            await client.update(tools=[MCP, GET_WEATHER])
            updated = await client.until("session.updated")
            assert updated["session"]["tools"] == [MCP, GET_WEATHER]
            await client.until("mcp_list_tools.failed")
            done = await client.until("conversation.item.done")
            item = done["item"]
            assert (item["type"], item["server_label"], item["tools"]) == (
                "mcp_list_tools",
                "weather",
                [],
            )
            assert client.order(after="session.updated") == [
                "conversation.item.added",
                "mcp_list_tools.in_progress",
                "mcp_list_tools.failed",
                "conversation.item.done",
            ]
            # The same server is not asked again, and answers come without it.
            await client.update(tools=[MCP])
            await client.send("response.create")
            response = (await client.until("response.done"))["response"]
            assert response["status"] == "completed"
            assert len(client.of("mcp_list_tools.failed")) == 1

    run(main())


@pytest.mark.parametrize(
    ("tool", "code", "param"),
    [
        ({"type": "mcp"}, "missing_required_parameter", "session.tools[0].server_label"),
        ({**MCP, "url": "x"}, "unknown_parameter", "session.tools[0].url"),
        ({**MCP, "server_url": 1}, "invalid_type", "session.tools[0].server_url"),
    ],
)
def test_a_malformed_server_is_refused(tool: dict[str, Any], code: str, param: str) -> None:
    async def main() -> None:
        async with session() as client:
            await client.update(tools=[tool])
            error = await client.error()
            assert (error["code"], error["param"]) == (code, param)

    run(main())
