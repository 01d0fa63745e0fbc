"""The embedded brain in a call: what it calls, and what it does not try to understand."""

import asyncio

import pytest

from crossfade.conversation.ledger import Conversation
from crossfade.frames.text import InputTextRawFrame
from crossfade.frames.tools import ToolCallsFrame
from crossfade.offline.responder import Responder
from crossfade.offline.small_talk import NOT_UNDERSTOOD
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.speech_node import Takeover, Wanted
from crossfade.processors.tools import tool
from tests.clock import run

from .nodes import Kind, Talk, cascade, in_chain


@tool
async def get_weather(city: str) -> dict[str, str]:
    """Tell the weather in a city."""
    return {"city": city, "condition": "clear sky"}


@tool(timeout_ms=500)
async def slow_weather(city: str) -> dict[str, str]:
    """Tell the weather in a city."""
    await asyncio.sleep(3)
    return {"city": city, "condition": "clear sky"}


async def said_after(text: str, which: object = get_weather, wait_s: float = 15) -> Talk:
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    tools = [which]
    node = cascade(EmbeddedLLM(Responder), ledger, tools)  # type: ignore[arg-type]
    async with in_chain(node, Kind.EMBEDDED, ledger, tools) as talking:  # type: ignore[arg-type]
        await talking.chain.down(InputTextRawFrame(text))
        await asyncio.sleep(wait_s)
    return talking


def test_it_calls_the_tool_that_is_meant_and_speaks_of_the_result() -> None:
    talking = run(said_after("What is the weather in Tokyo?"))
    (calls,) = talking.below.down(ToolCallsFrame)
    assert [dict(call.arguments) for call in calls.calls] == [{"city": "Tokyo"}]
    (answer,) = talking.texts("agent")
    assert "In Tokyo the weather is clear sky" in answer


@pytest.mark.parametrize(
    "text",
    [
        "please enter your agent number followed by the pound key",
        "that whether balloon got stuck above our mailbox again",
    ],
)
def test_words_that_it_does_not_know_are_not_taken_for_a_request(text: str) -> None:
    talking = run(said_after(text))
    assert not talking.below.down(ToolCallsFrame)
    assert talking.texts("agent") == [NOT_UNDERSTOOD]


def test_a_tool_that_takes_longer_is_not_read_out() -> None:
    talking = run(said_after("What is the weather in Tokyo?", slow_weather))
    (answer,) = talking.texts("agent")
    assert "clear sky" in answer


@pytest.mark.parametrize("said", ["Hello! How can I", "One moment."])
def test_an_answer_that_broke_off_is_gone_on_with(said: str) -> None:
    async def scenario() -> Talk:
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        node = cascade(EmbeddedLLM(Responder), ledger)
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            ledger.user_text("hello there", 0)
            ledger.agent_text("r1", "i1", said)
            await node.take_over(Takeover(wanted=Wanted.REST))
            await asyncio.sleep(8)
        return talking

    told = run(scenario()).texts("agent")
    whole = "Hello! How can I help you today?"
    assert told == [said, whole.removeprefix(said).strip()]
