"""A cascade whose text model follows the script of a provider's emulator, and what it was told."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pipecat.services.openai.llm import OpenAILLMService

from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import ToolOutput, Trigger
from crossfade.emulators.backends.course import filled
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.processors.cascade import Cascade
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.tools import Tool
from tests.processors.speech_node.fakes import Calls, Line, PacedVoice, Recogniser
from tests.processors.speech_node.loopback_llm import LoopbackLLM

Message = Mapping[str, Any]


class ScriptedModel(LoopbackLLM):
    """Answers over HTTP as a scenario says.

    Args:
        scenario: What it says and calls.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__([])
        self._turns = list(scenario.turns)
        self._otherwise = scenario.otherwise

    async def _events(self, _line: Line) -> AsyncIterator[dict[str, Any]]:
        messages = self.asked[-1]["messages"]
        turn = self._next(Trigger.TOOL_RESULTS if _newest(messages) else Trigger.TEXT)
        if turn is not None:
            await asyncio.sleep((turn.think_ms or 0) / 1000)
        async for event in super()._events(self._line(turn, messages)):
            yield event

    def _next(self, trigger: Trigger) -> Turn | None:
        """The next turn that fits; those before it were another node's."""
        for at, turn in enumerate(self._turns):
            if turn.on in (None, trigger):
                del self._turns[: at + 1]
                return turn
        return None

    def _line(self, turn: Turn | None, messages: list[Message]) -> Line:
        if turn is None:
            return self._otherwise
        if turn.call:
            return Calls(tuple((call.name, json.loads(call.arguments)) for call in turn.call))
        return " ".join(filled(text, _newest(messages)) for text in turn.say)


def _newest(messages: list[Message]) -> list[ToolOutput]:
    """The results that a request ends with."""
    newest: list[ToolOutput] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        newest.insert(0, ToolOutput(name="", output=message["content"]))
    return newest


def cascade(model: LoopbackLLM, ledger: Conversation, tools: list[Tool], speed: float) -> Cascade:
    """A cascade around such a model, which serves already."""
    return Cascade(
        stt=EmbeddedSTT(Recogniser()),
        llm=OpenAILLMService(api_key="unused", base_url=model.url),
        tts=EmbeddedTTS(PacedVoice(speed)),
        conversation=ledger,
        tools=[tool.declaration for tool in tools],
    )


def news(requests: list[dict[str, Any]]) -> list[list[tuple[str, str]]]:
    """What each request tells that none before did: ("result" or "text", words), in order."""
    known: set[tuple[str, str]] = set()
    told = []
    for request in requests:
        new, texts = [], 0
        for message in request["messages"]:
            if message["role"] == "tool":
                kind, key = "result", (message["tool_call_id"], message["content"])
            elif message["role"] == "user":
                texts += 1
                kind, key = "text", (f"text {texts}", message["content"])
            else:
                continue
            if key not in known:
                known.add(key)
                new.append((kind, message["content"]))
        told.append(new)
    return told
