"""The embedded brain as a service of pipecat's: rules for a few kinds of question, no model."""

import itertools
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import orjson
from pipecat.frames.frames import LLMContextFrame
from pipecat.metrics.metrics import LLMTokenUsage
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings

from crossfade.frames.control import (
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
)
from crossfade.frames.text import LLMTextFrame
from crossfade.frames.tools import FunctionCallFromLLM
from crossfade.providers.continuity.seeding import GO_ON

from .base import FrameDirection

UNKNOWN_SHARE = 0.1
"""Of a sentence it knows all words but so many, and but one, or does not try to understand it."""
SHORT_WORDS = 3
"""So few words may be a name that it does not know."""
_RUNS_ON = "is still running"
_VOCABULARIES_KEPT = 4


class Request(Protocol):
    """A tool to call."""

    @property
    def name(self) -> str:
        """The tool."""

    @property
    def arguments(self) -> dict[str, Any]:
        """What it is called with."""


class Reply(Protocol):
    """What to say, or which tools to call first."""

    @property
    def text(self) -> str | None:
        """What to say."""

    @property
    def tool_calls(self) -> Sequence[Request]:
        """What to call."""


class Brain(Protocol):
    """Answers, such as `offline.responder` does."""

    def reply(self, user_text: str, history: Sequence[tuple[str, str]] = ()) -> Reply:
        """Answer the user; the history holds (role, text), oldest first."""

    def after_tools(self, results: Sequence[tuple[str, str]]) -> Reply:
        """Speak of the newest results, given as (tool name, output)."""

    def sentences(self) -> list[str]:
        """Examples of everything that it understands."""


MakeBrain = Callable[[Sequence[Mapping[str, Any]], str], Brain]
"""Makes one from the tools, in OpenAI's flat form, and the instructions."""


class EmbeddedLLM(LLMService[Any]):
    """Answers a context by rules. It keeps nothing between requests.

    Args:
        make_brain: Makes what does the work.
    """

    def __init__(self, make_brain: MakeBrain, **options: Any) -> None:
        super().__init__(settings=_settings(), **options)
        self._make_brain = make_brain
        self._known: dict[bytes, frozenset[str]] = {}

    def can_generate_metrics(self) -> bool:
        """It can."""
        return True

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Answer a context."""
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            await self._answer(frame.context)
        except Exception as error:
            await self.push_error(f"{self.name} failed: {error!r}", exception=error)
        finally:
            await self.push_frame(LLMFullResponseEndFrame())

    async def _answer(self, context: LLMContext) -> None:
        await self.start_ttfb_metrics()
        messages = [dict(each) for each in context.get_messages() if isinstance(each, dict)]
        cut = _cut_answer(messages)
        reply = self.reply(messages, _declarations(context))
        text = (reply.text or "") if cut is None else _rest(reply.text or "", cut)
        await self.stop_ttfb_metrics()
        # Its tokens are words.
        read = sum(len(str(message.get("content") or "").split()) for message in messages)
        written = len(text.split()) + len(reply.tool_calls)
        usage = LLMTokenUsage(
            prompt_tokens=read, completion_tokens=written, total_tokens=read + written
        )
        await self.start_llm_usage_metrics(usage)
        if text:
            await self.push_frame(LLMTextFrame(text))
        calls = [
            FunctionCallFromLLM(
                function_name=call.name,
                tool_call_id=f"call_{uuid.uuid4().hex[:16]}",
                arguments=call.arguments,
                context=context,
            )
            for call in reply.tool_calls
        ]
        if calls:
            await self.run_function_calls(calls)

    def reply(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Reply:
        """What it answers to a conversation, in OpenAI's messages, with these tools."""
        instructions = getattr(self.settings, "system_instruction", None)
        brain = self._make_brain(tools, instructions if isinstance(instructions, str) else "")
        if results := _newest_results(messages):
            return brain.after_tools(results)
        said = [(m["role"], _text(m)) for m in messages if m["role"] in ("user", "assistant")]
        said = [(role, text) for role, text in said if text]
        asked = said.pop()[1] if said and said[-1][0] == "user" else ""
        known = self._known_words(tools, brain)
        return brain.reply(asked if _understood(asked, known) else "", said)

    def prepare(self, tools: Sequence[Mapping[str, Any]]) -> None:
        """Learn the words that belong to these tools, before somebody waits for it (30 ms)."""
        self._known_words(tools, self._make_brain(tools, ""))

    def _known_words(self, tools: Sequence[Mapping[str, Any]], brain: Brain) -> frozenset[str]:
        key = orjson.dumps(list(tools))
        if key not in self._known:
            while len(self._known) >= _VOCABULARIES_KEPT:
                del self._known[next(iter(self._known))]
            said = {word for sentence in brain.sentences() for word in sentence.split()}
            self._known[key] = frozenset(_words(" ".join(said)))
        return self._known[key]


def _settings() -> LLMSettings:
    return LLMSettings(
        model="embedded",
        system_instruction=None,
        temperature=None,
        max_tokens=None,
        top_p=None,
        top_k=None,
        frequency_penalty=None,
        presence_penalty=None,
        seed=None,
        filter_incomplete_user_turns=False,
        user_turn_completion_config=None,
        use_provider_thinking_default=False,
    )


def _declarations(context: LLMContext) -> list[dict[str, Any]]:
    standard = getattr(context.tools, "standard_tools", ())
    return [tool.to_default_dict() for tool in standard]


def _cut_answer(messages: list[dict[str, Any]]) -> str | None:
    """Take out an answer that broke off, where the rest of it is asked for: it is made anew."""
    if not messages or _text(messages[-1]) != GO_ON:
        return None
    del messages[-1]
    said: list[str] = []
    while messages and messages[-1]["role"] == "assistant" and _text(messages[-1]):
        said.insert(0, _text(messages.pop()))
    return " ".join(said)


def _rest(answer: str, said: str) -> str:
    """What is left of an answer; all of it, if something else was said."""
    words, begun = answer.split(), said.split()
    return " ".join(words[len(begun) :] if words[: len(begun)] == begun else words)


def _newest_results(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The results that the conversation ends with, as (tool name, output)."""
    newest = list(itertools.takewhile(lambda m: m["role"] == "tool", reversed(messages)))
    names = {
        call["id"]: call["function"]["name"]
        for message in messages
        for call in message.get("tool_calls") or ()
    }
    return [
        (names.get(message["tool_call_id"], ""), _text(message)) for message in reversed(newest)
    ]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def _understood(text: str, known: frozenset[str]) -> bool:
    words = _words(text)
    if len(words) <= SHORT_WORDS:
        return True
    return sum(word not in known for word in words) <= max(1, UNKNOWN_SHARE * len(words))


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("’", "'"))


__all__ = ["Brain", "EmbeddedLLM", "MakeBrain"]
