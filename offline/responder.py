"""A rule-and-slot brain: answers a few kinds of question and calls tools, without a model."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from .slots import Said, said, words_of
from .small_talk import NOT_UNDERSTOOD, TOPICS, remark, topic_of
from .spoken_results import spoken_result
from .tool_rules import ToolRules

# The share of small talk in the language model's sentences: its few phrases are said often.
_SMALL_TALK_SHARE = 1 / 3
_SAY_EXACTLY = re.compile(
    r"\b(?:say|speak|read|repeat)(?:\s+(?:out|aloud))?\s+exactly\b[^\"“]*[\"“]([^\"”]+)[\"”]"
    r"|^\s*(?:please\s+)?(?:say|speak|read)\b[^\"“]{0,40}[\"“]([^\"”]+)[\"”]"
    r"|\bsay\s+exactly\s*:\s*([^\"“\n]+)",
    re.IGNORECASE,
)


class ToolRequest(NamedTuple):
    """A tool to call."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to say, or which tools to call first."""

    text: str | None = None
    tool_calls: tuple[ToolRequest, ...] = ()


class Responder:
    """Answers what it has rules for. It keeps nothing between calls.

    Args:
        tools: OpenAI's flat function declarations: `name`, `description`, `parameters`.
        instructions: The agent's instructions; only a wish to say a phrase is understood.
        now: Tells the local time.
    """

    def __init__(
        self,
        tools: Sequence[Mapping[str, Any]] = (),
        instructions: str = "",
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._tools = [ToolRules(declaration) for declaration in tools]
        self._phrase = self.say(instructions)
        self._now = now

    def reply(self, user_text: str, history: Sequence[tuple[str, str]] = ()) -> Reply:
        """Answer the user.

        Args:
            user_text: What was understood; empty or unknown words get "I didn't catch that".
            history: The turns before, oldest first, as (role, text), role "user" or "assistant".
        """
        if self._phrase:
            return Reply(text=self._phrase)
        heard = said(user_text)
        return (
            self._answer_to_question(heard, history)
            or self._tool_reply(heard)
            or self._follow_up(heard, history)
            or self._remark(heard.words, history)
            or Reply(text=NOT_UNDERSTOOD)
        )

    def after_tools(self, results: Sequence[tuple[str, str]]) -> Reply:
        """Speak of the newest tool results, given as (tool name, output: JSON or plain text)."""
        if not results:
            return Reply(text=NOT_UNDERSTOOD)
        return Reply(text=" ".join(spoken_result(name, output) for name, output in results))

    def sentences(self) -> list[str]:
        """Examples of everything that it understands, for the recogniser's language model."""
        small_talk = [phrase for topic in TOPICS for phrase in topic.phrases]
        requests = [sentence for tool in self._tools for sentence in tool.sentences()]
        wanted = len(requests) * _SMALL_TALK_SHARE / (1 - _SMALL_TALK_SHARE)
        return small_talk * max(1, round(wanted / len(small_talk))) + requests

    @staticmethod
    def say(instructions: str) -> str | None:
        """The phrase that instructions such as `Say exactly: "One moment."` want said, if any."""
        found = _SAY_EXACTLY.search(instructions)
        return next(group.strip() for group in found.groups() if group) if found else None

    def _answer_to_question(self, heard: Said, history: Sequence[tuple[str, str]]) -> Reply | None:
        """If the agent has just asked for a value, and this is one: the call."""
        asked = _last(history, "assistant")
        for tool in self._tools:
            for parameter, question in tool.questions().items():
                if question != asked or topic_of(heard.words):
                    continue
                before = _since_request(tool, history)
                if answered := tool.answered(parameter, heard, before):
                    arguments, missing = answered
                    if missing:
                        return Reply(text=tool.questions()[missing])
                    return Reply(tool_calls=(ToolRequest(tool.name, arguments),))
        return None

    def _tool_reply(self, heard: Said) -> Reply | None:
        """Call the tool that fits best, or ask for what it lacks."""
        tool = max(self._tools, key=lambda each: each.score(heard.words), default=None)
        if not tool or not tool.score(heard.words):
            return None
        calls, missing = tool.calls(heard)
        if missing:
            return Reply(text=tool.questions()[missing])
        return Reply(tool_calls=tuple(ToolRequest(tool.name, each) for each in calls))

    def _follow_up(self, heard: Said, history: Sequence[tuple[str, str]]) -> Reply | None:
        """ "What about Rome?": the last question about a tool once more, with another value."""
        tools = [tool for tool in self._tools if tool.follows_up(heard.words)]
        for role, text in reversed(history):
            before = words_of(text)
            for tool in tools:
                if role == "user" and tool.score(before):
                    calls, missing = tool.calls(heard)
                    if not missing:
                        return Reply(tool_calls=tuple(ToolRequest(tool.name, c) for c in calls))
        return None

    def _remark(self, words: Sequence[str], history: Sequence[tuple[str, str]]) -> Reply | None:
        topic = topic_of(words)
        if not topic:
            return None
        abilities = [_ability(tool) for tool in self._tools]
        last_answer = _last(history, "assistant")
        text = remark(topic, abilities=abilities, last_answer=last_answer, now=self._now())
        return Reply(text=text)


def _last(history: Sequence[tuple[str, str]], role: str) -> str | None:
    """What this role said last."""
    return next((text for who, text in reversed(history) if who == role), None)


def _since_request(tool: ToolRules, history: Sequence[tuple[str, str]]) -> Said:
    """All that the user said from the last request for this tool on."""
    texts: list[str] = []
    for role, text in reversed(history):
        if role == "user":
            texts.insert(0, text)
            if tool.score(words_of(text)):
                break
    return said(". ".join(texts))


def _ability(tool: ToolRules) -> str:
    """What the tool does, to follow "I can"."""
    first = tool.description.split(". ")[0].strip().rstrip(".") or " ".join(words_of(tool.name))
    return first[:1].lower() + first[1:]
