"""One call in which the speech node is swapped, over the whole chain and on the virtual clock."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from crossfade.audio.pcm import duration_ms
from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import SPEECH_RATE_HZ, Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.errors import CrossfadeError
from crossfade.frames.audio import AudioRawFrame, OutputAudioRawFrame
from crossfade.frames.continuity import NodeSwitchedFrame
from crossfade.observability.call import CallRecord
from crossfade.observability.live_events import (
    AgentFinished,
    AgentSpeaking,
    LiveEvent,
    ToolCalled,
    UserSpeaking,
)
from crossfade.observability.virtual_time import VirtualTimeError, run_virtual
from crossfade.offline.responder import ToolRequest
from crossfade.pipelines.assembly import new_conversation
from crossfade.pipelines.call_nodes import native_node
from crossfade.pipelines.demo import demo_line
from crossfade.pipelines.switched_call import switched_call
from crossfade.processors.node_slot import MakeNode, Slot
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.speech_node import SpeechNode
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, WhenAnswered

from .continuity_call import IN_RATES_HZ, SPECS, Service, emulator_of, heard_by, look_up
from .continuity_caller import KeptOutput, NoisyCaller, NotedScript
from .continuity_check import Entry, Heard, Said, Span, runs_in
from .continuity_voice import NoisyBackend, Rendered
from .swaps_cascade import Script, ScriptedEar, scripted_cascade

CASCADE = "cascade"
SPEED = 4.0
FIRST_ANSWER = "I am glad that you have called me today. There are many things to talk about."
_PATIENCE_S = 40.0
_WORDS = {
    "greeting": "hello there",
    "weather_tokyo": "how warm is it in Tokyo",
    "goodbye": "goodbye",
}
_LAST_ANSWER = "Goodbye and thank you."
_SCENARIO = Scenario(
    turns=(
        Turn(on=Trigger.SPEECH, hear=_WORDS["greeting"], say=(FIRST_ANSWER,)),
        Turn(
            on=Trigger.SPEECH,
            hear=_WORDS["weather_tokyo"],
            call=(Call(name="look_up", arguments='{"city":"Tokyo"}'),),
        ),
        Turn(on=Trigger.TOOL_RESULTS, say=("It is {degrees} degrees now.",)),
        Turn(on=Trigger.SPEECH, hear=_WORDS["goodbye"], say=(_LAST_ANSWER,)),
    )
)
_SCRIPT = Script(
    answers={
        _WORDS["greeting"]: FIRST_ANSWER,
        _WORDS["weather_tokyo"]: ToolRequest("look_up", {"city": "Tokyo"}),
        _WORDS["goodbye"]: _LAST_ANSWER,
    },
    results=lambda told: f"It is {orjson.loads(told[-1][1])['degrees']} degrees now.",
)
_CUES = (
    ("greeting", AfterSilence(after_s=0.5)),
    ("weather_tokyo", WhenAnswered(pause_s=1.2)),
    ("goodbye", WhenAnswered(pause_s=0.7)),
)


class SwapState(Enum):
    """What the call is doing when the swap is asked for."""

    IDLE = "idle"
    USER_SPEAKING = "user speaking"
    THINKING = "thinking"
    AGENT_SPEAKING = "agent speaking"
    TOOL_PENDING = "tool pending"


_AFTER_S = {
    SwapState.IDLE: 0.4,
    SwapState.USER_SPEAKING: 0.4,
    SwapState.THINKING: 0.05,
    SwapState.AGENT_SPEAKING: 0.05,
    SwapState.TOOL_PENDING: 0.2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """A swap as it was made."""

    at_s: float
    told: NodeSwitchedFrame
    first_sound_s: float | None
    """When the node's first sound came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwapCall:
    """What a call was, seen from both ends."""

    said: bytes
    lines: Sequence[Span]
    heard: Sequence[Heard]
    rendered: Sequence[Rendered]
    played: bytes
    writes: Sequence[tuple[float, float]]
    """When the transport's output was given sound, and how long that was, in s."""
    transcript: Sequence[Entry]
    swaps: Sequence[Swap]
    failure: str | None
    duration_s: float


