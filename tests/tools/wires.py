"""A conversation with an emulated model that calls tools, and what that model was told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

from crossfade.audio.resample import resample
from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import Call, Trigger
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.faults.script import Fault
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.gemini import Timing as GeminiTiming
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.emulators.openai.timing import Timing as OpenAITiming
from crossfade.emulators.received import Entry, Received
from crossfade.frames.text import InputTextRawFrame
from crossfade.pipelines.call_nodes import native_node
from crossfade.pipelines.demo import demo_line
from crossfade.processors.base import Processor
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch
from crossfade.processors.playout import Playout
from crossfade.processors.playout_queue import PlayoutQueue
from crossfade.processors.playout_tracker import PlayoutTracker
from crossfade.processors.speech_node import SpeechNode
from crossfade.processors.speech_to_speech import SpeechToSpeech
from crossfade.processors.tool_actions import ToolWire
from crossfade.processors.tool_answers import tool_wire
from crossfade.processors.tool_dispatcher import ToolDispatcher
from crossfade.processors.tools import Tool
from crossfade.processors.turn_taking import TurnOwner, TurnTaking
from crossfade.processors.voice_activity import VoiceActivity
from crossfade.providers import RealtimeSession, SessionConfig, connect
from crossfade.providers.continuity.route import Endpoint
from crossfade.providers.continuity.settings import Continuity
from crossfade.transports.paced_output import PacedOutput
from crossfade.transports.script import AfterSilence
from tests.processors.chain import Chain, running

from .cascades import ScriptedModel, cascade, news

Model = OpenAIEmulator | GeminiEmulator | ScriptedModel


class Wire(Enum):
    """The kinds of models that take tools differently."""

    OPENAI = "openai:gpt-realtime-2.1"
    GEMINI = "gemini:gemini-3.8-live"
    BLOCKING = "gemini:gemini-3.1-flash-live-preview"
    CASCADE = "a cascade"
    """Its model is told the whole conversation with each request; what is new in it counts."""


PROVIDERS = (Wire.OPENAI, Wire.GEMINI, Wire.BLOCKING)


class Told(NamedTuple):
    """One thing that the model was told."""

    kind: str
    """result, part, text, or ask: for an answer."""
    what: Any = None
    when: str | None = None
    """When the model is to speak of it, where it is told."""


ASK = Told("ask")
ALWAYS_ON = Continuity()
THINK_MS = 200.0


def call(name: str, **arguments: Any) -> Call:
    return Call(name=name, arguments=json.dumps(arguments))


def script(
    *turns: Sequence[Call] | str, think_ms: float = THINK_MS, calls_on: Trigger = Trigger.TEXT
) -> Scenario:
    """What the model does, answer by answer: calls all of these when asked, or says this."""
    return Scenario(
        turns=tuple(
            Turn(on=None, think_ms=think_ms, say=(turn,))
            if isinstance(turn, str)
            else Turn(on=calls_on, think_ms=think_ms, call=tuple(turn))
            for turn in turns
        ),
        otherwise="Well.",
    )


@dataclass
class Talk:
    """A conversation that goes on."""

    chain: Chain
    ledger: Conversation
    emulators: Sequence[Model]
    session: RealtimeSession | None
    wire: Wire
    switch: NodeSwitch | None = None

    @property
    def received(self) -> Received:
        """What the first session got."""
        first = self.emulators[0]
        assert not isinstance(first, ScriptedModel)
        return first.sessions[0].line.received

    @property
    def successors(self) -> list[list[Told]]:
        """What each later session, or a cascade, was told, in order."""
        return [told for model in self.emulators for told in _told_to(model)][1:]

    async def say(self, text: str = "Do it.") -> None:
        """The user writes something."""
        await self.chain.down(InputTextRawFrame(text))

    async def hear_line(self, name: str, silence_s: float = 1.0) -> tuple[float, float]:
        """The user speaks a line of the demo and is silent; when that began and ended, in s.

        By the loop's clock.
        """
        line = demo_line(name, AfterSilence(after_s=0)).sound
        pcm = resample(line.pcm, line.rate_hz, 16000)
        began_s = asyncio.get_running_loop().time()
        await self.hear(pcm)
        ended_s = asyncio.get_running_loop().time()
        await self.hear(bytes(round(silence_s * 32000)))
        return began_s, ended_s

    async def hear(self, pcm: bytes) -> None:
        """The user speaks, or is silent, in 16 kHz and at the pace of sound."""
        for at in range(0, len(pcm), 640):
            self.chain.hear(pcm[at : at + 640])
            await asyncio.sleep(0.02)

    @property
    def told(self) -> list[Told]:
        """What the model was told, and asked, in order, but for the first thing that was typed."""
        first = self.emulators[0]
        if isinstance(first, ScriptedModel):
            return told_by_requests(first)[2:]
        return [one for _, one in self.told_at]

    @property
    def told_at(self) -> list[tuple[float, Told]]:
        """The same, each with when the model had it, by the loop's clock in s."""
        told = [(entry.at_s, one) for entry in self.received for one in told_by(entry)]
        return told[2:] if self.wire is Wire.OPENAI else told[1:]

    def spoken(self) -> list[str]:
        """What the agent said, answer by answer."""
        return [str(turn["text"]) for turn in self.turns("agent") if turn["text"]]

    def turns(self, role: str) -> list[Mapping[str, Any]]:
        return [turn for turn in self.ledger.to_dict()["turns"] if turn["role"] == role]


