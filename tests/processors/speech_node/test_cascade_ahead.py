"""Answers begun before the user's turn has certainly ended: nobody hears of them too soon."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

from pipecat.frames.frames import (
    EagerEndOfTurnCancelFrame,
    EagerTranscriptionFrame,
    MetricsFrame,
    TranscriptionFrame,
)
from pipecat.metrics.metrics import LLMUsageMetricsData
from pipecat.services.settings import STTSettings
from pipecat.services.stt_service import STTService

from crossfade.conversation.ledger import Conversation
from crossfade.frames.audio import SpeechFrame
from crossfade.frames.control import (
    Frame,
    InterruptionFrame,
    ResponseEndFrame,
    ResponseStartFrame,
    VADUserStartedSpeakingFrame,
)
from crossfade.frames.text import SpokenTextFrame
from crossfade.frames.tools import ToolCallsFrame
from crossfade.processors.cascade import Cascade
from crossfade.processors.embedded_llm import EmbeddedLLM
from crossfade.processors.embedded_stt import EmbeddedSTT
from crossfade.processors.embedded_tts import EmbeddedTTS
from crossfade.processors.tools import Tool, tool
from tests.clock import run

from .fakes import HEARD, Brain, Calls, Line, PacedVoice, Recogniser, made_by
from .nodes import Kind, Talk, in_chain

OUTPUT = (ResponseStartFrame, ResponseEndFrame, SpokenTextFrame, SpeechFrame, ToolCallsFrame)


class Foreteller(STTService):
    """A recogniser that says what the test has it say."""

    def __init__(self) -> None:
        super().__init__(
            settings=STTSettings(model="fake", language=None),
            audio_passthrough=False,
            ttfs_p99_latency=1.0,
        )

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None

    async def foretell(self, text: str) -> None:
        await self.push_frame(EagerTranscriptionFrame(text, "", ""))

    async def take_back(self) -> None:
        await self.push_frame(EagerEndOfTurnCancelFrame())

    async def tell(self, text: str) -> None:
        await self.push_frame(TranscriptionFrame(text, "", "", finalized=True))


class Said:
    """A conversation with such a recogniser, up to the middle of the user's turn."""

    def __init__(self, talking: Talk, stt: Foreteller, brain: Brain) -> None:
        self.talking, self.stt, self.brain = talking, stt, brain

    @property
    def asked(self) -> list[str]:
        return [text for text, _ in self.brain.asked]

    @property
    def output(self) -> list[Any]:
        return [frame for kind in OUTPUT for frame in self.talking.below.down(kind)]

    async def end_turn(self, text: str) -> None:
        await self.stt.tell(text)
        await self.talking.finish_speaking()


@contextlib.asynccontextmanager
async def spoken(lines: Sequence[Line], tools: Sequence[Tool] = ()) -> AsyncIterator[Said]:
    ledger = Conversation(started_at_s=asyncio.get_running_loop().time())
    stt, brain = Foreteller(), Brain(lines)
    node = Cascade(
        stt=stt,
        llm=EmbeddedLLM(made_by(brain)),
        tts=EmbeddedTTS(PacedVoice()),
        conversation=ledger,
        tools=[each.declaration for each in tools],
    )
    async with in_chain(node, Kind.EMBEDDED, ledger, tools) as talking:
        await talking.begin_to_speak()
        yield Said(talking, stt, brain)


def test_nothing_gets_out_before_the_turn_has_ended_and_all_of_it_then() -> None:
    async def scenario() -> None:
        async with spoken(["It is sunny there. Is there more?"]) as said:
            await said.stt.foretell(HEARD)
            await asyncio.sleep(0.5)
            assert said.asked == [HEARD]
            assert not said.output
            assert not said.talking.ledger.to_dict()["turns"]
            # Capitals and points are no other words.
            await said.end_turn("What is the weather in Tokyo?")
            await asyncio.sleep(4)
            assert said.asked == [HEARD]
            assert said.talking.texts("user") == ["What is the weather in Tokyo?"]
            assert said.talking.texts("agent") == ["It is sunny there. Is there more?"]
            assert len(said.talking.below.down(ResponseStartFrame)) == 1

    run(scenario())


