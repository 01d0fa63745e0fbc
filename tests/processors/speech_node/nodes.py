"""Each kind of speech node in a running chain, with all that it sends on either side."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from pipecat.services.openai.llm import OpenAILLMService

from crossfade.conversation.ledger import Conversation
from crossfade.emulators.backends.backend import Call
from crossfade.emulators.backends.scenario import Scenario, Turn
from crossfade.emulators.backends.scripted import ScriptedBackend
from crossfade.emulators.gemini import GeminiEmulator
from crossfade.emulators.openai import OpenAIEmulator
from crossfade.frames.audio import AudioRawFrame, InputAudioRawFrame, SpeechFrame
from crossfade.frames.control import (
    Frame,
    SpeechConfirmedFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from crossfade.processors.base import DOWNSTREAM, UPSTREAM, FrameDirection, Processor
from crossfade.processors.cascade import Cascade
from crossfade.processors.conversation_tap import ConversationTap, TapSide
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.node_slot import MakeNode
from crossfade.processors.node_switch import NodeSwitch, When
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
from crossfade.providers import SessionConfig, TurnDetection, connect
from crossfade.transports.paced_output import PacedOutput
from tests.processors.chain import Chain, running

from .fakes import HEARD, Brain, Calls, Line, PacedVoice, Recogniser, made_by
from .loopback_llm import LoopbackLLM

F = TypeVar("F", bound=Frame)
THINK_MS = 100.0
INSTRUCTIONS = "You are kind."


class Kind(Enum):
    """The speech nodes."""

    OPENAI = "openai:gpt-realtime-2.1"
    GEMINI = "gemini:gemini-3.8-live"
    EMBEDDED = "a cascade of the embedded services"
    LOOPBACK = "a cascade with a text model behind HTTP"
    SWAPPED_TO_OPENAI = "the embedded cascade, and then OpenAI in its place"
    SWAPPED_TO_GEMINI = "the embedded cascade, and then Gemini in its place"
    SWAPPED_TO_CASCADE = "OpenAI, and then the embedded cascade in its place"


_FIRST = {
    Kind.SWAPPED_TO_OPENAI: Kind.EMBEDDED,
    Kind.SWAPPED_TO_GEMINI: Kind.EMBEDDED,
    Kind.SWAPPED_TO_CASCADE: Kind.OPENAI,
}
_THEN = {
    Kind.SWAPPED_TO_OPENAI: Kind.OPENAI,
    Kind.SWAPPED_TO_GEMINI: Kind.GEMINI,
    Kind.SWAPPED_TO_CASCADE: Kind.EMBEDDED,
}


class Watch(Processor):
    """Keeps all that passes, sound and frames in one order."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name)
        self.seen: list[tuple[Frame, FrameDirection]] = []

    def handle_audio(self, frame: AudioRawFrame) -> None:
        if isinstance(frame, SpeechFrame | InputAudioRawFrame):
            self.seen.append((frame, DOWNSTREAM))
        self.push_audio(frame)

    def note(self, frame: Frame, direction: FrameDirection) -> None:
        self.seen.append((frame, direction))

    def down(self, kind: type[F]) -> list[F]:
        return [f for f, way in self.seen if way is DOWNSTREAM and isinstance(f, kind)]

    def up(self, kind: type[F]) -> list[F]:
        return [f for f, way in self.seen if way is UPSTREAM and isinstance(f, kind)]


