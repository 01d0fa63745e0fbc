"""The scripted backend: answers as a scenario says, the same every time."""

import re
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Literal

import orjson

from crossfade.errors import SettingsError
from crossfade.offline.responder import Responder
from crossfade.offline.spoken_results import spoken_result
from crossfade.offline.synthesiser import Synthesiser
from crossfade.offline.tone_voice import ToneVoice
from crossfade.offline.voice import Voice

from .backend import (
    SPEECH_RATE_HZ,
    Part,
    Prompt,
    Reply,
    Say,
    Tool,
    ToolOutput,
    Trigger,
)
from .scenario import (
    DEFAULT_PATH,
    Scenario,
    Turn,
    load_scenario,
)

_KEPT_SENTENCES = 64
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class ScriptedBackend:
    """Answers from a scenario; each dialogue begins it anew.

    Args:
        scenario: A scenario, its file, or None for the built-in call.
        voice: `tone` hums and needs nothing; `espeak` speaks words in a child process.

    Raises:
        SettingsError: The scenario cannot be used.
    """

    def __init__(
        self,
        scenario: Scenario | Path | str | None = None,
        *,
        voice: Literal["tone", "espeak"] = "tone",
    ) -> None:
        if not isinstance(scenario, Scenario):
            scenario = load_scenario(DEFAULT_PATH if scenario is None else Path(scenario))
        self._scenario = scenario
        self._synthesiser = Synthesiser(SPEECH_RATE_HZ) if voice == "espeak" else None
        self._voice: Voice = self._synthesiser or ToneVoice(SPEECH_RATE_HZ)
        self._rendered: OrderedDict[str, bytes] = OrderedDict()

    async def start(self) -> None:
        if self._synthesiser is not None:
            await self._synthesiser.__aenter__()

    async def close(self) -> None:
        if self._synthesiser is not None:
            await self._synthesiser.__aexit__(None, None, None)

    def dialogue(self) -> "ScriptedDialogue":
        return ScriptedDialogue(self._scenario, self.render)

    async def render(self, sentence: str) -> bytes:
        """A sentence as sound. The newest are kept: a script says the same to every client."""
        pcm = self._rendered.get(sentence)
        if pcm is None:
            pcm = (await self._voice.render(sentence)).pcm
            self._rendered[sentence] = pcm
            if len(self._rendered) > _KEPT_SENTENCES:
                self._rendered.popitem(last=False)
        return pcm


class ScriptedDialogue:
    """One run through a scenario."""

    def __init__(
        self, scenario: Scenario, render: Callable[[str], Coroutine[Any, Any, bytes]]
    ) -> None:
        self._scenario = scenario
        self._render = render
        self._left = list(scenario.turns)
        self._taken: tuple[Reply, Turn] | None = None

    def configure(self, tools: Sequence[Tool]) -> None:
        """Nothing to prepare: what is heard stands in the script."""

    async def hear(self, pcm: bytes, rate_hz: int) -> str:
        turn = self._next(Trigger.SPEECH)
        return "" if turn is None else turn.hear

    async def reply(self, prompt: Prompt) -> Reply:
        phrase = Responder.say(prompt.instructions)
        if phrase is not None:
            return Reply(parts=[Say(phrase)])
        turn = None if prompt.out_of_band else self._next(prompt.trigger)
        if turn is None:
            return Reply(parts=[Say(self._scenario.otherwise)])
        self._left.remove(turn)
        reply = Reply(parts=_parts(turn, prompt), think_ms=turn.think_ms)
        self._taken = (reply, turn)
        return reply

    def retract(self, reply: Reply) -> None:
        if self._taken is not None and self._taken[0] is reply:
            self._left.insert(0, self._taken[1])
            self._taken = None

    async def render(self, sentence: str) -> bytes:
        return await self._render(sentence)

    async def close(self) -> None:
        pass

    def _next(self, trigger: Trigger) -> Turn | None:
        turn = self._first(trigger)
        if turn is None and self._scenario.repeat:
            self._left = list(self._scenario.turns)
            turn = self._first(trigger)
        return turn

    def _first(self, trigger: Trigger) -> Turn | None:
        return next((turn for turn in self._left if turn.answers(trigger)), None)


def _parts(turn: Turn, prompt: Prompt) -> list[Part]:
    parts: list[Part] = [Say(_filled(text, prompt.outputs)) for text in turn.say]
    offered = {tool.name for tool in prompt.tools}
    for call in turn.call:
        known = call.name in offered
        parts.append(call if known else Say(f"I have no tool called {call.name}."))
    return parts


def _filled(text: str, outputs: Sequence[ToolOutput]) -> str:
    """`text` with its placeholders replaced by what the tools answered."""
    fields: dict[str, Any] = {
        "results": " ".join(spoken_result(output.name, output.output) for output in outputs)
    }
    for output in outputs:
        fields |= _fields(output.output)

    def value(found: re.Match[str]) -> str:
        if found[1] not in fields:
            raise SettingsError(
                f"the scenario speaks of '{found[0]}', which no tool result holds; "
                f"there are {', '.join(sorted(fields))}"
            )
        return str(fields[found[1]])

    return _PLACEHOLDER.sub(value, text)


def _fields(output: str) -> dict[str, Any]:
    """The members of a result that is a JSON object."""
    try:
        result = orjson.loads(output)
    except orjson.JSONDecodeError:
        return {}
    return result if isinstance(result, dict) else {}