def test_other_words_are_answered_anew_and_both_requests_are_charged() -> None:
    async def scenario() -> None:
        async with spoken(["In Rome it rains.", "In Tokyo it is sunny."]) as said:
            await said.stt.foretell("what is the weather")
            await asyncio.sleep(0.3)
            await said.end_turn(HEARD)
            await asyncio.sleep(3)
            assert said.asked == ["what is the weather", HEARD]
            assert said.talking.texts("agent") == ["In Tokyo it is sunny."]
            (end,) = said.talking.below.down(ResponseEndFrame)
            assert end.status == "completed"
            assert len(costs(said)) == 2

    run(scenario())


def test_an_interruption_drops_it_and_its_cost_is_told() -> None:
    async def scenario() -> None:
        async with spoken(["Nobody hears this.", "Sunny."]) as said:
            await said.stt.foretell("what is")
            await asyncio.sleep(0.3)
            await said.talking.chain.down(InterruptionFrame())
            await asyncio.sleep(0.3)
            assert not said.output
            assert len(costs(said)) == 1
            await said.end_turn(HEARD)
            await asyncio.sleep(3)
            assert said.talking.texts("agent") == ["Sunny."]

    run(scenario())


def costs(said: Said) -> list[LLMUsageMetricsData]:
    return [
        data
        for frame in said.talking.below.down(MetricsFrame)
        for data in frame.data
        if isinstance(data, LLMUsageMetricsData)
    ]


def test_a_user_who_speaks_on_takes_it_back() -> None:
    async def scenario(by_voice: bool) -> None:
        async with spoken(["Nobody hears this.", "Sunny."]) as said:
            await said.stt.foretell("what is")
            await asyncio.sleep(0.3)
            if by_voice:
                await said.talking.chain.down(VADUserStartedSpeakingFrame(start_secs=0.2))
            else:
                await said.stt.take_back()
            await asyncio.sleep(0.3)
            assert not said.output
            await said.stt.foretell(HEARD)
            await asyncio.sleep(0.3)
            assert said.asked == ["what is", HEARD]
            await said.end_turn(HEARD)
            await asyncio.sleep(3)
            assert said.asked == ["what is", HEARD]
            assert said.talking.texts("agent") == ["Sunny."]

    run(scenario(False))
    run(scenario(True))


def test_no_tool_is_called_before_the_turn_has_ended_and_then_once() -> None:
    ran: list[str] = []

    @tool
    async def look() -> str:
        """Look."""
        ran.append("looked")
        return "seen"

    async def scenario() -> None:
        async with spoken([Calls((("look", {}),)), "It is seen."], [look]) as said:
            await said.stt.foretell("look")
            await asyncio.sleep(1)
            assert not ran
            assert not said.output
            await said.end_turn("look")
            await asyncio.sleep(3)
            assert ran == ["looked"]
            assert said.talking.texts("agent") == ["It is seen."]

    run(scenario())


def test_a_request_that_fails_ahead_is_told_to_nobody_and_made_again() -> None:
    class Failing(Brain):
        def reply(self, user_text: str, history: Any = ()) -> Any:
            if not self.asked:
                self.asked.append((user_text, history))
                raise RuntimeError("out of order")
            return super().reply(user_text, history)

    async def scenario() -> None:
        async with spoken([]) as said:
            said.brain.__class__ = Failing
            said.brain._lines = ["Fine."]
            await said.stt.foretell(HEARD)
            await asyncio.sleep(0.3)
            await said.end_turn(HEARD)
            await asyncio.sleep(3)
            assert not said.talking.chain.errors
            assert said.talking.texts("agent") == ["Fine."]

    run(scenario())


def test_the_answer_is_there_sooner_by_the_models_time() -> None:
    async def scenario() -> None:
        async with spoken(["Sunny. And warm."]) as said:
            await said.stt.foretell(HEARD)
            await asyncio.sleep(1)
            await said.end_turn(HEARD)
            await asyncio.sleep(0.01)
            assert said.talking.below.down(SpokenTextFrame)

    run(scenario())


def test_the_embedded_recogniser_foretells_where_it_shall() -> None:
    async def scenario() -> None:
        ledger, brain = Conversation(started_at_s=0.0), Brain(["Sunny."])
        node = Cascade(
            stt=EmbeddedSTT(Recogniser(), eager=True),
            llm=EmbeddedLLM(made_by(brain)),
            tts=EmbeddedTTS(PacedVoice()),
            conversation=ledger,
        )
        async with in_chain(node, Kind.EMBEDDED, ledger) as talking:
            await talking.speak()
            await asyncio.sleep(3)
            assert [text for text, _ in brain.asked] == [HEARD]
            assert talking.texts("agent") == ["Sunny."]

    run(scenario())