@dataclass
class Talk:
    """A conversation with a node."""

    chain: Chain
    above: Watch
    """What passes between the user's side and the node."""
    below: Watch
    """What passes between the node and the rest."""
    ledger: Conversation
    kind: Kind

    async def begin_to_speak(self) -> None:
        await self.chain.down(VADUserStartedSpeakingFrame(start_secs=0.2))
        await self.chain.down(SpeechConfirmedFrame())
        await self.sound(0.4)

    async def finish_speaking(self) -> None:
        await self.chain.down(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    async def speak(self) -> None:
        """A whole turn of the user, in words that everybody makes out."""
        await self.begin_to_speak()
        await self.finish_speaking()

    async def sound(self, length_s: float) -> None:
        for _ in range(round(length_s / 0.02)):
            self.chain.hear(b"\x10\x20" * 320)
            await asyncio.sleep(0.02)

    def texts(self, role: str) -> list[str]:
        turns = self.ledger.to_dict()["turns"]
        return [str(t["text"]) for t in turns if t["role"] == role and t["text"]]


@contextlib.asynccontextmanager
async def talk(
    kind: Kind, lines: Sequence[Line], tools: Sequence[Tool] = ()
) -> AsyncIterator[Talk]:
    """Talk with a node whose model says these lines, one for each answer."""
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    async with contextlib.AsyncExitStack() as stack:
        node: Processor
        wire = ToolWire.PARTS
        if kind in _FIRST:
            node = switch = _swapped(kind, lines, tools, ledger)
            async with in_chain(node, kind, ledger, tools) as made:
                await switch.to("second", when=When.NOW)
                yield made
            return
        if kind in (Kind.OPENAI, Kind.GEMINI):
            node = await native_node(kind, lines, tools, ledger, stack)
            wire = tool_wire(node.profile)
        else:
            node = await cascade_node(kind, lines, tools, ledger, stack)
        async with in_chain(node, kind, ledger, tools, wire) as made:
            yield made


def _swapped(
    kind: Kind, lines: Sequence[Line], tools: Sequence[Tool], ledger: Conversation
) -> NodeSwitch:
    first, second = maker(_FIRST[kind], [], tools, ledger), maker(_THEN[kind], lines, tools, ledger)
    return NodeSwitch({"first": first, "second": second})


def maker(
    kind: Kind, lines: Sequence[Line], tools: Sequence[Tool], ledger: Conversation
) -> MakeNode:
    """What a switch makes a node with."""

    @contextlib.asynccontextmanager
    async def make() -> AsyncIterator[SpeechNode]:
        async with contextlib.AsyncExitStack() as stack:
            if kind in (Kind.OPENAI, Kind.GEMINI):
                yield await native_node(kind, lines, tools, ledger, stack, standby=True)
            else:
                yield await cascade_node(kind, lines, tools, ledger, stack)

    return make


@contextlib.asynccontextmanager
async def in_chain(
    node: Processor,
    kind: Kind,
    ledger: Conversation,
    tools: Sequence[Tool] = (),
    wire: ToolWire = ToolWire.PARTS,
) -> AsyncIterator[Talk]:
    """A node where calls have it, between two watches."""
    above, below, playout = Watch("above"), Watch("below"), Playout(rate_hz=24000)
    async with running(
        TurnTaking(TurnOwner.LOCAL),
        ConversationTap(ledger, TapSide.USER),
        above,
        node,
        below,
        ToolDispatcher(tools, wire=wire),
        ConversationTap(ledger, TapSide.AGENT),
        PlayoutQueue(playout),
        PacedOutput(rate_hz=24000),
        PlayoutTracker(playout),
    ) as chain:
        yield Talk(chain, above, below, ledger, kind)


async def native_node(
    kind: Kind,
    lines: Sequence[Line],
    tools: Sequence[Tool],
    ledger: Conversation,
    stack: contextlib.AsyncExitStack,
    *,
    standby: bool = False,
) -> SpeechToSpeech:
    backend = ScriptedBackend(Scenario(turns=tuple(map(_turn, lines)), otherwise="Well."))
    emulator: OpenAIEmulator | GeminiEmulator = OpenAIEmulator(backend)
    if kind is Kind.GEMINI:
        emulator = GeminiEmulator(backend)
    await stack.enter_async_context(emulator)
    config = SessionConfig(
        tools=[tool.declaration for tool in tools], turn_detection=TurnDetection.CALLER
    )
    session = connect(
        kind.value, config, base_url=emulator.url, api_key="emulated", conversation=ledger
    )
    await session.open(standby=standby)
    stack.push_async_callback(session.close)
    return SpeechToSpeech(session, rate_hz=16000)


async def cascade_node(
    kind: Kind,
    lines: Sequence[Line],
    tools: Sequence[Tool],
    ledger: Conversation,
    stack: contextlib.AsyncExitStack,
) -> Cascade:
    llm: EmbeddedLLM | OpenAILLMService = EmbeddedLLM(made_by(Brain(lines)))
    if kind is Kind.LOOPBACK:
        server = await stack.enter_async_context(LoopbackLLM(lines).serving())
        llm = OpenAILLMService(api_key="unused", base_url=server.url)
    return cascade(llm, ledger, tools)


def cascade(
    llm: EmbeddedLLM | OpenAILLMService,
    ledger: Conversation,
    tools: Sequence[Tool] = (),
    recogniser: Recogniser | None = None,
    voice: PacedVoice | None = None,
    unfinished: bytes = b"",
) -> Cascade:
    return Cascade(
        stt=EmbeddedSTT(recogniser or Recogniser()),
        llm=llm,
        tts=EmbeddedTTS(voice or PacedVoice()),
        conversation=ledger,
        instructions=INSTRUCTIONS,
        tools=[tool.declaration for tool in tools],
        unfinished=unfinished,
    )


def _turn(line: Line) -> Turn:
    if isinstance(line, Calls):
        calls = tuple(Call(name=n, arguments=json.dumps(dict(a))) for n, a in line.calls)
        return Turn(on=None, hear=HEARD, think_ms=THINK_MS, call=calls)
    return Turn(on=None, hear=HEARD, think_ms=THINK_MS, say=(line,))
