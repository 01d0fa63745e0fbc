"""One call in which the speech node is swapped, over the whole chain and on the virtual clock."""

import asyncio
import contextlib
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from crossfade.audio.pcm import duration_ms
from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import SPEECH_RATE_HZ, Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.faults import Fault, RefuseHandshake, State
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
from crossfade.processors.cascade import Cascade
from crossfade.processors.node_slot import MakeNode, Slot
from crossfade.processors.node_switch import NodeSwitch, When
from crossfade.processors.speech_node import SpeechNode
from crossfade.providers import SessionConfig
from crossfade.transports.script import AfterSilence, WhenAnswered

from .continuity_call import IN_RATES_HZ, SPECS, Service, emulator_of, heard_by, look_up
from .continuity_caller import KeptOutput, NoisyCaller, NotedScript
from .continuity_cells import FAULTS
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


# How the first node may be lost for good: by a fault of its line, or a service that gives up.
LOST_LINES = ("reset", "half_open", "close_1011", "stall")
LOST_SERVICES = ("recogniser", "model", "voice")
_REFUSED = 40
"""So many connections are refused then, more than are tried in a call."""
_POINTS: Mapping[SwapState, Mapping[str, Any]] = {
    SwapState.IDLE: {"turn": 1, "at": State.IDLE, "after_ms": 400 + 3800},
    SwapState.USER_SPEAKING: {"turn": 2, "at": State.USER_SPEAKING, "after_ms": 400},
    SwapState.THINKING: {"turn": 2, "at": State.THINKING, "after_ms": 150},
    SwapState.AGENT_SPEAKING: {"turn": 1, "at": State.SPEAKING, "after_ms": 300},
    SwapState.TOOL_PENDING: {"turn": 2, "at": State.TOOL_PENDING, "after_ms": 200},
}

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
    """Does something once, when the call does what is waited for."""

    def __init__(self, state: SwapState, work: Callable[[], Awaitable[None]]) -> None:
        self._state = state
        self._work = work
        self._turns = 0
        self.task: asyncio.Task[None] | None = None

    def __call__(self, event: LiveEvent) -> None:
        if isinstance(event, UserSpeaking) and event.speaking:
            self._turns += 1
        if self.task is None and self._due(event):
            self.task = asyncio.create_task(self._run(), name="swaps")

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

    async def _run(self) -> None:
        await asyncio.sleep(_AFTER_S[self._state])
        await self._work()


def take_call(
    first: str, second: str, state: SwapState | None, when: When = When.NOW, *, lost: str = ""
) -> SwapCall:
    """Make a call in virtual time.

    Args:
        first: `openai`, `gemini` or `cascade`.
        second: Who takes its place; if that was asked for, it gives it back later.
        state: When the swap is asked for, or the first node lost; None: never.
        when: At once, or at a quiet moment.
        lost: How the first node is lost for good, one of `LOST_LINES` or `LOST_SERVICES`; empty:
            the swap is asked for.
    """
    return run_virtual(_call(first, second, state, when, lost))


async def _call(
    first: str, second: str, state: SwapState | None, when: When, lost: str
) -> SwapCall:
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
        faults = _faults(first, state, lost)
        makers = {
            "first": await nodes.maker(first, stack, faults),
            "second": await nodes.maker(second, stack),
        }
        switch = _TimedSwitch(
            makers,
            rate_hz=rate_hz,
            route=("first", "second") if lost else (),
            spare="second" if lost else None,
        )

        async def there_and_back() -> None:
            await switch.to("second", when=when, why="the matrix")
            await asyncio.sleep(1.0)
            await switch.to("first", why="the matrix")

        trigger = None
        if state is not None and not faults:
            lose = functools.partial(nodes.lose, lost)
            trigger = _Trigger(state, lose if lost else there_and_back)
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


def _faults(wire: str, state: SwapState | None, lost: str) -> list[Fault]:
    """What takes a provider away for good."""
    if wire == CASCADE or state is None or not lost:
        return []
    struck = FAULTS[wire][lost](**_POINTS[state])
    return [struck, *(RefuseHandshake(session=number) for number in range(2, _REFUSED))]


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
        self._cascades: list[Cascade] = []

    @property
    def heard(self) -> list[Heard]:
        """In the order in which the nodes were made."""
        return [
            each.heard
            if isinstance(each, ScriptedEar)
            else heard_by(each[0].sessions[each[1]].user_audio)
            for each in self._made
        ]

    async def lose(self, service: str) -> None:
        """Have a service of the first cascade give up."""
        cascade = self._cascades[0]
        stage = dict(zip(LOST_SERVICES, cascade.services, strict=True))[service]
        await stage.push_error("out of order", force_treat_as_permanent=True)

    async def maker(
        self, kind: str, stack: contextlib.AsyncExitStack, faults: Sequence[Fault] = ()
    ) -> MakeNode:
        if kind == CASCADE:
            return self._cascade
        service = emulator_of(kind, faults, self._backend)
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
        cascade = scripted_cascade(
            ear,
            _SCRIPT,
            self._backend,
            self.conversation,
            [look_up],
            rate_hz=self._rate_hz,
            speed=SPEED,
        )
        self._cascades.append(cascade)
        yield cascade

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


__all__ = ["CASCADE", "LOST_LINES", "LOST_SERVICES", "Swap", "SwapCall", "SwapState", "take_call"]
