"""The scripted backend: answers as a scenario says, the same every time."""

from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from crossfade.offline.responder import Responder
from crossfade.offline.synthesiser import Synthesiser
from crossfade.offline.tone_voice import ToneVoice
from crossfade.offline.voice import Voice

from .backend import (
    SPEECH_RATE_HZ,
    Call,
    Part,
    Prompt,
    Reply,
    Say,
    Told,
    Tool,
    Trigger,
)
from .course import Course, filled, is_aside, outputs_in
from .scenario import (
    DEFAULT_PATH,
    Scenario,
    Turn,
    load_scenario,
)

KEPT_BYTES = 16 * 1024 * 1024
"""So much of what was spoken is kept, as a script says the same to every client."""


class ScriptedBackend:
    """Answers from a scenario; each dialogue begins it anew, or where its client says it is.

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
        self._kept_bytes = 0

    async def start(self) -> None:
        if self._synthesiser is not None:
            await self._synthesiser.__aenter__()

    async def close(self) -> None:
        if self._synthesiser is not None:
            await self._synthesiser.__aexit__(None, None, None)

    def dialogue(self) -> "ScriptedDialogue":
        return ScriptedDialogue(self._scenario, self.render)

    async def render(self, sentence: str) -> bytes:
        """A sentence as sound."""
        pcm = self._rendered.get(sentence)
        if pcm is None:
            pcm = (await self._voice.render(sentence)).pcm
            if sentence not in self._rendered:
                self._rendered[sentence] = pcm
                self._kept_bytes += len(pcm)
            while self._kept_bytes > KEPT_BYTES:
                self._kept_bytes -= len(self._rendered.popitem(last=False)[1])
        return pcm


class ScriptedDialogue:
    """One run through a scenario."""

    def __init__(
        self, scenario: Scenario, render: Callable[[str], Coroutine[Any, Any, bytes]]
    ) -> None:
        self._scenario = scenario
        self._render = render
        self._course = Course(scenario)
        self._taken: tuple[Reply, Turn] | None = None

    def configure(self, tools: Sequence[Tool]) -> None:
        """Nothing to prepare: what is heard stands in the script."""

    def told(self, who: Told, text: str) -> None:
        self._course.told(who, text)

    def hear(self, pcm: bytes, rate_hz: int) -> Coroutine[Any, Any, str]:
        # What is told after the sound does not change what was said.
        turn = self._course.heard()
        return _words("" if turn is None else turn.hear)

    async def reply(self, prompt: Prompt) -> Reply:
        phrase = Responder.say(prompt.instructions)
        if phrase is not None:
            return Reply(parts=[Say(phrase)])
        if prompt.out_of_band:
            return Reply(parts=[Say(self._scenario.otherwise)])
        asks_to_go_on = prompt.trigger is Trigger.REQUEST or (
            prompt.trigger is Trigger.TEXT and is_aside(prompt.text)
        )
        if asks_to_go_on and not outputs_in(prompt.text):
            rest = self._course.rest(noticed=bool(prompt.text))
            if rest is not None:
                return Reply(parts=_offered(rest, prompt))
        turn, prompt = self._turn(prompt)
        if turn is None:
            return Reply(parts=[Say(self._scenario.otherwise)])
        self._course.take(turn)
        reply = Reply(parts=_parts(turn, prompt), think_ms=turn.think_ms)
        self._taken = (reply, turn)
        return reply

    def _turn(self, prompt: Prompt) -> tuple[Turn | None, Prompt]:
        """The turn that answers a prompt, and the prompt as that turn takes it."""
        course, trigger = self._course, prompt.trigger
        if trigger is Trigger.TEXT and (outputs := outputs_in(prompt.text)):
            # A result for a call that this connection does not know comes as text.
            if not course.waits_for_results():
                course.told(Told.CALL, outputs[0].name)
            if course.waits_for_results():
                told = replace(prompt, outputs=outputs)
                return course.next(Trigger.TOOL_RESULTS), told
        awaited = course.awaited()
        if trigger in (Trigger.TEXT, Trigger.REQUEST) and awaited is not None:
            fitting = course.next(trigger)
            if awaited.answers(trigger) or fitting is None or fitting.on is None:
                return awaited, prompt
        return course.next(trigger), prompt

    def retract(self, reply: Reply) -> None:
        if self._taken is not None and self._taken[0] is reply:
            self._course.put_back(self._taken[1])
            self._taken = None

    async def render(self, sentence: str) -> bytes:
        return await self._render(sentence)

    async def close(self) -> None:
        pass


async def _words(text: str) -> str:
    return text


def _parts(turn: Turn, prompt: Prompt) -> list[Part]:
    said = [Say(filled(text, prompt.outputs)) for text in turn.say]
    return _offered([*said, *turn.call], prompt)


def _offered(parts: Sequence[Part], prompt: Prompt) -> list[Part]:
    """Parts, with words instead of the calls that the client offers no function for."""
    names = {tool.name for tool in prompt.tools}
    return [
        Say(f"I have no tool called {part.name}.")
        if isinstance(part, Call) and part.name not in names
        else part
        for part in parts
    ]