def _told_to(model: Model) -> list[list[Told]]:
    """What each session of a model was told."""
    if isinstance(model, ScriptedModel):
        return [told_by_requests(model)]
    return [
        [one for entry in session.line.received for one in told_by(entry) or seeded_by(entry)]
        for session in model.sessions
    ]


def told_by_requests(model: ScriptedModel) -> list[Told]:
    """What a cascade's model was told; a result, a part of it and a placeholder look alike."""
    return [
        one
        for new in news(model.asked)
        for one in [*(Told(kind, _read(what)) for kind, what in new), ASK]
    ]


def told_by(entry: Entry) -> list[Told]:
    body = entry.body
    if "toolResponse" in body:
        return [_gemini_answer(each) for each in body["toolResponse"]["functionResponses"]]
    if text := body.get("realtimeInput", {}).get("text"):
        return [Told("text", text)]
    if entry.type == "response.create":
        return [ASK]
    item = body.get("item", {})
    if item.get("type") == "function_call_output":
        return [Told("result", _read(item["output"]))]
    if item.get("type") == "message":
        (content,) = item["content"]
        words = str(content["text"]).partition("not its result yet: ")[2]
        system = item["role"] == "system"
        return [Told("part", _read(words)) if system else Told("text", content["text"])]
    return []


def seeded_by(entry: Entry) -> list[Told]:
    """What Gemini is told at the beginning, or with no answer expected."""
    turns = entry.body.get("clientContent", {}).get("turns", [])
    parts = [part for turn in turns if turn["role"] == "user" for part in turn["parts"]]
    return [Told("text", part["text"]) for part in parts]


def _gemini_answer(answer: Mapping[str, Any]) -> Told:
    response = answer["response"]
    what = response.get("output", response)
    kind = "part" if answer.get("willContinue") else "result"
    return Told(kind, what, answer.get("scheduling"))


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


@contextlib.asynccontextmanager
async def talk(
    wire: Wire,
    tools: Sequence[Tool],
    scenario: Scenario,
    *,
    faults: Sequence[Fault] = (),
    declared: Sequence[Tool] | None = None,
    hears: bool = False,
    lasts_s: float | None = None,
    continuity: Continuity | None = ALWAYS_ON,
    fallback: Wire | None = None,
    speed: float = 20,
) -> AsyncIterator[Talk]:
    """Talk with a model that follows a script.

    Args:
        wire: Which model.
        tools: What there is.
        scenario: What the model says and calls.
        faults: What goes wrong at the provider.
        declared: What the model is told that there is, if it is not the same.
        hears: Whether the user's sound is listened to.
        lasts_s: How long a connection of the provider lasts, if not as long as is usual.
        continuity: How the session outlives its connections.
        fallback: Which model takes over when the first fails; it follows the same script.
        speed: How many times faster than it is heard the model generates its speech.
    """
    known = tools if declared is None else declared
    if wire is Wire.CASCADE:
        async with _cascaded(tools, known, scenario, speed) as made:
            yield made
        return
    config = SessionConfig(tools=[tool.declaration for tool in known])
    async with contextlib.AsyncExitStack() as stack:
        emulators: list[OpenAIEmulator | GeminiEmulator] = [
            emulator(wire, scenario, faults, lasts_s, speed)
        ]
        await stack.enter_async_context(emulators[0])
        route = []
        if fallback is not None:
            emulators.append(emulator(fallback, scenario))
            await stack.enter_async_context(emulators[1])
            second = Endpoint(spec=fallback.value, base_url=emulators[1].url, api_key="emulated")
            route.append(second)
        ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
        session = await stack.enter_async_context(
            connect(
                wire.value,
                config,
                base_url=emulators[0].url,
                api_key="emulated",
                route=route,
                continuity=continuity,
                conversation=ledger,
            )
        )
        playout = Playout(rate_hz=24000)
        chain = await stack.enter_async_context(
            running(
                *([VoiceActivity(rate_hz=16000)] if hears else []),
                TurnTaking(TurnOwner.PROVIDER),
                ConversationTap(ledger, TapSide.USER),
                SpeechToSpeech(session, rate_hz=16000),
                ToolDispatcher(tools, wire=tool_wire(session.profile)),
                ConversationTap(ledger, TapSide.AGENT),
                PlayoutQueue(playout),
                PacedOutput(rate_hz=24000),
                PlayoutTracker(playout),
            )
        )
        yield Talk(chain, ledger, emulators, session, wire)