class _TimedOutput(KeptOutput):
    def __init__(self, *, rate_hz: int) -> None:
        super().__init__(rate_hz=rate_hz)
        self.writes: list[tuple[float, float]] = []

    def write_audio(self, frame: OutputAudioRawFrame) -> None:
        super().write_audio(frame)
        length_s = duration_ms(frame.audio, frame.sample_rate) / 1000
        self.writes.append((asyncio.get_running_loop().time(), length_s))


class _TimedSwitch(NodeSwitch):
    """Notes when each node's first sound comes."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.first_sounds: dict[Slot, float] = {}
        self.switched: list[tuple[float, Slot, NodeSwitchedFrame]] = []

    def hear(self, slot: Slot, frame: AudioRawFrame) -> None:
        self.first_sounds.setdefault(slot, asyncio.get_running_loop().time())
        super().hear(slot, frame)

    async def tell_switched(self, slot: Slot, why: str, replayed_ms: float) -> NodeSwitchedFrame:
        told = await super().tell_switched(slot, why, replayed_ms)
        self.switched.append((slot.since_s, slot, told))
        return told

    @property
    def swaps(self) -> list[Swap]:
        return [
            Swap(at_s=at_s, told=told, first_sound_s=self.first_sounds.get(slot))
            for at_s, slot, told in self.switched
        ]


class _Trigger:
    """Asks for the swaps when the call does what is waited for: there, and then back again."""

    def __init__(self, switch: NodeSwitch, state: SwapState, when: When) -> None:
        self._switch = switch
        self._state = state
        self._when = when
        self._turns = 0
        self.task: asyncio.Task[None] | None = None

    def __call__(self, event: LiveEvent) -> None:
        if isinstance(event, UserSpeaking) and event.speaking:
            self._turns += 1
        if self.task is None and self._due(event):
            self.task = asyncio.create_task(self._swap(), name="swaps")

    def _due(self, event: LiveEvent) -> bool:
        match self._state, event:
            case SwapState.IDLE, AgentFinished():
                return True
            case SwapState.USER_SPEAKING, UserSpeaking(speaking=True):
                return self._turns == 2
            case SwapState.THINKING, UserSpeaking(speaking=False):
                return self._turns == 2
            case SwapState.AGENT_SPEAKING, AgentSpeaking(speaking=True):
                return True
            case SwapState.TOOL_PENDING, ToolCalled():
                return True
        return False

    async def _swap(self) -> None:
        await asyncio.sleep(_AFTER_S[self._state])
        await self._switch.to("second", when=self._when, why="the matrix")
        await asyncio.sleep(1.0)
        await self._switch.to("first", why="the matrix")


def take_call(first: str, second: str, state: SwapState | None, when: When) -> SwapCall:
    """Make a call in virtual time.

    Args:
        first: `openai`, `gemini` or `cascade`.
        second: Who takes its place, and later gives it back.
        state: When the swap is asked for; None: never.
        when: At once, or at a quiet moment.
    """
    return run_virtual(_call(first, second, state, when))


async def _call(first: str, second: str, state: SwapState | None, when: When) -> SwapCall:
    rate_hz = next((IN_RATES_HZ[kind] for kind in (first, second) if kind != CASCADE), 16000)
    script = NotedScript(
        [demo_line(name, cue) for name, cue in _CUES], patience_s=_PATIENCE_S, pause_s=0.7
    )
    output = _TimedOutput(rate_hz=SPEECH_RATE_HZ)
    caller = NoisyCaller(script, in_rate_hz=rate_hz, kept=output)
    backend = NoisyBackend(_SCENARIO)
    failure, transcript, duration_s = None, list[Entry](), 0.0
    async with contextlib.AsyncExitStack() as stack:
        record = CallRecord.open(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        stack.callback(record.close, {})
        nodes = _Nodes(backend, new_conversation(), caller, script, rate_hz)
        makers = {
            "first": await nodes.maker(first, stack),
            "second": await nodes.maker(second, stack),
        }
        switch = _TimedSwitch(makers, rate_hz=rate_hz)
        trigger = None if state is None else _Trigger(switch, state, when)
        if trigger is not None:
            record.subscribe(trigger)
        try:
            async with switched_call(
                switch,
                transport=caller,
                record=record,
                conversation=nodes.conversation,
                tools=[look_up],
                in_rate_hz=rate_hz,
            ) as call:
                summary = await call.run(until=caller.hung_up())
                duration_s = summary.duration_s
        except (CrossfadeError, VirtualTimeError) as error:
            failure = f"{type(error).__name__}: {error}"
        transcript = nodes.conversation.to_dict()["turns"]
        if trigger is not None and trigger.task is not None:
            trigger.task.cancel()
            await asyncio.gather(trigger.task, return_exceptions=True)
        heard = nodes.heard
    if failure is None and script.missed:
        failure = f"the caller waited in vain for: {', '.join(script.missed)}"
    return SwapCall(
        said=bytes(caller.caller.said),
        lines=[caller.span(begun) for begun in script.begun],
        heard=heard,
        rendered=backend.rendered,
        played=bytes(output.played),
        writes=output.writes,
        transcript=transcript,
        swaps=switch.swaps,
        failure=failure,
        duration_s=duration_s,
    )


class _Nodes:
    """The nodes of one call, and what each of them was given to hear."""

    def __init__(
        self,
        backend: NoisyBackend,
        conversation: Conversation,
        caller: NoisyCaller,
        script: NotedScript,
        rate_hz: int,
    ) -> None:
        self.conversation = conversation
        self._backend = backend
        self._caller = caller
        self._script = script
        self._rate_hz = rate_hz
        self._made: list[ScriptedEar | tuple[Service, int]] = []

    @property
    def heard(self) -> list[Heard]:
        """In the order in which the nodes were made."""
        return [
            each.heard
            if isinstance(each, ScriptedEar)
            else heard_by(each[0].sessions[each[1]].user_audio)
            for each in self._made
        ]

    async def maker(self, kind: str, stack: contextlib.AsyncExitStack) -> MakeNode:
        if kind == CASCADE:
            return self._cascade
        service = emulator_of(kind, backend=self._backend)
        await stack.enter_async_context(service)
        make = native_node(
            SPECS[kind],
            conversation=self.conversation,
            config=SessionConfig(),
            tools=[look_up],
            tool_instruction=False,
            base_url=service.url,
            api_key="emulated",
            rate_hz=self._rate_hz,
        )

        @contextlib.asynccontextmanager
        async def noted() -> AsyncIterator[SpeechNode]:
            async with make() as node:
                self._made.append((service, len(service.sessions) - 1))
                yield node

        return noted

    @contextlib.asynccontextmanager
    async def _cascade(self) -> AsyncIterator[SpeechNode]:
        ear = ScriptedEar(self._words_in)
        self._made.append(ear)
        yield scripted_cascade(
            ear,
            _SCRIPT,
            self._backend,
            self.conversation,
            [look_up],
            rate_hz=self._rate_hz,
            speed=SPEED,
        )

    def _words_in(self, pcm: bytes) -> str:
        """The lines of the caller of which some sound holds the most."""
        runs = runs_in(pcm, Said(bytes(self._caller.caller.said)))
        held = [(run.said_at, run.said_at + run.count) for run in runs if run.said_at is not None]
        words = []
        for begun in self._script.begun:
            begin, end = self._caller.span(begun)
            covered = sum(max(0, min(end, to) - max(begin, at)) for at, to in held)
            if covered > (end - begin) / 2:
                words.append(_WORDS[begun[1].name])
        return " ".join(words)


__all__ = ["CASCADE", "Swap", "SwapCall", "SwapState", "take_call"]