@contextlib.asynccontextmanager
async def _cascaded(
    tools: Sequence[Tool], known: Sequence[Tool], scenario: Scenario, speed: float
) -> AsyncIterator[Talk]:
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    async with ScriptedModel(scenario).serving() as model:
        assert isinstance(model, ScriptedModel)
        node = cascade(model, ledger, list(known), speed)
        async with _around(node, tools, ToolWire.PARTS, ledger) as chain:
            yield Talk(chain, ledger, [model], None, Wire.CASCADE)


@contextlib.asynccontextmanager
async def swapping(
    wires: Sequence[Wire],
    tools: Sequence[Tool],
    scenario: Scenario,
    *,
    faults: Sequence[Fault] = (),
    route: Sequence[str] = (),
) -> AsyncIterator[Talk]:
    """Talk with models that can take each other's place, named by their position: they follow the
    same script.

    Args:
        wires: Which models.
        tools: What there is.
        scenario: What they say and call.
        faults: What goes wrong at the first.
        route: Who serves when one fails.
    """
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    async with contextlib.AsyncExitStack() as stack:
        models: list[Model] = []
        nodes: dict[str, MakeNode] = {}
        for n, wire in enumerate(wires):
            model, nodes[str(n)] = _swappable(wire, tools, scenario, ledger, [] if n else faults)
            await stack.enter_async_context(_serving(model))
            models.append(model)
        switch = NodeSwitch(nodes, route=route)
        profile = (await switch.prepare()).profile
        takes = ToolWire.PARTS if profile is None else tool_wire(profile)
        chain = await stack.enter_async_context(_around(switch, tools, takes, ledger))
        yield Talk(chain, ledger, models, None, wires[0], switch)


def _swappable(
    wire: Wire,
    tools: Sequence[Tool],
    scenario: Scenario,
    ledger: Conversation,
    faults: Sequence[Fault],
) -> tuple[Model, MakeNode]:
    if wire is Wire.CASCADE:
        model = ScriptedModel(scenario)

        @contextlib.asynccontextmanager
        async def make() -> AsyncIterator[SpeechNode]:
            yield cascade(model, ledger, list(tools), 20)

        return model, make
    service = emulator(wire, scenario, faults)

    @contextlib.asynccontextmanager
    async def make_native() -> AsyncIterator[SpeechNode]:
        # Its address is known once it serves.
        async with native_node(
            wire.value,
            conversation=ledger,
            config=SessionConfig(),
            tools=tools,
            tool_instruction=False,
            base_url=service.url,
            api_key="emulated",
        )() as node:
            yield node

    return service, make_native


@contextlib.asynccontextmanager
async def _serving(model: Model) -> AsyncIterator[None]:
    async with model.serving() if isinstance(model, ScriptedModel) else model:
        yield


@contextlib.asynccontextmanager
async def _around(
    node: Processor, tools: Sequence[Tool], wire: ToolWire, ledger: Conversation
) -> AsyncIterator[Chain]:
    """A node whose user's turns are ours, in its chain."""
    playout = Playout(rate_hz=24000)
    async with running(
        TurnTaking(TurnOwner.LOCAL),
        ConversationTap(ledger, TapSide.USER),
        node,
        ToolDispatcher(tools, wire=wire),
        ConversationTap(ledger, TapSide.AGENT),
        PlayoutQueue(playout),
        PacedOutput(rate_hz=24000),
        PlayoutTracker(playout),
    ) as chain:
        yield chain


def emulator(
    wire: Wire,
    scenario: Scenario,
    faults: Sequence[Fault] = (),
    lasts_s: float | None = None,
    speed: float = 20,
) -> OpenAIEmulator | GeminiEmulator:
    """A provider that follows a script."""
    backend = ScriptedBackend(scenario)
    if wire is Wire.OPENAI:
        timing = OpenAITiming(speed=speed)
        if lasts_s is not None:
            timing = replace(timing, session_seconds=lasts_s)
        return OpenAIEmulator(backend, faults=faults, timing=timing)
    gemini_timing = GeminiTiming(speed=speed)
    if lasts_s is not None:
        gemini_timing = replace(
            gemini_timing, connection_seconds=lasts_s, go_away_ms=(lasts_s - 1) * 1000
        )
    return GeminiEmulator(
        backend, faults=faults, timing=gemini_timing, refuse_audio_while_calling=True
    )
